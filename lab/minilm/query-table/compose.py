"""Chooses the training texts of the query table: drops texts similar to evaluation questions, and adds questions derived from statements.

Usage: compose.py SHORT.jsonl OUT.jsonl [--texts 326000] [--held 6000] [--exclude QUERIES.jsonl ...]

A third of the texts is rephrased by the templates below ("Return the number of rows" becomes "how do I get the number of rows in
python"), and a tenth joins two or three texts of one package, as longer prompts do. The last --held texts come from packages
(every eleventh, by a hash of the name) that no training text comes from; they measure and never train.
"""
import argparse
import collections
import hashlib
import json
import pathlib
import random
import re

# Maximum number of texts of one kind, and first words of an instruction with the verb that a person would use.
CAPS = {"name": 60000, "comment": 90000, "summary": 150000, "error": 40000, "heading": 60000, "sentence": 90000, "question": 30000, "change": 80000,
        "package": 10000, "gloss": 25000, "definition": 35000, "usage": 35000}
VERBS = {"return": "get", "retrieve": "get", "compute": "calculate", "determine": "find out", "construct": "create", "instantiate": "create", "obtain": "get",
         "perform": "do", "fetch": "fetch", "yield": "iterate over", "initialize": "initialize", "raise": "raise"}
VERBS |= {verb: verb for verb in """accept access add adjust align allow analyze append apply assert assign attach bind build cache calculate call cancel cast change
check choose clean clear clip close collect combine compare compile compress configure connect convert copy count create decode decrypt define delete
delegate deserialize detect disable display download draw dump edit emit enable encode encrypt ensure escape estimate evaluate execute expand export
extend extract filter find fit flatten format generate get group handle hash hide ignore implement import increase index insert inspect install
install interpolate invoke iterate join keep kill launch list load lock log make map mark match measure merge migrate mock modify monitor move normalize
open order override pack pad parse partition patch pick plot poll pop prepare prevent print process provide publish push query quote read receive record
redirect reduce refresh register release reload remove rename render replace request require reset resize resolve restart restore retry reverse
revoke rotate round run sample save scale scan schedule search select send serialize serve set show shuffle sign simulate skip sort split start stop store
strip submit subscribe sum support swap switch test throw toggle track train transform translate trigger trim truncate turn uninstall unpack update upgrade
upload use validate verify wait walk warn watch wrap write""".split()}
ASKED = ["how to {}", "how to {}", "how do I {}?", "how do you {}", "how can I {}?", "how can I {} in {l}", "how to {} in {l}", "how to {} {l}", "{l} {}", "{l} {}",
         "{l} how to {}", "what is the best way to {}?", "is there a way to {}?", "which function should I use to {}?", "I want to {}", "we need to {}",
         "I am trying to {} but it does not work", "can you {}?", "please {}", "where do we {}?", "where in the code do we {}", "function to {}", "code to {}",
         "{l} function to {}", "{l} code to {}", "best way to {} in {l}", "what is used to {}", "command to {}", "example of how to {}", "show me how to {}", "is it possible to {}?",
         "need a way to {}", "help me {}", "what's the easiest way to {}?", "how does {l} {}"]
ABOUT = ["what is {}?", "what does {} mean", "how does {} work?", "explain {}", "{} example", "{l} {}", "{} in {l}", "how is {} implemented", "where is {} defined?",
         "where is {} configured", "how to use {}", "documentation for {}", "{} not working", "why does {} fail?", "problem with {}", "tell me about {}", "what is the difference with {}",
         "which file handles {}?", "find the code for {}", "how to configure {}", "when should I use {}?", "what are {}", "define {}", "who is responsible for {}",
         "how does {} work under the hood", "is {} supported?", "bug in {}", "tests for {}", "why do we need {}"]
STATED = ["why does it happen that {}?", "{}, how do I fix this?", "I get this: {}", "bug: {}", "fix: {}", "is it true that {}?", "what happens when {}", "{}?", "does it matter that {}",
          "how to fix {}", "getting {}", "error {}", "{} in {l}", "what causes {}", "why {}", "issue: {}", "how to handle {}"]
WORD = re.compile(r"[a-z0-9]+")


def words(text):
    return WORD.findall(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower())


