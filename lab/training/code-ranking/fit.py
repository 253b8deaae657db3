"""Learns the weights of the ranking of code and of its probabilities from the output of collect.ts.

    python fit.py WORDS.json SENTENCES.json [--write LEARNT-WEIGHTS.ts]        (needs numpy and scipy)

Ranking: a softmax over the candidates of each question, -ln of the share that the relevant ones get (ListNet's top-one form, Cao et
al. 2007), with an L2 penalty on standardised features; either set has the same weight. Repositories are left out in FOLDS groups for
the figures that are printed.
Probabilities: logistic regression on measures of the search, by scores of models that have not seen the repository, half of the weight
on questions that nothing answers. That anything among the first ten is relevant is the product of two: that the repository answers the
question, and the share of such questions whose answer is among the first ten. One model of the product is worse, since it takes what is
hard to find for what is not there. They are learnt three times: by words and vectors, by words alone, by vectors alone. The constant is
then moved so that ALLOWED of the questions that nothing answers, each by models that have not seen the repository, reach the threshold.
"""
import json
import math
import sys
from collections import defaultdict

import numpy as np
from scipy.optimize import minimize

# The sets contain too few of these to learn from.
FIXED = {"generated": -2.0, "reexport": -1.5, "imports": -0.5}
PENALTY, FOLDS, FURTHER, FURTHER_IN_PROMPT = 12.0, 6, 3.0, 0.5
THRESHOLD, ALLOWED = 0.5, 0.02
# Weight of pasted issues of other repositories relative to the questions that were written to have no answer. With more weight, a
# repository's own issues get no context either.
FOREIGN_ISSUES = 0.05
# Weight of the questions in other words (other-words.jsonl) relative to a whole set: in the ranking, and in the probabilities by
# embedder. The word table can't answer half of them, and learns to speak without evidence if they weigh more.
OTHER_WORDS, OTHER_WORDS_ANSWERABLE = 0.2, {"words": 0.0, "sentences": 0.25}
ANY = ["best_keyword", "best_coverage", "coverage_3", "coverage_10", "file_coverage", "closest", "closest_10", "first_name", "best_name",
       "log_terms", "log_items", "long"]
FIRST = ["best_keyword", "best_coverage", "first_coverage", "coverage_3", "first_closeness", "closest", "closest_10",
         "first_name", "lead", "log_terms", "log_items", "long"]
MEASURES = list(dict.fromkeys(ANY + FIRST))
BY_WORDS = {"best_keyword", "best_coverage", "first_coverage", "coverage_3", "coverage_10", "file_coverage"}
BY_VECTORS = {"first_closeness", "closest", "closest_10"}
WORD_FEATURES = {"words", "words_attained", "coverage", "words_symbol", "words_long", "companion_words"}
VECTOR_FEATURES = {"meaning", "meaning_relative", "meaning_relative_long"}
LISTS = ("both", "words", "vectors")


def read(path):
    data = json.load(open(path))
    # It was not checked whether the repositories of the other set answer questions similar to those of code-questions.
    data["questions"] = [q for q in data["questions"] if (q["set"], q["kind"]) != ("code-search", "none:near")]
    for q in data["questions"]:
        q["X"] = np.array(q["values"], float).reshape(len(q["answers"]), len(data["features"]))
        q["relevant"] = np.array([len(a) > 0 for a in q["answers"]], bool)
        numbers = {}
        q["file"] = np.array([numbers.setdefault(p, len(numbers)) for p in q["paths"]], int)
        q["keyword"], q["coverage"] = np.array(q["keyword"], float), np.array(q["coverage"], float)
        q["near"] = np.array([math.nan if c is None else c / 10 for c in q["closeness"]], float)
        del q["values"]
    return data["embedder"], data["features"], data["questions"]


def support(q, s):
    """Evidence from the other pieces of a piece's file: ln sum exp over the file, minus its own score."""
    if len(s) == 0:
        return s
    total = np.zeros(q["file"].max() + 1)
    np.add.at(total, q["file"], np.exp(s - s.max()))
    return np.log(total[q["file"]]) + s.max() - s


