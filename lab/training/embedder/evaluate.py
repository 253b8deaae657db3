"""Measures tables on BEIR folders: nDCG@10 alone and fused with BM25 (bm25 / its highest + weight × cosine).

Usage: evaluate.py PREPARED TABLE.npy [...] --data FOLDER [...] [--cache DIR]   (evaluation data is never trained on)
"""
import argparse
import json
import pathlib

import numpy

from bm25 import Collection, bm25_scores, ndcg, paired_interval, recall
from prepare import matrix
from textwords import words

WEIGHTS = (0.3, 0.5, 0.8)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("prepared", type=pathlib.Path)
    parser.add_argument("tables", nargs="+", type=pathlib.Path)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.cache.mkdir(exist_ok=True, parents=True)
    vocabulary = json.loads((options.prepared / "vocabulary.json").read_text())
    index = {word: row for row, word in enumerate(vocabulary)}
    for folder in options.data:
        collection = Collection(folder)
        kept = options.cache / f"{collection.name}.npy"
        if not kept.exists():
            numpy.save(kept, bm25_scores(collection))
        keyword = numpy.load(kept)
        scaled = keyword / numpy.maximum(keyword.max(axis=1, keepdims=True), 1e-9)
        base, deep = ndcg(keyword, collection.relevant), recall(keyword, collection.relevant)
        print(f"{collection.name}: keyword {base.mean():.4f} R@100 {deep.mean():.4f}")
        documents = matrix([words(text)[:2048] for text in collection.documents], index)
        queries = matrix([words(text)[:2048] for text in collection.queries], index)
        for path in options.tables:
            rows = numpy.load(path)
            unit = lambda bags: (lambda total: total / numpy.maximum(numpy.linalg.norm(total, axis=1, keepdims=True), 1e-9))(bags @ rows)
            cosine = unit(queries) @ unit(documents).T
            line = f"  {path.stem:28s} alone {ndcg(cosine + 2, collection.relevant).mean():.4f}"
            for weight in WEIGHTS:
                fused = scaled + weight * cosine
                change = ndcg(fused, collection.relevant) - base
                low, high = paired_interval(change)
                line += f" | {weight} {100 * change.mean():+.1f} [{100 * low:+.1f} {100 * high:+.1f}]"
            gained = recall(scaled + 0.5 * cosine, collection.relevant).mean() - deep.mean()
            print(line + f" | R@100 {100 * gained:+.1f}", flush=True)


if __name__ == "__main__":
    main()