class Near:
    """Whether a text is similar to one of the excluded questions: the same words, 80 % of them shared, or a run of seven."""

    RUN = 7

    def __init__(self, files):
        self.sets, self.runs, self.by_word = [], set(), collections.defaultdict(list)
        for file in files:
            for line in pathlib.Path(file).open():
                row = json.loads(line)
                found = words(row.get("text") or row.get("query") or "")
                for word in set(found):
                    self.by_word[word].append(len(self.sets))
                self.sets.append(frozenset(found))
                self.runs |= {tuple(found[at : at + self.RUN]) for at in range(len(found) - self.RUN + 1)}

    def __call__(self, text):
        found = words(text)
        if any(tuple(found[at : at + self.RUN]) in self.runs for at in range(len(found) - self.RUN + 1)):
            return True
        # With 80 % shared, one of the rarest fifth of the words (and one more) must be shared.
        mine = set(found)
        rarest = sorted(mine, key=lambda word: len(self.by_word.get(word, ())))[: len(mine) // 5 + 1]
        candidates = {number for word in rarest for number in self.by_word.get(word, ())}
        return any(len(mine & self.sets[number]) >= 0.8 * len(mine | self.sets[number]) for number in candidates)


def rephrased(text, kind, language, draw):
    """The text as a person might ask for it."""
    language = language or draw.choice(["python", "javascript", "node", "linux", "sql", "api", "the docs", "bash", "typescript", "go"])
    text = text.rstrip(".?! ")
    first, _, rest = text.partition(" ")
    verb = next((VERBS[form] for form in (first.lower(), first.lower().removesuffix("s"), first.lower().removesuffix("es"), re.sub("ies$", "y", first.lower())) if form in VERBS), None)
    lowered = text if re.match(r"[A-Z]{2}|\w+[_(A-Z]", text) else text[0].lower() + text[1:]
    if kind == "question":
        return draw.choice([text + "?", text.lower(), lowered])
    if verb and rest:
        if rest.startswith(("True if ", "true if ", "whether ", "True when ")) and verb == "get":
            verb, rest = "check if", re.sub(r"^\S+ (?:if |when )?", "", rest)
        result = draw.choice(ASKED).replace("{l}", language).replace("{}", f"{verb} {rest}")
    elif kind in ("error", "comment", "change", "sentence") or len(text.split()) > 9:
        result = draw.choice(STATED).replace("{l}", language).replace("{}", lowered)
    else:
        result = draw.choice(ABOUT).replace("{l}", language).replace("{}", lowered)
    if draw.random() < 0.25:
        result = re.sub(r"\b(?:the|a|an) ", "", result).rstrip("?").lower()
    return result


def held_out(source):
    return hashlib.blake2b(source.encode(), digest_size=2).digest()[0] % 11 == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("short", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--texts", type=int, default=326000)
    parser.add_argument("--held", type=int, default=6000)
    parser.add_argument("--exclude", nargs="*", default=[])
    options = parser.parse_args()
    draw, near = random.Random(17), Near(options.exclude)
    rows = [json.loads(line) for line in options.short.open()]
    draw.shuffle(rows)
    seen, taken, pools, dropped = set(), collections.Counter(), {True: [], False: []}, 0
    for row in rows:
        key = " ".join(words(row["text"]))
        if key in seen or len(key) < 6 or taken[row["kind"]] >= CAPS.get(row["kind"], 12000):
            continue
        if near(row["text"]):
            dropped += 1
            continue
        seen.add(key)
        taken[row["kind"]] += 1
        pools[held_out(row["source"])].append(row)
    written, texts = collections.Counter(), set()
    with options.out.open("w") as file:
        for held, wanted in ((False, options.texts - options.held), (True, options.held)):
            count, pool, last = 0, pools[held], {}
            for number in range(2 * wanted):
                if count == wanted:
                    break
                row = pool[number % len(pool)]
                text, kind, chance = row["text"], row["kind"], draw.random()
                if chance < 0.34 or number >= len(pool):
                    text, kind = rephrased(text, kind, row["language"], draw), "rephrased " + kind
                elif chance < 0.44 and row["source"] in last:
                    text, kind = f"{last[row['source']]}. {text}", "joined"
                last[row["source"]] = row["text"] if kind != "joined" or len(text) > 240 else text
                if text in texts:
                    continue
                if text is not row["text"] and near(text):
                    dropped += 1
                    continue
                texts.add(text)
                file.write(json.dumps({"source": row["source"], "kind": kind, "held": held, "text": text}) + "\n")
                count += 1
                written[kind] += 1
            print(f"{count} texts {'held out' if held else 'for training'} from {len(pool)}")
    print(f"{dropped} dropped as near an excluded question")
    print(written.most_common())


if __name__ == "__main__":
    main()
