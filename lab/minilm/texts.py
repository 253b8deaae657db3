"""Short texts to fit the projection on: documentation and signatures of the Python standard library and of installed permissive
packages. Packages that the evaluations search are left out, so that no evaluation text takes part.

usage: texts.py OUTPUT.jsonl [NODE_MODULES]
"""
import ast, hashlib, json, pathlib, re, sys, sysconfig

EVALUATED = {"hono", "zod", "requests", "pytest", "_pytest", "sphinx", "fastapi", "starlette", "trpc", "click", "flask", "pip", "_vendor", "test", "tests", "idlelib"}
LIMIT = 24_000


def python_texts(root):
    for path in sorted(root.rglob("*.py")):
        if EVALUATED & set(path.parts):
            continue
        try:
            tree = ast.parse(path.read_text("utf8"))
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
                doc = ast.get_docstring(node) or ""
                if doc:
                    yield doc.split("\n\n")[0]
                source = ast.unparse(node)
                if len(source) > 80:
                    yield source[:600]


def node_texts(root):
    for path in sorted(root.rglob("*")):
        if path.suffix not in {".md", ".ts", ".js"} or EVALUATED & set(path.parts) or not path.is_file():
            continue
        try:
            text = path.read_text("utf8")
        except UnicodeDecodeError:
            continue
        if path.suffix == ".md":
            for paragraph in re.split(r"\n\s*\n", text):
                if 40 < len(paragraph) < 2000:
                    yield paragraph.strip()[:600]
        elif len(text) < 200_000:
            for comment in re.findall(r"/\*\*(.*?)\*/", text, re.S):
                words = re.sub(r"\s*\n\s*\* ?", " ", comment).strip()
                if len(words) > 30:
                    yield words[:600]


def main():
    roots = [python_texts(pathlib.Path(sysconfig.get_paths()["stdlib"]))]
    roots += [node_texts(pathlib.Path(folder)) for folder in sys.argv[2:]]
    seen = {}
    for source in roots:
        for text in source:
            seen.setdefault(hashlib.sha256(text.encode("utf8", "replace")).hexdigest(), text)
    chosen = sorted(seen.items())[:LIMIT]
    with open(sys.argv[1], "w") as out:
        for key, text in chosen:
            out.write(json.dumps({"id": key[:12], "text": text}) + "\n")
    print(len(seen), "texts,", len(chosen), "taken")


main()
