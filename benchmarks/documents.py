"""Compiling a document against the bare Markdown parse of the same text."""

import time
from pathlib import Path

from markdown_it import MarkdownIt

from benchmarks.rig import ROOT, Row, paired
from runbooks.compiler import compile_text

ROUNDS = 20


def measure() -> list[Row]:
    """Milliseconds a document, over the built-in library."""
    texts = {str(path): path.read_text(encoding="utf-8") for path in sorted((ROOT / "runbooks/library").glob("*.md"))}
    parser = MarkdownIt("commonmark")

    def bare() -> float:
        return _timed(lambda: [parser.parse(text) for text in texts.values()]) / len(texts)

    def ours() -> float:
        return _timed(lambda: [compile_text(text, path=Path(path).name) for path, text in texts.items()]) / len(texts)

    raw, mine, ratio = paired(bare, ours)
    return [Row("compile a document", raw, mine, "ms", ratio, "≤ 12")]


def _timed(work: object) -> float:
    assert callable(work)
    work()
    began = time.perf_counter()
    for _ in range(ROUNDS):
        work()
    return (time.perf_counter() - began) / ROUNDS * 1000
