"""Markdown runbooks to what can be walked and run. Pure: text in, data out; no Django, no network.

The passes, in order: ``encoding`` → ``blocks`` → ``sections`` → ``outline`` (``roles``, ``phases``, ``steps``,
``trees``, ``references``, ``checklists``; each fence through ``fences`` → ``commands`` → ``shell``/``sql``/
``queries`` → ``risk``/``placeholders``/``expected``) → ``accounting`` → ``lint``.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import runbooks.compiler.nested  # noqa: F401 - completes the table of risk.py
from runbooks.compiler import accounting, declared, encoding, findings, inline, lint, outline, sections, slices, titles
from runbooks.compiler.blocks import Block, parse_blocks, walk
from runbooks.compiler.context import Context
from runbooks.compiler.contract import Document, Documents

SUFFIXES = (".md", ".markdown", ".mdx", ".txt", ".md.erb")

__all__ = ["SUFFIXES", "compile_paths", "compile_text", "find_files"]


def compile_text(text: str | bytes, *, path: str, under: slices.Under | None = None) -> Document:
    """Compile one document. Any text compiles; what is wrong with it is a finding.

    With `under` the text is the slice of one runbook, and `under` says where in a document it stands.
    """
    decoded = encoding.decode(text)
    lines = decoded.text.split("\n")
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    blocks = parse_blocks(decoded.text)
    root = sections.build(blocks, len(lines))
    context = Context(lines)
    document: Document = {
        "path": path,
        "title": title_of(blocks, path),
        "lines": len(lines),
        "encoding_repair": decoded.repair,
        "runbooks": [],
        "references": context.references,
        "checklists": context.checklists,
        "fences": [],
        "findings": [],
        "suppressed": [],
        "prose": [],
        "unaccounted_lines": [],
    }
    if under is None or not root.children:
        document["runbooks"] = outline.build(root, document["title"], context)
    else:
        document["runbooks"] = [outline.build_one(root, under.category, list(under.trail), context)]
    for block in walk(blocks):
        if block.kind == "fence":
            context.fence(block)
    document["fences"] = [context.fences[line] for line in sorted(context.fences)]
    document["prose"] = context.prose
    accounting.settle(document, lines)
    notes = [findings.make(1, rule, "info", message) for rule, message in decoded.notes]
    found = [*notes, *declared.settle(document, lines), *lint.of_document(document, context, root, lines)]
    live, document["suppressed"] = lint.settle(found, lines)
    document["findings"] = sorted(live, key=lambda f: (f["line"], f["rule"]))
    return document


def title_of(blocks: list[Block], path: str) -> str:
    """A first-level heading that is no template, else front matter, else any heading, else the file name."""
    headings = [inline.plain(b.text) for b in blocks if b.kind == "heading"]
    first = [inline.plain(b.text) for b in blocks if b.kind == "heading" and b.level == 1]
    for title in first:
        if title and "{{" not in title and "<%" not in title:
            return titles.read(title).text
    front = next((b.text for b in blocks if b.kind == "front_matter"), "")
    match = re.search(r"^title:\s*[\"']?(.+?)[\"']?\s*$", front, re.MULTILINE)
    if match:
        return match.group(1)
    named = [t for t in headings if t and "{{" not in t]
    return titles.read(named[0]).text if named else Path(path).name.split(".")[0].replace("_", " ").replace("-", " ")


def compile_paths(paths: Iterable[str | Path]) -> Documents:
    """Compile files and folders; a file that cannot be read becomes a document with one finding.

    Several documents are also read together: what they say of the same alert, and their links to each other.
    """
    marked: dict[str, list[str]] = {}
    documents = [_compile_file(path, marked) for path in find_files(paths)]
    lint.settle_all(documents, marked)
    return {"documents": documents}


def find_files(paths: Iterable[str | Path]) -> Iterator[Path]:
    """The files named, and the Markdown below the folders named, in order of their names."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(SUFFIXES))
        else:
            yield path


def _compile_file(path: Path, marked: dict[str, list[str]]) -> Document:
    """One file; the lines of a text that allows something are kept in `marked` for the rules between documents."""
    try:
        data = path.read_bytes()
    except OSError as error:
        document = compile_text("", path=str(path))
        message = f"This file cannot be read: {error.strerror or error}."
        document["findings"] = [findings.make(1, "file.unreadable", "error", message)]
        document["runbooks"] = []
        return document
    if b"erpops:" in data:
        marked[str(path)] = encoding.decode(data).text.split("\n")
    return compile_text(data, path=str(path))
