"""Quantises a trained table and writes table.bin (its format is described in src/inference/embedding/static/table.ts).

Usage: pack.py PREPARED TABLE.npy OUT.bin [--subspaces 64] [--restored OUT.npy]

Product quantisation (Jegou, Douze and Schmid 2011, section II): rows at unit length are cut into subspaces of a few
dimensions, and each gets the nearest of 256 centroids that k-means found; the row's norm is kept as a byte of its logarithm.
"""
import argparse
import gzip
import json
import pathlib
import struct

import numpy
from scipy import sparse

from prepare import PROSE

HEADER = struct.Struct("<4sHHIHHIffffI")


def word_scores(prepared, count):
    """The score by which prepare.py chose the vocabulary, from the bags: sum over sources of log(1 + texts with the word)."""
    names, number = numpy.unique(json.loads((prepared / "meta.json").read_text())["sources"], return_inverse=True)
    score = numpy.zeros(count)
    found = numpy.zeros(len(names) * count)
    for side in ("left.npz", "right.npz"):
        bags = sparse.load_npz(prepared / side)
        rows = numpy.repeat(number.astype(numpy.int64), numpy.diff(bags.indptr))
        found += numpy.bincount(rows * count + bags.indices, minlength=len(found))
    for name, counts in zip(names, found.reshape(len(names), count)):
        score += numpy.log1p(counts) * PROSE.get(str(name), 1)
    return score


def nearest(points, centroids):
    return (points @ centroids.T * -2 + (centroids**2).sum(axis=1)).argmin(axis=1)


def centroids_of(points, weights, generator, rounds=15):
    """Weighted k-means with 256 centroids."""
    centroids = points[generator.choice(len(points), 256, replace=False)].copy()
    for _ in range(rounds):
        found = nearest(points, centroids)
        mass = numpy.bincount(found, weights, 256)
        for axis in range(points.shape[1]):
            total = numpy.bincount(found, weights * points[:, axis], 256)
            centroids[:, axis] = numpy.where(mass > 0, total / numpy.maximum(mass, 1e-9), points[generator.integers(len(points), size=256), axis])
    return centroids


def rotation(rows):
    """Orthogonal axes that spread variance evenly over the subspaces (a random rotation, fixed by its seed)."""
    matrix = numpy.random.default_rng(3).standard_normal((rows.shape[1], rows.shape[1]))
    return numpy.linalg.qr(matrix)[0].astype(numpy.float32)


def quantise(values):
    """(bytes, lowest, step)"""
    lowest, step = float(values.min()), max(float(values.max() - values.min()) / 255, 1e-9)
    return numpy.round((values - lowest) / step).astype(numpy.uint8), lowest, step


def checksum(data):
    data = numpy.frombuffer(data + b"\0" * (-len(data) % 4), dtype="<u4").tolist()
    value = 0x811C9DC5
    for word in data:
        value = ((value ^ word) * 0x01000193) & 0xFFFFFFFF
    return value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("prepared", type=pathlib.Path)
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--subspaces", type=int, default=64)
    parser.add_argument("--restored", type=pathlib.Path)
    parser.add_argument("--words", type=int, default=10**9, help="keep this many words, those that most sources use")
    options = parser.parse_args()
    words = json.loads((options.prepared / "vocabulary.json").read_text())
    idf, rows = numpy.load(options.prepared / "idf.npy"), numpy.load(options.table)
    whole = numpy.zeros_like(rows)
    kept = numpy.sort(numpy.argsort(-word_scores(options.prepared, len(words)), kind="stable")[: options.words])
    words, idf, rows = [words[row] for row in kept], idf[kept], rows[kept]
    count, dimensions = rows.shape
    starts = [subspace * dimensions // options.subspaces for subspace in range(options.subspaces + 1)]
    norms = numpy.maximum(numpy.linalg.norm(rows, axis=1), 1e-4)
    unit = (rows / norms[:, None]) @ rotation(rows)
    generator = numpy.random.default_rng(5)
    importance = norms**2 * numpy.exp(-idf / 2)
    codebooks = []
    scales = numpy.zeros(options.subspaces, numpy.float32)
    codes = numpy.zeros((options.subspaces, count), numpy.uint8)
    restored = numpy.zeros_like(unit)
    for subspace in range(options.subspaces):
        part = slice(starts[subspace], starts[subspace + 1])
        found = centroids_of(unit[:, part], importance, generator)
        scales[subspace] = numpy.abs(found).max() / 127
        codebooks.append(numpy.round(found / scales[subspace]).astype(numpy.int8))
        real = codebooks[-1].astype(numpy.float32) * scales[subspace]
        codes[subspace] = nearest(unit[:, part], real)
        restored[:, part] = real[codes[subspace]]
    # The norm byte compensates for the length that the codes lose along the true direction.
    kept_length = numpy.maximum((unit * restored).sum(axis=1), 0.3)
    norm_bytes, norm_low, norm_step = quantise(numpy.log(norms / kept_length))
    idf_bytes, idf_low, idf_step = quantise(idf)
    vocabulary = "\n".join(words).encode()
    body = scales.tobytes() + b"".join(book.tobytes() for book in codebooks) + norm_bytes.tobytes() + idf_bytes.tobytes() + codes.tobytes() + vocabulary
    header = HEADER.pack(b"HCWT", 1, dimensions, count, options.subspaces, 0, len(vocabulary), norm_low, norm_step, idf_low, idf_step,
                         checksum(body))
    options.out.write_bytes(header + body)
    error = ((unit - restored) ** 2).sum(axis=1).mean()
    print(f"{count} words, {len(header + body)} bytes, gzip {len(gzip.compress(header + body, 9))}, squared error {error:.4f}")
    if options.restored:
        whole[kept] = restored * numpy.exp(norm_low + norm_step * norm_bytes.astype(numpy.float32))[:, None]
        numpy.save(options.restored, whole)


if __name__ == "__main__":
    main()
