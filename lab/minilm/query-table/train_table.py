"""Trains the query table: vectors of word pieces, and of frequent pairs of neighbouring pieces, whose sum points where the teacher points.

Usage: train_table.py TEXTS.jsonl MODEL_FOLDER CACHE PROJECTION.npy OUT.npz [--pairs 16000] [--epochs 12] ...

CACHE is what teach.py made; PROJECTION.npy (256 × 384) maps the teacher's vectors into the space of the document vectors. The loss
of a text is one minus the cosine between the sum of its rows and the teacher's projected vector; Adam on the rows that a batch
touches, its rate falling linearly to zero. A piece starts at the ridge regression of the teacher's vectors on the model's own
mean piece embeddings, times its inverse document frequency; a pair starts at zero.
"""
import argparse
import json
import pathlib
import time

import numpy
from safetensors.numpy import load_file
from scipy import sparse

from teach import shards

SPECIAL = 999  # ids below it are [PAD], [unusedN] and the like
UNKNOWN = 100  # [UNK] adds nothing to a sum
PIECES = 30522


def unit(rows):
    return rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def load(texts, cache, projection):
    """(pieces flat, lengths without [CLS] and [SEP], targets, held-out mask, kinds) of all texts that the teacher has embedded."""
    rows = [json.loads(line) for line in texts.open()]
    kept = numpy.load(cache / "ids.npz")
    divided = shards(kept["lengths"], [row["held"] for row in rows])
    found = [(members, path) for number, members in enumerate(divided) if (path := cache / f"part-{number:03d}.npy").exists()]
    parts, chosen = [numpy.load(path) for _, path in found], numpy.concatenate([members for members, _ in found])
    starts = numpy.concatenate([[0], numpy.cumsum(kept["lengths"].astype(numpy.int64))])
    lists = [kept["flat"][starts[row] + 1 : starts[row + 1] - 1].astype(numpy.int64) for row in chosen]
    targets = numpy.concatenate([unit(part.astype(numpy.float32) @ projection.T) for part in parts])
    return lists, targets, numpy.array([rows[row]["held"] for row in chosen]), [rows[row]["kind"] for row in chosen]


class Features:
    """Rows of a text: every piece, and every chosen pair of neighbours."""

    def __init__(self, pairs):
        self.pairs = numpy.sort(numpy.asarray(pairs, dtype=numpy.int64))

    @classmethod
    def choose(cls, lists, count, lowest=6):
        """The `count` pairs that occur in the most texts."""
        if count == 0:
            return cls([])
        keys = numpy.concatenate([numpy.unique(row[:-1] * 32768 + row[1:]) for row in lists])
        keys = keys[(keys >> 15 != UNKNOWN) & (keys & 32767 != UNKNOWN)]
        found, times = numpy.unique(keys, return_counts=True)
        found, times = found[times >= lowest], times[times >= lowest]
        return cls(found[numpy.argsort(-times, kind="stable")[:count]])

    def __len__(self):
        return PIECES + len(self.pairs)

    def matrix(self, lists):
        lengths = numpy.array([len(row) for row in lists])
        flat, owner = numpy.concatenate(lists), numpy.repeat(numpy.arange(len(lists)), lengths)
        known = flat != UNKNOWN
        columns, owners = [flat[known]], [owner[known]]
        if len(self.pairs):
            keys = flat[:-1] * 32768 + flat[1:]
            place = numpy.minimum(numpy.searchsorted(self.pairs, keys), len(self.pairs) - 1)
            hit = (self.pairs[place] == keys) & (owner[:-1] == owner[1:])
            columns.append(PIECES + place[hit])
            owners.append(owner[:-1][hit])
        columns, owners = numpy.concatenate(columns), numpy.concatenate(owners)
        return sparse.csr_matrix((numpy.ones(len(columns), numpy.float32), (owners, columns)), (len(lists), len(self)))


