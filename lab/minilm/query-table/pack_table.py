"""Quantises a trained query table and writes it (its format is described in src/inference/embedding/minilm/query-table.ts).

Usage: pack_table.py TEXTS.jsonl MODEL_FOLDER CACHE PROJECTION.npy TABLE.npz OUT.bin [--subspaces 64] [--steps 250] [--restored OUT.npz]

Product quantisation (Jegou, Douze and Schmid 2011, section II). Subspace s of S holds the dimensions s, s + S, s + 2S …, so that
leading and trailing principal axes are spread evenly. Rows at unit length get the nearest of 256 centroids in each subspace, and a byte
for the logarithm of their norm. Centroids and norms are then trained on the texts with the codes held fixed.
"""
import argparse
import gzip
import pathlib
import struct

import numpy
from scipy import sparse

from train_table import Features, load, unit

HEADER = struct.Struct("<4sHHIIHHIffII")
CENTROIDS = 256


def nearest(points, centroids):
    return (points @ centroids.T * -2 + (centroids**2).sum(axis=1)).argmin(axis=1)


def centroids_of(points, weights, generator, rounds=14):
    """Weighted k-means."""
    centroids = points[generator.choice(len(points), CENTROIDS, replace=False, p=weights / weights.sum())].copy()
    for _ in range(rounds):
        found = nearest(points, centroids)
        mass = numpy.bincount(found, weights, CENTROIDS)
        for axis in range(points.shape[1]):
            total = numpy.bincount(found, weights * points[:, axis], CENTROIDS)
            spare = points[generator.integers(len(points), size=CENTROIDS), axis]
            centroids[:, axis] = numpy.where(mass > 0, total / numpy.maximum(mass, 1e-9), spare)
    return centroids


def checksum(data):
    """32-bit FNV-1a over little-endian words of four bytes, the last one padded with zeros."""
    value = 0x811C9DC5
    for word in numpy.frombuffer(data + b"\0" * (-len(data) % 4), dtype="<u4").tolist():
        value = ((value ^ word) * 0x01000193) & 0xFFFFFFFF
    return value


class Adam:
    def __init__(self, value):
        self.value, self.first, self.second, self.steps = value, numpy.zeros_like(value), numpy.zeros_like(value), 0

    def update(self, gradient, rate):
        self.steps += 1
        self.first = 0.9 * self.first + 0.1 * gradient
        self.second = 0.99 * self.second + 0.01 * gradient * gradient
        self.value -= rate * (self.first / (1 - 0.9**self.steps)) / (numpy.sqrt(self.second / (1 - 0.99**self.steps)) + 1e-8)


def restore(books, codes, norms):
    """Rows from centroids (S, 256, width), codes (rows, S) and norms."""
    subspaces, _, width = books.shape
    rows = numpy.empty((len(codes), subspaces * width), numpy.float32)
    for subspace in range(subspaces):
        rows[:, subspace::subspaces] = books[subspace][codes[:, subspace]]
    return rows * norms[:, None]


def refine(books, codes, logs, matrix, targets, steps, batch=4096):
    """Trains centroids and logarithms of norms; the codes stay."""
    generator, books, logs = numpy.random.default_rng(9), Adam(books), Adam(logs)
    subspaces = len(books.value)
    for step in range(steps):
        chosen = generator.integers(matrix.shape[0], size=batch)
        part = matrix[chosen]
        used, place = numpy.unique(part.indices, return_inverse=True)
        narrow = sparse.csr_matrix((part.data, place.astype(numpy.int32), part.indptr), (batch, len(used)))
        norms = numpy.exp(logs.value[used])
        shapes = restore(books.value, codes[used], numpy.ones(len(used), numpy.float32))
        total = narrow @ (shapes * norms[:, None])
        length = numpy.maximum(numpy.linalg.norm(total, axis=1, keepdims=True), 1e-6)
        found, goals = total / length, targets[chosen]
        by_rows = narrow.T @ (-(goals - (found * goals).sum(axis=1, keepdims=True) * found) / length / batch)
        by_logs = numpy.zeros_like(logs.value)
        by_logs[used] = (by_rows * shapes).sum(axis=1) * norms
        by_shapes, by_books = by_rows * norms[:, None], numpy.zeros_like(books.value)
        for subspace in range(subspaces):
            pick = sparse.csr_matrix((numpy.ones(len(used), numpy.float32), (codes[used, subspace], numpy.arange(len(used)))), (CENTROIDS, len(used)))
            by_books[subspace] = pick @ by_shapes[:, subspace::subspaces]
        rate = 1 - step / steps
        books.update(by_books, 0.001 * rate)
        logs.update(by_logs, 0.01 * rate)
    return books.value, logs.value


