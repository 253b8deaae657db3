"""Checks that textwords.py splits texts exactly as src/text/words.ts does.

Usage: check_words.py NODE TEXTS.jsonl (any JSON strings or pairs, one a line); NODE is a node that runs TypeScript (24 or newer).
"""
import json
import pathlib
import subprocess
import sys

from textwords import words

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = f"""
import {{ words }} from '{ROOT}/src/text/words.ts'
const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
console.log(JSON.stringify(JSON.parse(Buffer.concat(chunks)).map((text) => words(text))))
"""


def main():
    texts = []
    with open(sys.argv[2]) as file:
        for line in file:
            row = json.loads(line)
            texts.extend(row if isinstance(row, list) else [row])
            if len(texts) >= 20000:
                break
    texts += ["parseHTTPResponse2", "Crème BRÛLÉE", "İstanbul ΣΊΣΥΦΟΣ", "don't can’t", "漢字かな交じり", "हिन्दी", "x²ﬁ", "foo_bar-baz.qux/1.2.3", "ＡＢＣ"]
    answer = subprocess.run([sys.argv[1], "--input-type=module", "-e", SCRIPT], input=json.dumps(texts), capture_output=True, text=True, check=True)
    differing = [(text, ours, theirs) for text, ours, theirs in zip(texts, map(words, texts), json.loads(answer.stdout)) if ours != theirs]
    print(f"{len(texts)} texts, {len(differing)} split differently")
    for row in differing[:10]:
        print(row)
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
