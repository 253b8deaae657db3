"""Trains the query table: vectors of word pieces, and of frequent pairs of neighbouring pieces, whose sum has the direction of the teacher's vector.

Usage: train_table.py TEXTS.jsonl MODEL_FOLDER CACHE PROJECTION.npy OUT.npz [--pieces 16500] [--pairs 8500] [--epochs 6] ...

CACHE is what teach.py made; PROJECTION.npy (256 × 384) maps the teacher's vectors into the space of the document vectors. The pieces
are those of the model's vocabulary that most training texts hold, so a rare word falls to shorter pieces. The loss of a text is one
minus the cosine between the sum of its rows and the teacher's projected vector; Adam on the rows that a batch touches, its rate
falling linearly to zero. A piece starts at the ridge regression of the teacher's vectors on the model's own mean piece embeddings, times
its inverse document frequency; a pair starts at zero.
"""
import argparse
import json
import pathlib
import time

import numpy
from safetensors.numpy import load_file
from scipy import sparse
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from teach import shards

LONGEST = 126
UNKNOWN, SPECIAL = "[UNK]", ["[UNK]", "[CLS]", "[SEP]"]


def unit(rows):
    return rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def load(texts, cache, projection):
    """(texts, targets, held-out mask, kinds) of all texts that the teacher has embedded."""
    rows = [json.loads(line) for line in texts.open()]
    with numpy.load(cache / "ids.npz") as kept:
        lengths = kept["lengths"]
    divided = shards(lengths, [row["held"] for row in rows])
    found = [(members, path) for number, members in enumerate(divided) if (path := cache / f"part-{number:03d}.npy").exists()]
    chosen = [rows[row] for members, _ in found for row in members]
    targets = numpy.concatenate([unit(numpy.load(path).astype(numpy.float32) @ projection.T) for _, path in found])
    return [row["text"] for row in chosen], targets, numpy.array([row["held"] for row in chosen]), numpy.array([row["kind"] for row in chosen])


def choose_pieces(texts, model, count):
    """The special pieces, those of one ASCII character, and those in most texts, with their ids in the model."""
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST + 2)
    vocabulary = tokenizer.get_vocab()
    present = numpy.bincount(numpy.concatenate([numpy.unique(entry.ids[1:-1]) for entry in tokenizer.encode_batch(texts)]).astype(numpy.int64), minlength=len(vocabulary))
    wanted = {piece for piece in vocabulary if piece.isascii() and len(piece.removeprefix("##")) == 1} | set(SPECIAL)
    others = sorted((piece for piece, row in vocabulary.items() if piece not in wanted and not piece.startswith("[") and present[row] > 0), key=lambda piece: (-present[vocabulary[piece]], piece))
    pieces = SPECIAL + sorted(wanted - set(SPECIAL)) + others[: max(0, count - len(wanted))]
    return pieces, numpy.array([vocabulary[piece] for piece in pieces])


class Features:
    """Rows of a text: every known piece, and every chosen pair of neighbours (left × 65,536 + right)."""

    def __init__(self, pieces, pairs):
        self.pieces, self.pairs = list(pieces), numpy.sort(numpy.asarray(pairs, dtype=numpy.int64))
        self.tokenizer = Tokenizer(models.WordPiece({piece: row for row, piece in enumerate(self.pieces)}, unk_token=UNKNOWN, max_input_chars_per_word=100))
        self.tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        self.tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def lists(self, texts):
        return [numpy.array(entry.ids[:LONGEST], numpy.int64) for entry in self.tokenizer.encode_batch(list(texts))]

    def choose_pairs(self, lists, count, lowest=6):
        """Takes the `count` pairs that occur in the most texts."""
        keys = numpy.concatenate([numpy.unique(row[:-1] * 65536 + row[1:]) for row in lists])
        keys = keys[(keys >> 16 != 0) & (keys & 65535 != 0)]
        found, times = numpy.unique(keys, return_counts=True)
        found, times = found[times >= lowest], times[times >= lowest]
        self.pairs = numpy.sort(found[numpy.argsort(-times, kind="stable")[:count]])

    def __len__(self):
        return len(self.pieces) + len(self.pairs)

    def matrix(self, lists):
        lengths = numpy.array([len(row) for row in lists])
        flat, owner = numpy.concatenate(lists), numpy.repeat(numpy.arange(len(lists)), lengths)
        known = flat != 0
        columns, owners = [flat[known]], [owner[known]]
        if len(self.pairs):
            keys = flat[:-1] * 65536 + flat[1:]
            place = numpy.minimum(numpy.searchsorted(self.pairs, keys), len(self.pairs) - 1)
            hit = (self.pairs[place] == keys) & (owner[:-1] == owner[1:])
            columns.append(len(self.pieces) + place[hit])
            owners.append(owner[:-1][hit])
        columns, owners = numpy.concatenate(columns), numpy.concatenate(owners)
        return sparse.csr_matrix((numpy.ones(len(columns), numpy.float32), (owners, columns)), (len(lists), len(self)))


