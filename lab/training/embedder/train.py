"""Trains the word table: starts from the teacher's word vectors, then learns from pairs and from the teacher's sentences.

Usage: train.py PREPARED WORKDIR OUT.npy [--steps 1500] [--temperature 0.07] ...

Loss of a batch: symmetric InfoNCE over in-batch negatives (van den Oord et al. 2018, section 2.3) between the two sides of
pairs, plus, on another batch of single texts, the cross entropy between the teacher's and the table's softmax over
similarities to the other texts (relational distillation). Optimiser: Adam on the rows that a batch touches.
"""
import argparse
import json
import pathlib
import time

import numpy
from scipy import sparse

from teacher import Teacher

DIMENSIONS = 256


def cached(path, make):
    if not path.exists():
        numpy.save(path, make())
    return numpy.load(path)


def word_vectors(work, vocabulary, tell):
    """The teacher's vector of every single word; stored in WORK/words.json and words.npy for the next run."""
    names, numbers = work / "words.json", work / "words.npy"
    known = dict(zip(json.loads(names.read_text()), numpy.load(numbers))) if names.exists() else {}
    missing = [word for word in vocabulary if word not in known]
    if missing:
        known.update(zip(missing, Teacher(work).embed(missing, progress=tell)))
        names.write_text(json.dumps(list(known), ensure_ascii=False))
        numpy.save(numbers, numpy.array(list(known.values())))
    return numpy.array([known[word] for word in vocabulary])


def project(vectors, mean, axes):
    projected = (vectors - mean) @ axes
    return projected / numpy.maximum(numpy.linalg.norm(projected, axis=1, keepdims=True), 1e-9)


def principal_axes(vectors):
    mean = vectors.mean(axis=0)
    _, directions = numpy.linalg.eigh(numpy.cov((vectors - mean).T))
    return mean, directions[:, ::-1][:, :DIMENSIONS].astype(numpy.float32)


class Table:
    """Rows of word vectors with lazy Adam."""

    def __init__(self, rows, rate):
        self.rows = rows
        self.first = numpy.zeros_like(rows)
        self.second = numpy.zeros_like(rows)
        self.steps = numpy.zeros(len(rows), dtype=numpy.float32)
        self.rate = rate

    def forward(self, bags):
        """Unit vectors of bags, with what the backward pass needs."""
        total = bags @ self.rows
        norm = numpy.maximum(numpy.linalg.norm(total, axis=1, keepdims=True), 1e-6)
        return total / norm, norm

    def update(self, parts, rate):
        """parts: (bags, unit vectors, norms, gradient of the loss by the unit vectors)."""
        used = numpy.unique(numpy.concatenate([bags.indices for bags, *_ in parts]))
        place = numpy.full(len(self.rows), -1, dtype=numpy.int32)
        place[used] = numpy.arange(len(used))
        gradient = numpy.zeros((len(used), self.rows.shape[1]), dtype=numpy.float32)
        for bags, unit, norm, by_unit in parts:
            by_total = (by_unit - unit * (unit * by_unit).sum(axis=1, keepdims=True)) / norm
            narrow = sparse.csr_matrix((bags.data, place[bags.indices], bags.indptr), (bags.shape[0], len(used)))
            gradient += narrow.T @ by_total.astype(numpy.float32)
        self.steps[used] += 1
        steps = self.steps[used][:, None]
        first = self.first[used] * 0.9 + 0.1 * gradient
        second = self.second[used] * 0.999 + 0.001 * gradient * gradient
        self.first[used], self.second[used] = first, second
        change = (first / (1 - 0.9**steps)) / (numpy.sqrt(second / (1 - 0.999**steps)) + 1e-8)
        self.rows[used] -= rate * change


def softmax(scores):
    scores = numpy.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def contrastive(table, left, right, temperature):
    """InfoNCE in both directions; returns the loss and the parts of the update."""
    a, a_norm = table.forward(left)
    b, b_norm = table.forward(right)
    scores = a @ b.T / temperature
    forward, backward = softmax(scores), softmax(scores.T)
    size = len(a)
    diagonal = numpy.arange(size)
    loss = -(numpy.log(forward[diagonal, diagonal] + 1e-12).mean() + numpy.log(backward[diagonal, diagonal] + 1e-12).mean()) / 2
    by_scores = (forward + backward.T) / 2
    by_scores[diagonal, diagonal] -= 1
    by_scores /= size * temperature
    return loss, [(left, a, a_norm, by_scores @ b), (right, b, b_norm, by_scores.T @ a)]