class Ranking:
    """A linear model over the features, then the evidence from the other pieces of the file."""

    def __init__(self, names, train):
        self.names = names
        self.columns = [i for i, name in enumerate(names) if name not in FIXED]
        self.offset = np.array([FIXED.get(name, 0.0) for name in names])
        train = [q for q in train if q["targets"]]
        self.sizes = defaultdict(int)
        for q in train:
            self.sizes[q["set"]] += 1
        deviation = np.concatenate([q["X"] for q in train]).std(0)[self.columns]
        self.deviation = np.where(deviation < 1e-6, 1, deviation)
        self.own = self._fit(train, None)
        second = self._fit(train, self.base)
        self.own, self.file, self.first = second[:-1], second[-1], self.own

    def base(self, q, weights=None):
        return q["X"][:, self.columns] / self.deviation @ (self.own if weights is None else weights) + q["X"] @ self.offset

    def score(self, q):
        return self.base(q) + self.file * support(q, self.base(q, self.first)) if len(q["X"]) else np.zeros(0)

    def weights(self):
        values = dict(zip([self.names[c] for c in self.columns], self.own / self.deviation))
        return {name: FIXED.get(name, values.get(name, 0.0)) for name in self.names}

    def _fit(self, train, extra):
        rows = []
        for q in train:
            judged = np.array(q["code"], bool) if q["set"] == "code-search" else np.ones(len(q["X"]), bool)
            if not len(q["X"]) or not q["relevant"][judged].any():
                continue
            X = q["X"][:, self.columns] / self.deviation
            X = np.concatenate([X, support(q, extra(q))[:, None]], 1) if extra else X
            weight = 200 / self.sizes[q["set"]] * (OTHER_WORDS if q["set"] == "other-words" else 1)
            rows.append((X[judged], q["relevant"][judged], (q["X"] @ self.offset)[judged], weight))

        def loss(w):
            value, gradient = 0.0, np.zeros_like(w)
            for X, relevant, o, weight in rows:
                s = X @ w + o
                e = np.exp(s - s.max())
                value -= weight * (math.log(e[relevant].sum()) - math.log(e.sum()))
                gradient -= weight * ((e[relevant] / e[relevant].sum()) @ X[relevant] - (e / e.sum()) @ X)
            return value + PENALTY / 2 * w @ w, gradient + PENALTY * w

        return minimize(loss, np.zeros(rows[0][0].shape[1]), jac=True, method="L-BFGS-B").x


def file_ranks(q, s):
    rank, seen = np.zeros(len(s)), defaultdict(int)
    for i in np.argsort(-s, kind="stable"):
        rank[i] = seen[q["file"][i]]
        seen[q["file"][i]] += 1
    return rank


def ndcg(q, s):
    """By pieces of code in code-search, otherwise by files; each further piece of a file loses FURTHER."""
    places, place, files = {}, 0, set()
    for i in np.argsort(-(s - FURTHER * file_ranks(q, s)), kind="stable"):
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


def measures(names, q, s):
    """Like codeEvidence in src/ranking/code/code-calibration.ts."""
    if len(s) == 0:
        return np.zeros(len(MEASURES))
    by = np.argsort(-s, kind="stable")
    coverage, closeness = q["coverage"][by], np.nan_to_num(q["near"])[by]
    near = np.sort(closeness)[::-1]
    fit = np.maximum(q["X"][:, names.index("symbol_fit")], q["X"][:, names.index("file_fit")])[by]
    files = defaultdict(float)
    for file, share in zip(q["file"], q["coverage"]):
        files[file] = max(files[file], share)
    other = [i for i in by if q["file"][i] != q["file"][by[0]]]
    values = {
        "best_keyword": min(1, q["keyword"].max() / q["attainable"]) if q["attainable"] > 0 else 0,
        "best_coverage": coverage.max(), "first_coverage": coverage[0],
        "coverage_3": coverage[:3].mean(), "coverage_10": coverage[:10].mean(),
        "file_coverage": np.mean(sorted(files.values())[-3:]),
        "first_closeness": closeness[0], "closest": near[0], "closest_10": near[:10].mean(),
        "first_name": fit[0], "best_name": fit[:5].max(),
        "lead": min(2, s[by[0]] - s[other[0] if other else by[-1]]) / 2,
        "log_terms": math.log(max(1, q["terms"])), "log_items": math.log10(max(30, q["items"])),
        "long": float(q["shape"] == "long"),
    }
    return np.array([values[name] for name in MEASURES])


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


