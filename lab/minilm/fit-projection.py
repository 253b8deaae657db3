"""Fits the projection from 384 to 256 dimensions: the leading right singular vectors of the texts' vectors, not centred, so that dot
products change as little as a rank of 256 allows.

usage: fit-projection.py MODEL.onnx TOKENIZER.json TEXTS.jsonl PROJECTION.npy
"""
import json, sys

import numpy as np

from encoder import Encoder

RANK = 256


def main():
    model, tokenizer, texts, output = sys.argv[1:5]
    rows = [json.loads(line)["text"] for line in open(texts)]
    encoder = Encoder(model, tokenizer, tokens=64, threads=2)
    vectors = encoder.encode(rows, progress=lambda done, of: print(f"\r{done}/{of}", end="", file=sys.stderr))
    second_moment = vectors.T.astype(np.float64) @ vectors
    values, basis = np.linalg.eigh(second_moment)
    projection = basis[:, ::-1][:, :RANK].T
    # The sign of an eigenvector is arbitrary: the largest component is made positive, so that two runs agree.
    projection *= np.sign(projection[np.arange(RANK), np.abs(projection).argmax(1)])[:, None]
    np.save(output, projection.astype(np.float32))
    print(f"\n{len(rows)} texts; share of the squared length kept: {values[::-1][:RANK].sum() / values.sum():.4f}; mean vector's length {np.linalg.norm(vectors.mean(0)):.3f}")


main()