def main():
    parser = argparse.ArgumentParser()
    for name in ("texts", "model", "cache", "projection", "table", "out"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("--subspaces", type=int, default=64)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--restored", type=pathlib.Path)
    options = parser.parse_args()
    saved = numpy.load(options.table)
    features, rows, times = Features(saved["pieces"].tolist(), saved["pairs"]), saved["rows"], saved["times"]
    dimensions, subspaces = rows.shape[1], options.subspaces
    norms = numpy.maximum(numpy.linalg.norm(rows, axis=1), 1e-4)
    shapes = rows / norms[:, None]
    generator, weights = numpy.random.default_rng(5), norms**2 * numpy.sqrt(1.0 + times)
    books = numpy.stack([centroids_of(shapes[:, subspace::subspaces], weights, generator) for subspace in range(subspaces)]).astype(numpy.float32)
    codes = numpy.stack([nearest(shapes[:, subspace::subspaces], books[subspace]) for subspace in range(subspaces)], axis=1).astype(numpy.uint8)
    restored = restore(books, codes, numpy.ones(len(rows), numpy.float32))
    logs = numpy.log(norms / numpy.maximum((shapes * restored).sum(axis=1), 0.3)).astype(numpy.float32)

    texts, targets, held, _ = load(options.texts, options.cache, numpy.load(options.projection))
    bags = lambda mask: features.matrix(features.lists(texts[row] for row in numpy.flatnonzero(mask)))
    unseen, goals = bags(held), targets[held]
    report = lambda label, table: print(f"{label}: held out {(unit(unseen @ table) * goals).sum(axis=1).mean():.4f}", flush=True)
    report("float", rows)
    report("coded", restore(books, codes, numpy.exp(logs)))
    if options.steps:
        books, logs = refine(books, codes, logs, bags(~held), targets[~held], options.steps)
        report("refined", restore(books, codes, numpy.exp(logs)))

    scales = (numpy.abs(books).max(axis=(1, 2)) / 127).astype(numpy.float32)
    small = numpy.round(books / scales[:, None, None]).astype(numpy.int8)
    low, step = float(logs.min()), max(float(logs.max() - logs.min()) / 255, 1e-9)
    norm_bytes = numpy.round((logs - low) / step).astype(numpy.uint8)
    words = "\n".join(features.pieces).encode()
    keys = numpy.stack([features.pairs >> 16, features.pairs & 65535], axis=1).astype("<u2")
    body = scales.tobytes() + small.tobytes() + keys.tobytes() + norm_bytes.tobytes() + codes.T.tobytes() + words
    header = HEADER.pack(b"HCQT", 1, dimensions, len(features.pieces), len(features.pairs), subspaces, 0, len(words), low, step, checksum(body), 0)
    options.out.write_bytes(header + body)
    final = restore(small.astype(numpy.float32) * scales[:, None, None], codes, numpy.exp(low + step * norm_bytes.astype(numpy.float32)))
    report("packed", final)
    print(f"{len(features.pieces)} pieces, {len(features.pairs)} pairs, {len(header + body)} bytes, gzip {len(gzip.compress(header + body, 9))}")
    if options.restored:
        numpy.savez(options.restored, rows=final, pieces=saved["pieces"], pairs=saved["pairs"])


if __name__ == "__main__":
    main()