def starting_rows(lists, targets, model, width):
    """Rows of all pieces by ridge regression from the model's piece embeddings, weighted by inverse document frequency."""
    embeddings = load_file(str(model / "model.safetensors"))["embeddings.word_embeddings.weight"].astype(numpy.float32)
    present = numpy.bincount(numpy.concatenate([numpy.unique(row) for row in lists]), minlength=PIECES)
    weight = numpy.minimum(numpy.log((len(lists) + 1) / (present + 0.5)), 9).astype(numpy.float32)
    sample = numpy.random.default_rng(0).choice(len(lists), min(60000, len(lists)), replace=False)
    counts = Features([]).matrix([lists[row] for row in sample]).multiply(weight).tocsr()
    counts = counts.multiply(1 / numpy.maximum(counts.sum(axis=1), 1e-6)).tocsr()
    inputs, goals = counts @ embeddings, targets[sample]
    centre, middle = inputs.mean(axis=0), goals.mean(axis=0)
    moved = inputs - centre
    ridge = 1e-2 * len(moved) * numpy.mean(moved**2) * numpy.eye(moved.shape[1], dtype=numpy.float32)
    solution = numpy.linalg.solve(moved.T @ moved + ridge, moved.T @ (goals - middle))
    return ((((embeddings - centre) @ solution) + middle) * weight[:, None] / 6).astype(numpy.float32), present


def train(features, rows, matrix, targets, options, report):
    generator = numpy.random.default_rng(options.seed)
    first, second, steps = numpy.zeros_like(rows), numpy.zeros_like(rows), 0
    order = numpy.arange(matrix.shape[0])
    total = options.epochs * (len(order) // options.batch)
    began = time.time()
    for epoch in range(options.epochs):
        generator.shuffle(order)
        for start in range(0, len(order) - options.batch + 1, options.batch):
            chosen = order[start : start + options.batch]
            batch = matrix[chosen]
            used, place = numpy.unique(batch.indices, return_inverse=True)
            narrow = sparse.csr_matrix((batch.data, place.astype(numpy.int32), batch.indptr), (len(chosen), len(used)))
            total_vectors = narrow @ rows[used]
            norms = numpy.maximum(numpy.linalg.norm(total_vectors, axis=1, keepdims=True), 1e-6)
            unit_vectors, goals = total_vectors / norms, targets[chosen]
            by_total = -(goals - (unit_vectors * goals).sum(axis=1, keepdims=True) * unit_vectors) / norms
            gradient = narrow.T @ by_total / numpy.sqrt(len(chosen))
            steps += 1
            rate = options.rate * min(1, steps / 100) * (1 - steps / (total + 1))
            before = first[used] * 0.9 + 0.1 * gradient
            spread = second[used] * 0.99 + 0.01 * gradient * gradient
            first[used], second[used] = before, spread
            rows[used] -= rate * (before / (numpy.sqrt(spread) + 1e-5) + options.decay * rows[used])
        report(f"epoch {epoch + 1}/{options.epochs} {time.time() - began:.0f} s", rows)
    return rows


def main():
    parser = argparse.ArgumentParser()
    for name in ("texts", "model", "cache", "projection", "out"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=16000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--decay", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    projection = numpy.load(options.projection)
    lists, targets, held, kinds = load(options.texts, options.cache, projection)
    usable = numpy.array([len(row) > 0 for row in lists])
    training = numpy.flatnonzero(~held & usable)
    testing = numpy.flatnonzero(held & usable)
    features = Features.choose([lists[row] for row in training], options.pairs)
    start, present = starting_rows([lists[row] for row in training], targets[training], options.model, projection.shape[0])
    rows = numpy.concatenate([start, numpy.zeros((len(features.pairs), start.shape[1]), numpy.float32)])
    matrix, goals = features.matrix([lists[row] for row in training]), targets[training]
    unseen = features.matrix([lists[row] for row in testing])
    held_kinds = numpy.array([kinds[row] for row in testing])

    def report(label, table):
        cosine = (unit(unseen @ table) * targets[testing]).sum(axis=1)
        seen = (unit(matrix[:5000] @ table) * goals[:5000]).sum(axis=1).mean()
        print(f"{label}: cosine seen {seen:.4f}, held out {cosine.mean():.4f}, of them rephrased {cosine[numpy.char.startswith(held_kinds, 'reph')].mean():.4f}", flush=True)

    print(f"{len(training)} texts, {len(testing)} held out, {len(features.pairs)} pairs")
    report("start", rows)
    rows = train(features, rows, matrix, goals, options, report)
    numpy.savez(options.out, rows=rows, pairs=features.pairs, present=present, times=numpy.bincount(matrix.indices, minlength=len(features)))


if __name__ == "__main__":
    main()
