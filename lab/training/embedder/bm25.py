"""BM25 (k1 1.2, b 0.75) over Porter stems of split words without stop words, and nDCG, for measuring only."""
import collections
import json
import math
import pathlib

import numpy
import snowballstemmer
from scipy import sparse

from textwords import words

STOP = set("a about above after again all also am an and any are as at be because been before being between both but by can could did do does "
           "doing down during each few for from further had has have having he her here hers him his how i if in into is it its just me "
           "more most my no nor not of off on once only or other our out over own same she should so some such than that the their them "
           "then there these they this those through to too under until up very was we were what when where which while who whom why "
           "will with would you your yours s t don".split())
STEMMER = snowballstemmer.stemmer("porter")


class Collection:
    """A BEIR folder: documents, queries with judgements, judgements."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.name = folder.name
        documents = [json.loads(line) for line in (folder / "corpus.jsonl").open()]
        self.documents = [row.get("title", "") + " " + row["text"] for row in documents]
        position = {row["_id"]: at for at, row in enumerate(documents)}
        judged = collections.defaultdict(dict)
        for line in list((folder / "qrels/test.tsv").open())[1:]:
            query, document, grade = line.rstrip("\n").split("\t")
            if float(grade) > 0 and document in position:
                judged[query][position[document]] = float(grade)
        rows = [row for line in (folder / "queries.jsonl").open() if (row := json.loads(line))["_id"] in judged]
        self.queries = [row["text"] for row in rows]
        self.relevant = [judged[row["_id"]] for row in rows]


def stems(text):
    return STEMMER.stemWords([word for word in words(text) if word not in STOP])


def bm25_scores(collection, k1=1.2, b=0.75):
    """Scores, queries × documents."""
    index, indices, data, indptr, lengths = {}, [], [], [0], []
    for text in collection.documents:
        counts = collections.Counter(stems(text))
        lengths.append(sum(counts.values()))
        for stem, count in counts.items():
            indices.append(index.setdefault(stem, len(index)))
            data.append(count)
        indptr.append(len(indices))
    counts = sparse.csr_matrix((numpy.array(data, float), indices, indptr), (len(lengths), len(index)))
    present = numpy.bincount(counts.indices, minlength=len(index))
    idf = numpy.log(1 + (len(lengths) - present + 0.5) / (present + 0.5))
    rows = numpy.repeat(numpy.arange(len(lengths)), numpy.diff(counts.indptr))
    norm = k1 * (1 - b + b * numpy.array(lengths) / numpy.mean(lengths))
    counts.data = idf[counts.indices] * counts.data * (k1 + 1) / (counts.data + norm[rows])
    asked = sparse.lil_matrix((len(collection.queries), len(index)))
    for row, text in enumerate(collection.queries):
        for stem in set(stems(text)):
            if stem in index:
                asked[row, index[stem]] = 1
    return numpy.asarray((asked.tocsr() @ counts.T).todense(), dtype=numpy.float32)


def top(scores, depth):
    found = numpy.argpartition(-scores, depth, axis=1)[:, :depth]
    order = numpy.argsort(-numpy.take_along_axis(scores, found, 1), axis=1, kind="stable")
    return numpy.take_along_axis(found, order, 1)


def ndcg(scores, relevant, depth=10):
    """nDCG@depth of each query; a document without any score does not count as found."""
    answer = []
    ranked = top(scores, depth)
    for row, grades in enumerate(relevant):
        gain = sum(grades.get(document, 0) / math.log2(rank + 2) for rank, document in enumerate(ranked[row])
                   if scores[row, document] > 0)
        ideal = sum(grade / math.log2(rank + 2) for rank, grade in enumerate(sorted(grades.values(), reverse=True)[:depth]))
        answer.append(gain / ideal)
    return numpy.array(answer)


def recall(scores, relevant, depth=100):
    ranked = top(scores, depth)
    return numpy.array([len(set(ranked[row]) & set(grades)) / len(grades) for row, grades in enumerate(relevant)])


def paired_interval(difference, rounds=2000, seed=1):
    """95 % interval of the mean of paired differences, by bootstrap over queries."""
    generator = numpy.random.default_rng(seed)
    means = difference[generator.integers(0, len(difference), (rounds, len(difference)))].mean(axis=1)
    return numpy.percentile(means, [2.5, 97.5])