def starting_rows(features, lists, targets, embeddings):
    """Rows of all pieces by ridge regression from the model's piece embeddings, weighted by inverse document frequency."""
    count = len(features.pieces)
    present = numpy.bincount(numpy.concatenate([numpy.unique(row) for row in lists]), minlength=count)
    weight = numpy.minimum(numpy.log((len(lists) + 1) / (present + 0.5)), 9).astype(numpy.float32)
    sample = numpy.random.default_rng(0).choice(len(lists), min(40000, len(lists)), replace=False)
    counts = features.matrix([lists[row] for row in sample])[:, :count].multiply(weight).tocsr()
    counts = counts.multiply(1 / numpy.maximum(counts.sum(axis=1), 1e-6)).tocsr()
    inputs, goals = counts @ embeddings, targets[sample]
    centre, middle = inputs.mean(axis=0), goals.mean(axis=0)
    moved = inputs - centre
    ridge = 1e-2 * len(moved) * numpy.mean(moved**2) * numpy.eye(moved.shape[1], dtype=numpy.float32)
    solution = numpy.linalg.solve(moved.T @ moved + ridge, moved.T @ (goals - middle))
    return ((((embeddings - centre) @ solution) + middle) * weight[:, None] / 6).astype(numpy.float32)


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
    parser.add_argument("--pieces", type=int, default=16500)
    parser.add_argument("--pairs", type=int, default=8500)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--decay", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    texts, targets, held, kinds = load(options.texts, options.cache, numpy.load(options.projection))
    training, testing = numpy.flatnonzero(~held), numpy.flatnonzero(held)
    pieces, ids = choose_pieces([texts[row] for row in training], options.model, options.pieces)
    features = Features(pieces, [])
    lists = features.lists(texts[row] for row in training)
    features.choose_pairs(lists, options.pairs)
    goals, held_kinds = targets[training], kinds[testing]
    embeddings = load_file(str(options.model / "model.safetensors"))["embeddings.word_embeddings.weight"].astype(numpy.float32)[ids]
    start = starting_rows(features, lists, goals, embeddings)
    rows = numpy.concatenate([start, numpy.zeros((len(features.pairs), start.shape[1]), numpy.float32)])
    matrix, unseen = features.matrix(lists), features.matrix(features.lists(texts[row] for row in testing))

    def report(label, table):
        cosine = (unit(unseen @ table) * targets[testing]).sum(axis=1)
        seen = (unit(matrix[:5000] @ table) * goals[:5000]).sum(axis=1).mean()
        print(f"{label}: cosine seen {seen:.4f}, held out {cosine.mean():.4f}, of them rephrased {cosine[numpy.char.startswith(held_kinds, 'reph')].mean():.4f}", flush=True)

    print(f"{len(training)} texts, {len(testing)} held out, {len(pieces)} pieces, {len(features.pairs)} pairs", flush=True)
    report("start", rows)
    rows = train(features, rows, matrix, goals, options, report)
    numpy.savez(options.out, rows=rows, pieces=numpy.array(pieces), pairs=features.pairs, times=numpy.bincount(matrix.indices, minlength=len(features)))


if __name__ == "__main__":
    main()