def seen_by(names, q, lists):
    """The question as it is if only one list is used."""
    if lists == "both":
        return q
    keep = q["keyword"] > 0 if lists == "words" else ~np.isnan(q["near"])
    X = q["X"][keep].copy()
    for name in VECTOR_FEATURES if lists == "words" else WORD_FEATURES:
        X[:, names.index(name)] = 0
    own = {**q, "X": X, "file": q["file"][keep], "relevant": q["relevant"][keep], "keyword": q["keyword"][keep],
           "coverage": q["coverage"][keep], "near": q["near"][keep]}
    if lists == "words":
        own["near"] = np.zeros(len(X))
    else:
        own.update(keyword=np.zeros(len(X)), coverage=np.zeros(len(X)), attainable=0)
    return own


def balanced(none):
    return np.where(none, 1 / none.sum(), 1 / (~none).sum()) * len(none) / 2


def left_out(folds, X, y, weight):
    """Log-odds by models trained without the repository."""
    odds = np.zeros(len(y))
    for fold in range(FOLDS):
        b, intercept = logistic_fit(X[folds != fold], y[folds != fold], weight[folds != fold])
        odds[folds == fold] = X[folds == fold] @ b + intercept
    return odds


def calibration_error(p, y, weight):
    bins = np.minimum(9, (p * 10).astype(int))
    return sum(weight[bins == b].sum() * abs(np.average(p[bins == b], weights=weight[bins == b]) - np.average(y[bins == b], weights=weight[bins == b]))
               for b in set(bins)) / weight.sum()


def calibrate(names, questions, scores, folds, lists, embedder, report):
    asked = [seen_by(names, q, lists) for q in questions]
    own = [scores[i](q) for i, q in enumerate(asked)]
    none = np.array([q["targets"] == 0 for q in questions])
    issues = np.array([q["kind"] == "none:issue" for q in questions])
    others = np.array([q["set"] == "other-words" for q in questions])
    weight = balanced(none) * np.where(issues, FOREIGN_ISSUES, 1) * np.where(others, OTHER_WORDS_ANSWERABLE[embedder], 1)
    measured = np.array([measures(names, q, s) for q, s in zip(asked, own)])
    ranked = [np.argsort(-s, kind="stable") for s in own]
    found = np.array([bool(q["relevant"][by[:10]].any()) for q, by in zip(asked, ranked)], float)
    first = np.array([bool(q["relevant"][by[:1]].any()) for q, by in zip(asked, ranked)], float)
    absent = BY_VECTORS if lists == "words" else BY_WORDS if lists == "vectors" else set()
    models, odds = {}, {}
    for name, wanted, truth in (("any", ANY, (~none).astype(float)), ("first", FIRST, first)):
        chosen = [i for i, measure in enumerate(MEASURES) if measure in wanted and measure not in absent]
        odds[name] = left_out(folds, measured[:, chosen], truth, weight)
        b, intercept = logistic_fit(measured[:, chosen], truth, weight)
        models[name] = {**dict(zip([MEASURES[i] for i in chosen], b)), "intercept": intercept}
    # Long unanswerable questions are used only in training, so they don't influence the level.
    judged = none & ~issues
    sets = np.array([q["set"] for q in questions])
    share = float(np.mean([found[~none & (sets == part)].mean() for part in set(sets) - {"other-words"}]))
    highest = np.sort(odds["any"][judged])[::-1][int(ALLOWED * judged.sum())]
    wanted = THRESHOLD / share
    level = highest + 1e-3 - math.log(wanted / (1 - wanted))
    models["any"]["intercept"] -= level
    rows, truth, row_weight = [], [], []
    for i, (q, s, by) in enumerate(zip(asked, own, ranked)):
        if len(s) == 0:
            continue
        spread = s - FURTHER_IN_PROMPT * file_ranks(q, s)
        for j in np.argsort(-spread, kind="stable")[1:10]:
            rows.append((odds["first"][i], s.max() - spread[j]))
            truth.append(q["relevant"][j])
            row_weight.append(weight[i] / 9)
    b, intercept = logistic_fit(np.array(rows), np.array(truth, float), np.array(row_weight) * 9)
    models["found"] = share
    models["later"] = {"first": b[0], "deficit": b[1], "intercept": intercept}
    if report:
        for part in sorted({q["set"] for q in questions}):
            of = sets == part
            p = share / (1 + np.exp(level - odds["any"]))
            silent = p < THRESHOLD
            if part == "other-words":
                print(f"  {part}: silent {100 * silent[of].mean():.1f} %")
                continue
            print(f"  {part}: silent {100 * silent[of & ~none].mean():.1f} %, false injection {100 * (1 - silent[of & judged].mean()):.1f} % "
                  f"of {(of & judged).sum()}, calibration error {calibration_error(p[of & (judged | ~none)], found[of & (judged | ~none)], balanced(none[of & (judged | ~none)])):.3f}, "
                  f"foreign issues {100 * (1 - silent[of & none & ~judged]).sum() / max(1, (of & none & ~judged).sum()):.1f} %")
        print(f"  level lowered by {level:.2f}, {share:.2f} of what is answered is found")
    return models


