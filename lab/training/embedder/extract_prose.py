"""Pairs from documentation, reference data and dictionaries: heading and paragraph, term and definition, task and command."""
import html
import json
import re

TAGS = re.compile(r"<[^>]+>")
SPACE = re.compile(r"\s+")
DROPPED = re.compile(r"<(script|style|head|nav|footer)\b.*?</\1>", re.S | re.I)
BLOCK = re.compile(r"<(h[1-4]|p|dt|dd|pre|li)\b[^>]*>(.*?)(?=<(?:h[1-4]|p|dt|dd|pre|li|/dl|/ul|/div)\b|</\1>)", re.S | re.I)


def plain(text):
    """HTML to one line of text."""
    return SPACE.sub(" ", html.unescape(TAGS.sub(" ", text))).strip()


def split_first_sentence(text):
    """(first sentence, the rest) or None when either is too short to be a pair."""
    match = re.match(r"(.{25,300}?[.!?])\s+(?=[A-Z`'\"(])(.{60,})", text, re.S)
    return (match[1], match[2][:1200]) if match else None


def block_pairs(blocks):
    """From (kind, text) blocks in order: heading path with paragraph, term with definition, text with the code after it."""
    path, term, previous = {}, None, None
    for kind, text in blocks:
        if not text:
            continue
        if kind.startswith("h"):
            level = int(kind[1])
            path = {key: value for key, value in path.items() if key < level}
            path[level] = text[:120]
            term = previous = None
        elif kind == "dt":
            term = text[:200]
        elif kind == "dd" and term:
            if len(text) > 20:
                yield "term", term, text[:1000]
            term = None
        elif kind == "pre":
            if previous and len(text) > 10:
                yield "example", previous[-300:], text[:1000]
        elif len(text) > 60:
            if path:
                yield "section", " ".join(path[key] for key in sorted(path)[-2:]), text[:1500]
            parts = split_first_sentence(text)
            if parts:
                yield "sentence", *parts
            if previous and len(previous) > 60 and len(text) > 120:
                yield "next", previous[:600], text[:1000]
            previous = text


def html_pairs(source):
    cleaned = DROPPED.sub(" ", source)
    return block_pairs((match[1].lower(), plain(match[2])) for match in BLOCK.finditer(cleaned))


def markup_blocks(source):
    """Blocks of Markdown or reStructuredText, by their shape alone."""
    for chunk in re.split(r"\n\s*\n", source):
        lines = [line for line in chunk.split("\n") if line.strip()]
        if not lines:
            continue
        heading = re.match(r"(#{1,4})\s+(.*)", lines[0])
        if heading:
            yield f"h{len(heading[1])}", heading[2]
            lines = lines[1:]
        elif len(lines) >= 2 and re.fullmatch(r"([=\-~^\"'*+#])\1{2,}", lines[1].strip()):
            yield {"=": "h1", "*": "h1", "-": "h2"}.get(lines[1].strip()[0], "h3"), lines[0].strip()
            lines = lines[2:]
        if not lines or lines[0].lstrip().startswith((".. ", "<", "|", "[!", "![", ":")):
            continue
        text = SPACE.sub(" ", re.sub(r"\]\([^)]*\)|:\w+:`|[`*_\[\]]+|~", " ", " ".join(lines))).strip()
        yield ("pre" if lines[0].startswith(("    ", "\t", "```")) else "p"), text


def markup_pairs(source):
    return block_pairs(markup_blocks(source))


def wordnet_pairs(data):
    """WordNet's data.* file: gloss with its words, examples with the gloss, gloss with the parent's."""
    glosses, rows = {}, []
    for line in data.split("\n"):
        if not line or line.startswith("  ") or "|" not in line:
            continue
        left, gloss = line.split("|", 1)
        fields = left.split()
        count = int(fields[3], 16)
        lemmas = [re.sub(r"\(.*?\)", "", fields[4 + 2 * index]).replace("_", " ") for index in range(count)]
        parents = re.findall(r"@i? (\d{8}) ", left)
        definition = re.split(r';\s*"', gloss.strip())[0].strip()
        examples = re.findall(r'"([^"]{15,})"', gloss)
        glosses[fields[0]] = (lemmas, definition)
        rows.append((fields[0], lemmas, definition, examples, parents))
    for _, lemmas, definition, examples, parents in rows:
        parent = glosses.get(parents[0]) if parents else None
        around = f" {' '.join(parent[0])} {parent[1]}" if parent else ""
        yield "gloss", " ".join(lemmas), definition + around
        yield "definition", definition, " ".join(lemmas) + around
        for example in examples[:2]:
            yield "usage", example, " ".join(lemmas) + " " + definition


def aws_example_pairs(source):
    """The AWS command line's examples: the paragraph before a command, and the command."""
    previous = ""
    for block in re.split(r"\n\s*\n", source):
        lines = block.split("\n")
        if lines[0].startswith("  ") and lines[0].strip().startswith("aws "):
            text = SPACE.sub(" ", previous.replace("`", " ")).strip().rstrip(":")
            text = re.sub(r"^The following \S+ (?:example|command) ", "", text)
            if len(text) > 15:
                yield "command", text[:400], SPACE.sub(" ", block.replace("\\\n", " ")).strip()[:600]
        if block.strip():
            previous = block


