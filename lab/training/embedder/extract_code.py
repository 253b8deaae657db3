"""Pairs (what it does, the code) from Python, JavaScript/TypeScript, Go and Rust sources with doc comments."""
import ast
import re

JSDOC = re.compile(r"/\*\*(.*?)\*/[ \t]*\n((?:[ \t]*[^\s/*][^\n]*\n){1,24})", re.S)
GO = re.compile(r"((?:^//[^\n]*\n)+)(^(?:func|type|var|const) [^\n]*\n(?:(?!^}).*\n){0,24})", re.M)
RUST = re.compile(r"((?:^[ \t]*///[^\n]*\n)+)((?:^[ \t]*#\[[^\n]*\n)*^[ \t]*pub [^\n]*\n(?:.*\n){0,16})", re.M)
TAG = re.compile(r"\s*@(\w+)")


def first_paragraph(text):
    """The first paragraph of a doc comment, on one line, at most 400 characters."""
    paragraph = re.split(r"\n\s*\n", text.strip(), maxsplit=1)[0]
    return re.sub(r"\s+", " ", paragraph).strip()[:400]


def python_pairs(source):
    """(docstring's first paragraph, function without its docstring) and (first paragraph, the rest of the docstring)."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    lines = source.split("\n")
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        doc = ast.get_docstring(node)
        if not doc or len(doc) < 12:
            continue
        summary = first_paragraph(doc)
        statement = node.body[0]
        head = "\n".join(lines[node.lineno - 1 : statement.lineno - 1])
        body = "\n".join(lines[statement.end_lineno : min(node.end_lineno, statement.end_lineno + 40)])
        if isinstance(node, ast.ClassDef):
            yield "class", summary, head + " " + doc[len(summary) :][:800]
            continue
        rest = re.sub(r"\s+", " ", doc[len(summary) :]).strip()
        if body.strip() and body.strip() not in ("pass", "..."):
            yield "function", summary, head + "\n" + body
        if len(rest) > 80:
            yield "docstring", summary, node.name + " " + rest[:1200]


def comment_text(comment, marker):
    return "\n".join(re.sub(marker, "", line) for line in comment.split("\n"))


def script_pairs(source):
    """JSDoc: (description, code that follows); the tags' own text goes with the code."""
    for match in JSDOC.finditer(source):
        text = comment_text(match[1], r"^\s*\*+ ?")
        parts = re.split(r"^\s*@", text, maxsplit=1, flags=re.M)
        summary = first_paragraph(parts[0])
        if len(summary) < 12 or "eslint" in summary or "icense" in summary:
            continue
        tags = re.sub(r"\s+", " ", parts[1])[:400] if len(parts) > 1 else ""
        yield "function", summary, match[2][:1500]
        rest = re.sub(r"\s+", " ", parts[0].strip()[len(summary) :])
        if len(rest) + len(tags) > 80:
            yield "docstring", summary, match[2].split("\n")[0][:200] + " " + rest[:800] + " " + tags


def line_comment_pairs(source, pattern, marker):
    """Go and Rust: (first paragraph of the comment, declaration and body), and the rest of a long comment."""
    for match in pattern.finditer(source):
        text = comment_text(match[1], marker)
        summary = first_paragraph(text)
        if len(summary) < 12 or "opyright" in summary or "go:" in summary[:4]:
            continue
        yield "function", summary, match[2][:1500]
        rest = re.sub(r"\s+", " ", text.strip()[len(summary) :])
        if len(rest) > 80:
            yield "docstring", summary, rest[:1200]


def code_pairs(path, source):
    """All pairs of one source file, chosen by its ending."""
    if path.endswith(".py"):
        return python_pairs(source)
    if path.endswith((".js", ".ts", ".mjs", ".cjs")):
        return script_pairs(source)
    if path.endswith(".go"):
        return line_comment_pairs(source, GO, r"^//\s?")
    if path.endswith(".rs"):
        return line_comment_pairs(source, RUST, r"^\s*///\s?")
    return ()
