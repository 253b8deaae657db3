"""Learns the weights of the ranking of code from what collect.ts wrote, and prints them with what cross-validation says.

    python fit.py COLLECTED.json        (needs numpy and scipy)

Ranking: a softmax over the candidates of each question, -ln of the share that the relevant ones get, with an L2 penalty of 12 on
standardised features; either set has the same weight. Repositories are left out in six groups for the figures that are printed.
Probabilities: logistic regression on measures of the search, by scores of models that have not seen the repository.
"""
import json
import math
import sys
from collections import defaultdict

import numpy as np
from scipy.optimize import minimize

FIXED = {"generated": -2.0, "reexport": -1.5, "imports": -0.5}
PENALTY, FOLDS, FURTHER = 12.0, 6, 2.0
MEASURES = ["best_keyword", "best_coverage", "coverage_3", "coverage_10", "closest", "closest_10", "first_name", "best_name",
            "log_terms", "log_items", "long"]

data = json.load(open(sys.argv[1]))
names, questions = data["features"], data["questions"]
columns = [i for i, name in enumerate(names) if name not in FIXED]
offset = np.array([FIXED.get(name, 0.0) for name in names])
for q in questions:
    q["X"] = np.array(q["values"], float).reshape(len(q["answers"]), len(names))
    q["relevant"] = np.array([len(a) > 0 for a in q["answers"]], bool)
    numbers = {}
    q["file"] = np.array([numbers.setdefault(p, len(numbers)) for p in q["paths"]], int)
real = [q for q in questions if q["targets"]]
sizes = defaultdict(int)
for q in real:
    sizes[q["set"]] += 1


def support(q, s):
    """What the other pieces of its file add to a piece: ln sum exp over the file, less its own score."""
    if len(s) == 0:
        return s
    total = np.zeros(q["file"].max() + 1)
    np.add.at(total, q["file"], np.exp(s - s.max()))
    return np.log(total[q["file"]]) + s.max() - s


def softmax_fit(train, deviation, extra):
    rows = []
    for q in train:
        judged = np.array(q["code"], bool) if q["set"] == "code-search" else np.ones(len(q["X"]), bool)
        if not len(q["X"]) or not q["relevant"][judged].any():
            continue
        X = q["X"][:, columns] / deviation
        X = np.concatenate([X, support(q, extra(q))[:, None]], 1) if extra else X
        rows.append((X[judged], q["relevant"][judged], (q["X"] @ offset)[judged], 200 / sizes[q["set"]]))

    def loss(w):
        value, gradient = 0.0, np.zeros_like(w)
        for X, relevant, o, weight in rows:
            s = X @ w + o
            e = np.exp(s - s.max())
            value -= weight * (math.log(e[relevant].sum()) - math.log(e.sum()))
            gradient -= weight * ((e[relevant] / e[relevant].sum()) @ X[relevant] - (e / e.sum()) @ X)
        return value + PENALTY / 2 * w @ w, gradient + PENALTY * w

    return minimize(loss, np.zeros(rows[0][0].shape[1]), jac=True, method="L-BFGS-B").x


def learn(train):
    train = [q for q in train if q["targets"]]
    deviation = np.concatenate([q["X"] for q in train]).std(0)[columns]
    deviation[deviation < 1e-6] = 1
    first = softmax_fit(train, deviation, None)
    base = lambda q: q["X"][:, columns] / deviation @ first + q["X"] @ offset
    second = softmax_fit(train, deviation, base)
    score = lambda q: q["X"][:, columns] / deviation @ second[:-1] + second[-1] * support(q, base(q)) + q["X"] @ offset
    weights = {name: FIXED.get(name, 0.0) for name in names}
    weights.update({names[c]: second[i] / deviation[i] for i, c in enumerate(columns)})
    return score, weights, second[-1]


def order(q, s):
    """Each further piece of a file loses FURTHER."""
    rank = np.zeros(len(s))
    seen = defaultdict(int)
    for i in np.argsort(-s, kind="stable"):
        rank[i] = seen[q["file"][i]]
        seen[q["file"][i]] += 1
    return np.argsort(-(s - FURTHER * rank), kind="stable")


def ndcg(q, s):
    places, place, files = {}, 0, set()
    for i in order(q, s):
        if (q["set"] == "code-search" and not q["code"][i]) or (q["set"] != "code-search" and q["paths"][i] in files):
            continue
        files.add(q["paths"][i])
        if place == 10:
            break
        for target in q["answers"][i]:
            places.setdefault(target, place)
        place += 1
    gain = lambda ranks: sum(1 / math.log2(r + 2) for r in ranks)
    return gain(set(places.values())) / gain(range(min(10, q["targets"])))


def measures(q, s):
    if len(s) == 0:
        return np.zeros(len(MEASURES))
    by = np.argsort(-s, kind="stable")
    coverage = np.array(q["coverage"])[by]
    near = np.sort([0 if c is None else c / 10 for c in q["closeness"]])[::-1]
    fit = np.maximum(q["X"][:, names.index("symbol_fit")], q["X"][:, names.index("file_fit")])[by]
    best = min(1, max(q["keyword"]) / q["attainable"]) if q["attainable"] > 0 else 0
    return np.array([best, coverage.max(), coverage[:3].mean(), coverage[:10].mean(), near[0], near[:10].mean(), fit[0],
                     fit[:5].max(), math.log(max(1, q["terms"])), math.log10(max(30, q["items"])), float(q["shape"] == "long")])


def logistic_fit(X, y, weight, penalty=2.0):
    deviation = X.std(0)
    deviation[deviation < 1e-6] = 1
    Z = np.concatenate([X / deviation, np.ones((len(X), 1))], 1)

    def loss(b):
        s = Z @ b
        gradient = Z.T @ (weight * (1 / (1 + np.exp(-np.clip(s, -50, 50))) - y))
        gradient[:-1] += penalty * b[:-1]
        return (weight * (np.logaddexp(0, s) - y * s)).sum() + penalty / 2 * b[:-1] @ b[:-1], gradient

    b = minimize(loss, np.zeros(Z.shape[1]), jac=True, method="L-BFGS-B").x
    return b[:-1] / deviation, b[-1]


repositories = sorted({q["repository"] for q in questions})
np.random.RandomState(0).shuffle(repositories)
scores = {}
for fold in range(FOLDS):
    out = set(repositories[fold::FOLDS])
    score, _, _ = learn([q for q in questions if q["repository"] not in out])
    for q in questions:
        if q["repository"] in out:
            scores[id(q)] = score(q) if len(q["X"]) else np.zeros(0)
kinds = defaultdict(list)
for q in real:
    kinds[f'{q["set"]} {q["kind"]}'].append(ndcg(q, scores[id(q)]))
for kind, values in sorted(kinds.items()):
    print(f"{kind}: nDCG@10 {np.mean(values):.3f} ({len(values)} questions, repository not seen)", file=sys.stderr)
X = np.array([measures(q, scores[id(q)]) for q in questions])
found = np.array([bool(len(q["X"])) and bool(q["relevant"][np.argsort(-scores[id(q)])[:10]].any()) for q in questions], float)
none = np.array([q["targets"] == 0 for q in questions])
weight = np.where(none, 1 / none.sum(), 1 / (~none).sum()) * len(questions) / 2
coefficients, intercept = logistic_fit(X, found, weight)
_, weights, file = learn(questions)
rounded = lambda values: {name: round(float(value), 2) for name, value in values.items()}
print(json.dumps({"file": round(float(file), 2), "features": rounded(weights),
                  "any": rounded({**dict(zip(MEASURES, coefficients)), "intercept": intercept})}, indent=2))
