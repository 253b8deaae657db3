"""Records what the reference implementation makes of some texts of our own: word pieces by `tokenizers`, vectors by onnxruntime and the
projection. The tests of the Worker's tokenizer and kernel compare with them.

usage: record-fixtures.py MODEL.onnx TOKENIZER.json PROJECTION.npy OUTPUT.json
"""
import json, sys

import numpy as np

from encoder import Encoder

TEXTS = [
    "How do I read a file line by line?",
    "parseHTTPResponse2(userName, { retry: true }) // don't retry on 4xx",
    "def open_stream(path: str) -> Iterator[bytes]:\n    \"\"\"Yields chunks of 64 KiB.\"\"\"\n    with open(path, 'rb') as file:\n        while chunk := file.read(65536):\n            yield chunk",
    "Café crème à l'été, naïve façade, Ångström, Übergrößenträger",
    "ΟΔΥΣΣΕΥΣ and Σίσυφος; İstanbul; straße; ﬁnance",
    "日本語のテキスト and 中文字符 mixed with English",
    "Привет, мир! Как читать файл построчно?",
    "emoji 🎉🚀 and symbols → ≥ ≤ € £ © ™ ½ ²",
    "tabs\tand\nnew\r\nlines and\u00a0no-break\u2003em space",
    "zero\u200bwidth, soft\u00adhyphen, BOM\ufeff, null-like \ufffd",
    "`npm install --save-dev` $HOME/.config/app.toml ~/x_y-z [link](http://a.b/c?d=e&f=1#g)",
    "a" * 101 + " after a word that is too long, and " + "b" * 100,
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "x86_64-unknown-linux-gnu v1.2.3-rc.4+build.5 0xDEADBEEF 1e-9",
    "“Curly quotes” — em dashes – en dashes… and ‘singles’",
    "עברית العربية हिन्दी ไทย 한국어",
    "The server answers 503 while the model loads; retry after five seconds.",
    "A queue consumer that keeps its position when its time is over and goes on with the next message.",
    "word " * 400,
    "!",
]


def main():
    model, tokenizer, projection, output = sys.argv[1:5]
    encoder = Encoder(model, tokenizer, 256)
    vectors = encoder.encode(TEXTS) @ np.load(projection).T
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [
        {"text": text, "ids": ids, "vector": [round(float(value), 4) for value in vector]}
        for text, ids, vector in zip(TEXTS, encoder.ids(TEXTS), vectors)
    ]
    with open(output, "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(row, ensure_ascii=True) for row in rows) + "\n]\n")


main()