def distillation(table, bags, teacher, temperature, teacher_temperature, weight):
    """Cross entropy between the teacher's and the table's distributions over the other texts of the batch."""
    unit, norm = table.forward(bags)
    diagonal = numpy.arange(len(unit))
    goal = teacher @ teacher.T / teacher_temperature
    goal[diagonal, diagonal] = -1e9
    goal = softmax(goal)
    scores = unit @ unit.T / temperature
    scores[diagonal, diagonal] = -1e9
    found = softmax(scores)
    loss = -(goal * numpy.log(found + 1e-12)).sum(axis=1).mean()
    by_scores = (found - goal) * (weight / (len(unit) * temperature))
    by_scores = by_scores + by_scores.T
    return loss, [(bags, unit, norm, by_scores @ unit)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("prepared", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--temperature", type=float, default=0.05)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--sentences", type=int, default=0, help="texts that the teacher embeds; 0 takes single words")
    parser.add_argument("--distil", type=float, default=0.3, help="weight of the distillation loss")
    parser.add_argument("--teacher-temperature", type=float, default=0.05)
    parser.add_argument("--blend", type=float, default=0.5, help="share of the starting point in the result")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    generator = numpy.random.default_rng(options.seed)
    left, right = sparse.load_npz(options.prepared / "left.npz"), sparse.load_npz(options.prepared / "right.npz")
    vocabulary = json.loads((options.prepared / "vocabulary.json").read_text())
    idf = numpy.load(options.prepared / "idf.npy")
    tell = lambda done, all_: print(f"teacher {done}/{all_}", flush=True)
    known = word_vectors(options.work, vocabulary, tell)
    mean, axes = principal_axes(known)
    rows = project(known, mean, axes) * (idf / idf.mean())[:, None]
    table = Table(rows.astype(numpy.float32).copy(), options.rate)
    distilled = None
    if options.sentences:
        texts, bags = pick_sentences(options)
        goals = cached(options.prepared / f"teacher_sentences_{options.sentences}.npy", lambda: Teacher(options.work).embed(texts, progress=tell))
        distilled = (bags, goals)
    elif options.distil > 0:
        # Single words: keeps words that are rare in the pairs consistent with their neighbours that the pairs move.
        distilled = (sparse.identity(len(vocabulary), dtype=numpy.float32, format="csr"), known)
    usable = numpy.flatnonzero((numpy.diff(left.indptr) >= 1) & (numpy.diff(right.indptr) >= 2))
    share = numpy.cumsum(source_weights(options.prepared)[usable].astype(numpy.float64))
    steps = options.steps
    began = time.time()
    losses = []
    for step in range(steps):
        drawn = numpy.searchsorted(share, generator.random(options.batch) * share[-1])
        chosen = usable[numpy.unique(numpy.minimum(drawn, len(usable) - 1))]
        loss, parts = contrastive(table, left[chosen], right[chosen], options.temperature)
        other = 0.0
        if distilled:
            chosen = numpy.sort(generator.choice(len(distilled[1]), options.batch, replace=False))
            other, more = distillation(table, distilled[0][chosen], distilled[1][chosen], options.temperature,
                                       options.teacher_temperature, options.distil)
            parts += more
        rate = options.rate * min(1.0, (step + 1) / 50) * (1 - step / steps)
        table.update(parts, rate)
        losses.append((loss, other))
        if step % 100 == 99:
            mean_loss = numpy.mean(losses[-100:], axis=0)
            print(f"step {step + 1}/{steps} contrastive {mean_loss[0]:.3f} distillation {mean_loss[1]:.3f} "
                  f"{time.time() - began:.0f} s", flush=True)
    # Half way between the start and the end of training: equally good on the trained tasks, better on others
    # (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", section 3).
    numpy.save(options.out, options.blend * rows + (1 - options.blend) * table.rows)


def source_weights(prepared):
    """One weight per pair: a source of n pairs is drawn in proportion to the square root of n."""
    sources = numpy.array(json.loads((prepared / "meta.json").read_text())["sources"])
    _, number, count = numpy.unique(sources, return_inverse=True, return_counts=True)
    return 1 / numpy.sqrt(count[number])


def pick_sentences(options):
    """Texts for the teacher, drawn over sources like the pairs, from either side of a pair, with their bags."""
    weight = source_weights(options.prepared)
    draw = numpy.random.default_rng(11)
    chosen = numpy.sort(draw.choice(len(weight), min(options.sentences, len(weight)), replace=False, p=weight / weight.sum()))
    side = draw.random(len(chosen)) < 0.5
    texts = []
    with (options.prepared / "texts.jsonl").open() as file:
        wanted = dict(zip(chosen.tolist(), side.tolist()))
        for row, line in enumerate(file):
            if row in wanted:
                texts.append(json.loads(line)[0 if wanted[row] else 1][:200])
    from textwords import words
    from prepare import matrix
    vocabulary = json.loads((options.prepared / "vocabulary.json").read_text())
    index = {word: row for row, word in enumerate(vocabulary)}
    return texts, matrix([words(text) for text in texts], index)


if __name__ == "__main__":
    main()