def azure_help_pairs(source):
    """Azure command line help: (short summary or example name, command)."""
    command = name = ""
    for line in source.split("\n"):
        if match := re.match(r"helps\['([^']+)'\]", line):
            command = match[1]
        elif match := re.match(r"\s*short-summary: (.{12,})", line):
            yield "command", match[1][:300], "az " + command
        elif match := re.match(r"\s*- name: (.{12,})", line):
            name = match[1]
        elif name and (match := re.search(r"(az [a-z].+)", line)):
            yield "command", name[:300], match[1][:500]
            name = ""


def botocore_pairs(source):
    """Botocore service models: operation or shape, its documentation."""
    try:
        model = json.loads(source)
    except ValueError:
        return
    for group in ("operations", "shapes"):
        for name, entry in (model.get(group) or {}).items() if isinstance(model, dict) else ():
            if not isinstance(entry, dict):
                continue
            text = plain(entry.get("documentation", ""))
            if len(text) > 60:
                parts = split_first_sentence(text)
                yield "term", name, text[:800]
                if parts:
                    yield "sentence", *parts
            for member, value in (entry.get("members") or {}).items():
                text = plain(value.get("documentation", "")) if isinstance(value, dict) else ""
                if len(text) > 90:
                    yield "term", f"{name} {member}", text[:600]


def discovery_pairs(source):
    """Google API discovery documents: method or property, its description."""
    def visit(node, name):
        if isinstance(node, dict):
            text = node.get("description")
            if isinstance(text, str) and len(text) > 50:
                yield "term", f"{name} {node.get('id', '')}"[:150], SPACE.sub(" ", text)[:800]
                parts = split_first_sentence(text)
                if parts:
                    yield "sentence", *parts
            for key, value in node.items():
                yield from visit(value, key)
    try:
        yield from visit(json.loads(source), "")
    except ValueError:
        return


def manual_pairs(source):
    """BSD manual pages (mdoc): name with purpose, option with its text, paragraphs."""
    def clean(text):
        text = re.sub(r'\.\\".*', "", text)
        text = re.sub(r"^\.(?:Fl|Op)\s+(\S+)", r"-\1", text, flags=re.M)
        text = re.sub(r"^\.\w+ ?", "", text, flags=re.M)
        return SPACE.sub(" ", re.sub(r"\\f.|\\-|\\&|\\\(\w\w|\b(?:Ns|Ar|Fl|Pa|Ev|Op|Xr|Ql|Dq|Sq|Cm|Li)\b", " ", text)).strip()
    name = re.search(r"^\.Nm (\S+)[\s\S]*?^\.Nd (.*)", source, re.M)
    if name:
        yield "term", name[1], name[2]
    title = name[1] if name else ""
    for section in re.split(r"^\.Sh ", source, flags=re.M)[1:]:
        heading, _, body = section.partition("\n")
        items = re.split(r"^\.(?:It|Pp)\b", body, flags=re.M)
        for item in items:
            first, _, rest = item.partition("\n")
            text = clean(rest)
            label = clean("." + "It " + first) if first.strip() else ""
            if len(text) > 40:
                if label:
                    yield "term", f"{title} {label}", text[:800]
                else:
                    yield "section", f"{title} {heading.lower()}", text[:1200]
                parts = split_first_sentence(text)
                if parts:
                    yield "sentence", *parts


def completion_pairs(source):
    """zsh completion functions: option with its description, command by command."""
    name = re.match(r"#compdef (\S+)", source)
    if not name:
        return
    for match in re.finditer(r"['\"](?:\([^)]*\))?[*]?\{?(-{1,2}[\w-]+)(?:,?[^\[\]'\"]{0,40})\[([^\]]{12,})\]", source):
        yield "option", match[2], f"{name[1]} {match[1]}"
    for match in re.finditer(r"^\s*['\"]?([\w-]+):([a-z][^'\":]{12,})['\"]", source, re.M):
        yield "option", match[2], f"{name[1]} {match[1]}"


def ontology_pairs(source):
    """CELLxGENE's ontologies: label and synonyms with the definition."""
    terms = json.loads(source)
    for entry in terms.values():
        if isinstance(entry, dict) and entry.get("label"):
            definition = entry.get("description") or entry.get("definition") or ""
            names = entry["label"] + " " + " ".join(entry.get("synonyms") or [])[:300]
            if len(definition) > 30:
                yield "gloss", entry["label"], definition[:800]
                yield "definition", definition[:500], names
            elif entry.get("synonyms"):
                yield "gloss", entry["label"], names


def diagnosis_pairs(source):
    """ICD-10-CM: a diagnosis and other names for it."""
    for match in re.finditer(r"<desc>([^<]+)</desc>\s*<inclusionTerm>(.*?)</inclusionTerm>", source, re.S):
        yield "gloss", html.unescape(match[1]), plain(match[2])


def dialogue_pairs(source):
    """ChatterBot corpus: what was said, and the answer."""
    for match in re.finditer(r"^- - (.+)\n((?:  - .+\n?)+)", source, re.M):
        said = match[1].strip("'\" ")
        for answer in re.findall(r"  - (.+)", match[2]):
            if len(said) + len(answer) > 30:
                yield "dialogue", said, answer.strip("'\" ")
