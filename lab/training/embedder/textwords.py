"""The product's word splitter (src/text/words.ts) in Python; both must agree, which `check_words.py` tests."""
import unicodedata

import regex

RUN = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}]+)*")
BOUNDARY = regex.compile(
    r"(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|(?<=\p{L})(?=\p{N})|(?<=\p{N})(?=\p{L})", flags=regex.V1)
MARKS = regex.compile(r"(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}])\p{M}+")


def words(text):
    """The lower-cased words of a text, identifiers split."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", MARKS.sub("", unicodedata.normalize("NFKD", text)))
    found = []
    for run in RUN.findall(text):
        if run.islower() and run.isalpha():
            found.append(run)
        else:
            found.extend(part.lower() for part in BOUNDARY.split(run))
    return found
