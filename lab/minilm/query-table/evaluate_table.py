"""Measures query tables on BEIR folders: questions by the table, documents by the full model, beside BM25 and the full model.

Usage: evaluate_table.py MODEL_FOLDER CACHE PROJECTION.npy TABLE.npz [...] --data FOLDER [...]

CACHE holds q.NAME.npy and d.NAME.npy, the full model's unit vectors of queries and documents (384 wide), in the order of the folder's files;
they are computed where they are missing. Scores: nDCG@10 alone, and fused as (1 - w) · bm25 / highest + w · min-max of the cosine.
"gain kept" is the share of the full model's gain over BM25, fused at the same weight. Evaluation data is never trained on.
"""
import argparse
import json
import pathlib
import sys

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "lab" / "training" / "embedder"))

from bm25 import Collection, bm25_scores, ndcg, paired_interval  # noqa: E402
from teach import Teacher  # noqa: E402
from train_table import Features, unit  # noqa: E402

WEIGHTS = (0.4, 0.6, 0.8)


class Table:
    """A trained table: rows of pieces and pairs."""

    def __init__(self, path):
        saved = numpy.load(path)
        self.features, self.rows, self.name = Features(saved["pieces"].tolist(), saved["pairs"]), saved["rows"], path.stem

    def embed(self, texts):
        return unit(self.features.matrix(self.features.lists(texts)) @ self.rows)


def vectors(collection, cache, teacher):
    answer = []
    for letter, texts in (("q", collection.queries), ("d", collection.documents)):
        path = cache / f"{letter}.{collection.name}.npy"
        if not path.exists():
            teacher = teacher()
            numpy.save(path, teacher.embed(teacher.pieces(texts)).astype(numpy.float16))
        answer.append(numpy.load(path).astype(numpy.float32))
    return answer


def fused(keyword, cosine, weight):
    low, high = cosine.min(axis=1, keepdims=True), cosine.max(axis=1, keepdims=True)
    return (1 - weight) * keyword + weight * (cosine - low) / (high - low) + 1e-6


def main():
    parser = argparse.ArgumentParser()
    for name in ("model", "cache", "projection"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("tables", nargs="+", type=pathlib.Path)
    parser.add_argument("--data", nargs="+", required=True)
    options = parser.parse_args()
    projection = numpy.load(options.projection)
    tables, results = [Table(path) for path in options.tables], {}
    for folder in options.data:
        collection = Collection(folder)
        queries, documents = vectors(collection, options.cache, lambda: Teacher(options.model, options.cache, longest=200))
        kept = options.cache / f"bm25.{collection.name}.npy"
        if not kept.exists():
            numpy.save(kept, bm25_scores(collection))
        keyword = numpy.load(kept)
        keyword = keyword / numpy.maximum(keyword.max(axis=1, keepdims=True), 1e-9)
        documents = unit(documents @ projection.T)
        full = unit(queries @ projection.T)
        base = ndcg(keyword, collection.relevant)
        encoders = {"full model": full} | {table.name: table.embed(collection.queries) for table in tables}
        print(f"{collection.name}: {len(documents)} documents, {len(queries)} queries, BM25 {base.mean():.4f}")
        for name, asked in encoders.items():
            cosine = asked @ documents.T
            found = [ndcg(fused(keyword, cosine, weight), collection.relevant) for weight in WEIGHTS]
            results.setdefault(name, []).append([base.mean()] + [value.mean() for value in found])
            low, high = paired_interval(found[1] - base)
            print(f"  {name:24s} cosine {(asked * full).sum(axis=1).mean():.4f} alone {ndcg(cosine + 2, collection.relevant).mean():.4f} "
                  + " ".join(f"| {weight} {value.mean():.4f}" for weight, value in zip(WEIGHTS, found))
                  + f" | .6 - BM25 {100 * (found[1] - base).mean():+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]", flush=True)
    whole = numpy.mean(results["full model"], axis=0)
    for name, rows in results.items():
        mean = numpy.mean(rows, axis=0)
        print(f"mean {name:24s} " + " ".join(f"| {weight} {value:.4f} gain kept {(value - mean[0]) / (full_value - mean[0]):.0%}"
              for weight, value, full_value in zip(WEIGHTS, mean[1:], whole[1:])))


if __name__ == "__main__":
    main()
