"""Records vectors of a few questions for the test of query-table.ts: by the packed table, and by the full model in its space.

Usage: record.py MODEL_FOLDER CACHE PROJECTION.npy RESTORED.npz OUT.json   (RESTORED.npz is written by pack_table.py --restored)
"""
import json
import pathlib
import sys

import numpy

from evaluate_table import Table
from teach import Teacher
from train_table import unit

QUESTIONS = [
    "How do I read a file line by line?", "how to convert a list of strings to integers in python", "Which function parses the command line arguments?",
    "fix crash when the response body is empty", "Why does the connection time out after thirty seconds?", "sort a map by its values",
    "where are database migrations applied", "server-sent events", "what is the fastest router", "TypeError: cannot read properties of undefined",
    "getUserById(userId)", "the enzyme lowers blood pressure in mice", "Crème brûlée für 東京",
]


def main():
    model, cache, projection, restored, out = map(pathlib.Path, sys.argv[1:])
    teacher, table = Teacher(model, cache, precision="fp32"), Table(restored)
    pieces = teacher.pieces(QUESTIONS)
    ours = table.embed(QUESTIONS)
    full = unit(teacher.embed(pieces) @ numpy.load(projection).T)
    lines = [json.dumps({"text": text, "table": [round(float(value), 4) for value in left], "model": [round(float(value), 4) for value in right]}, ensure_ascii=False)
             for text, left, right in zip(QUESTIONS, ours, full)]
    out.write_text("[\n  " + ",\n  ".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