def learn(path):
    embedder, names, questions = read(path)
    repositories = sorted({q["repository"] for q in questions})
    np.random.RandomState(0).shuffle(repositories)
    fold_of = {repository: i % FOLDS for i, repository in enumerate(repositories)}
    folds = np.array([fold_of[q["repository"]] for q in questions])
    models = [Ranking(names, [q for q, f in zip(questions, folds) if f != fold]) for fold in range(FOLDS)]
    scores = [models[fold].score for fold in folds]
    whole = Ranking(names, questions)
    print(f"{path}: {len(repositories)} repositories, each figure by models that have not seen the repository (in brackets: that have)")
    kinds, by_repository = defaultdict(list), defaultdict(list)
    for q, score in zip(questions, scores):
        if q["targets"]:
            pair = (ndcg(q, score(q)), ndcg(q, whole.score(q)))
            kinds[q["set"], q["kind"]].append(pair)
            by_repository[q["set"], q["repository"]].append(pair)
    for part in sorted({q["set"] for q in questions}):
        mean = np.mean([np.mean(values, 0) for (own, _), values in by_repository.items() if own == part], 0)
        print(f"  {part}: nDCG@10 {mean[0]:.3f} ({mean[1]:.3f}), mean over repositories")
    for (part, kind), values in sorted(kinds.items()):
        print(f"  {part} {kind}: nDCG@10 {np.mean(values, 0)[0]:.3f} ({np.mean(values, 0)[1]:.3f}), {len(values)} questions")
    return {
        "ranking": {"file": whole.file, "features": whole.weights()},
        "calibration": {lists: calibrate(names, questions, scores, folds, lists, embedder, lists == "both") for lists in LISTS},
    }


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(own) for name, own in value.items()}
    return round(float(value), 2) + 0.0


def literal(value, indent):
    if not isinstance(value, dict):
        return f"{value:g}"
    pad = "  " * (indent + 1)
    return "{\n" + "".join(f"{pad}{name}: {literal(own, indent + 1)},\n" for name, own in value.items()) + "  " * indent + "}"


def main():
    paths = sys.argv[1:3]
    learnt = {kind: rounded(learn(path)) for kind, path in zip(("table", "sentence"), paths)}
    if "--write" not in sys.argv:
        return
    header = "/**\n * Weights of the ranking of code and of its probabilities, in log-odds per unit. Written by `npm run --prefix lab\n * train:code-ranking`: don't edit.\n * @module\n */\nimport type { CodeCalibration, CodeWeights } from './weights.ts'\n\n"
    types = {"ranking": "CodeWeights", "calibration": "CodeCalibration"}
    parts = [f"export const LEARNT_{name.upper()}: Readonly<Record<'table' | 'sentence', {types[name]}>> = "
             + literal({kind: learnt[kind][name] for kind in learnt}, 0) + "\n" for name in types]
    open(sys.argv[sys.argv.index("--write") + 1], "w").write(header + "\n".join(parts))


main()
