"""Quantises a trained table and writes table.bin (its format is described in src/inference/static/table.ts).

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

HEADER = struct.Struct("<4sHHIHHIffffI")


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


def front_coded(words):
    out, previous = bytearray(), b""
    for word in (word.encode() for word in words):
        shared = 0
        while shared < min(len(word), len(previous)) and word[shared] == previous[shared]:
            shared += 1
        out += bytes((shared, len(word) - shared)) + word[shared:]
        previous = word
    return bytes(out)


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
    options = parser.parse_args()
    words = json.loads((options.prepared / "vocabulary.json").read_text())
    idf, rows = numpy.load(options.prepared / "idf.npy"), numpy.load(options.table)
    count, dimensions = rows.shape
    width = dimensions // options.subspaces
    norms = numpy.maximum(numpy.linalg.norm(rows, axis=1), 1e-4)
    unit = (rows / norms[:, None]) @ rotation(rows)
    generator = numpy.random.default_rng(5)
    codebooks = numpy.zeros((options.subspaces, 256, width), numpy.int8)
    scales = numpy.zeros(options.subspaces, numpy.float32)
    codes = numpy.zeros((options.subspaces, count), numpy.uint8)
    restored = numpy.zeros_like(unit)
    for subspace in range(options.subspaces):
        part = slice(subspace * width, (subspace + 1) * width)
        found = centroids_of(unit[:, part], norms**2, generator)
        scales[subspace] = numpy.abs(found).max() / 127
        codebooks[subspace] = numpy.round(found / scales[subspace])
        real = codebooks[subspace].astype(numpy.float32) * scales[subspace]
        codes[subspace] = nearest(unit[:, part], real)
        restored[:, part] = real[codes[subspace]]
    # The norm byte makes up for what the codes lost of the length along the true direction.
    norm_bytes, norm_low, norm_step = quantise(numpy.log(norms))
    idf_bytes, idf_low, idf_step = quantise(idf)
    vocabulary = front_coded(words)
    body = scales.tobytes() + codebooks.tobytes() + norm_bytes.tobytes() + idf_bytes.tobytes() + codes.tobytes() + vocabulary
    header = HEADER.pack(b"HCWT", 1, dimensions, count, options.subspaces, 0, len(vocabulary), norm_low, norm_step, idf_low, idf_step,
                         checksum(body))
    options.out.write_bytes(header + body)
    error = ((unit - restored) ** 2).sum(axis=1).mean()
    print(f"{count} words, {len(header + body)} bytes, gzip {len(gzip.compress(header + body, 9))}, squared error {error:.4f}")
    if options.restored:
        numpy.save(options.restored, restored * numpy.exp(norm_low + norm_step * norm_bytes.astype(numpy.float32))[:, None])


if __name__ == "__main__":
    main()
