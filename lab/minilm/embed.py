"""Embeds texts in the space `minilm-l6-256-v1` with a cache on disk: for experiments; the product has its own encoder.

usage: embed.py --home FOLDER INPUT.jsonl OUTPUT.f32 [--tokens 128] [--threads 2]

FOLDER holds model.onnx, tokenizer.json, projection.npy and the cache. INPUT has {"id", "text"} a line; row i of OUTPUT (256 float32,
little-endian, unit length) is the vector of line i. A text of nothing gets zeros. Vectors are kept by the hash of text and token limit.
"""
import argparse, hashlib, json, pathlib, sqlite3, sys, time

import numpy as np

from encoder import Encoder

RANK = 256
GROUP = 2_000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=pathlib.Path, required=True)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("input")
    parser.add_argument("output")
    options = parser.parse_args()
    texts = [json.loads(line)["text"] for line in open(options.input) if line.strip()]
    keys = [hashlib.sha256(f"{options.tokens}\n{text}".encode("utf8", "replace")).digest() for text in texts]
    cache = sqlite3.connect(options.home / "vectors.sqlite", timeout=60)
    cache.execute("PRAGMA journal_mode=WAL")
    cache.execute("CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID")
    known = {}
    for key in set(keys):
        row = cache.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
        if row:
            known[key] = np.frombuffer(row[0], np.float32)
    missing = {key: text for key, text in zip(keys, texts) if key not in known and text.strip()}
    order = sorted(missing, key=lambda key: len(missing[key]))
    print(f"{len(texts)} texts, {len(missing)} to embed", file=sys.stderr)
    encoder = Encoder(options.home / "model.onnx", options.home / "tokenizer.json", options.tokens, options.threads)
    projection = np.load(options.home / "projection.npy")
    started = time.time()
    for start in range(0, len(order), GROUP):
        group = order[start : start + GROUP]
        vectors = encoder.encode([missing[key] for key in group]) @ projection.T
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        known.update(zip(group, vectors))
        cache.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", [(key, vector.tobytes()) for key, vector in zip(group, vectors)])
        cache.commit()
        print(f"{start + len(group)}/{len(order)} after {time.time() - started:.0f} s", file=sys.stderr)
    nothing = np.zeros(RANK, np.float32)
    np.stack([known.get(key, nothing) for key in keys]).astype("<f4").tofile(options.output)


main()
