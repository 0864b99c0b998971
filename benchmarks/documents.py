"""Compiling a document against the bare Markdown parse of the same text."""

import time
from functools import partial
from pathlib import Path

from markdown_it import MarkdownIt

from benchmarks.rig import ROOT, Row, paired
from runbooks.compiler import compile_text
from runbooks.compiler.encoding import decode

ROUNDS = 20
DOCUMENTS = ROOT.parent / "shared" / "documents"


def measure() -> list[Row]:
    """Milliseconds a document, over the built-in library."""
    texts = {str(path): path.read_text(encoding="utf-8") for path in sorted((ROOT / "runbooks/library").glob("*.md"))}
    parser = MarkdownIt("commonmark")

    def bare() -> float:
        return _timed(lambda: [parser.parse(text) for text in texts.values()]) / len(texts)

    def ours() -> float:
        return _timed(lambda: [compile_text(text, path=Path(path).name) for path, text in texts.items()]) / len(texts)

    raw, mine, ratio = paired(bare, ours)
    rows = [Row("compile a document", raw, mine, "ms", ratio, "≤ 12")]
    if DOCUMENTS.is_dir():
        rows.append(_real())
    return [*rows, *_linear()]


def _real() -> Row:
    """The real documents beside the checkout, bare parse and whole compile."""
    texts = {file.name: decode(file.read_bytes()).text for file in sorted(DOCUMENTS.iterdir())}
    parser = MarkdownIt("commonmark")
    raw, mine, ratio = paired(
        lambda: _timed(lambda: [parser.parse(text) for text in texts.values()], rounds=3),
        lambda: _timed(lambda: [compile_text(text, path=name) for name, text in texts.items()], rounds=3),
    )
    return Row(f"compile the {len(texts)} documents", raw, mine, "ms", ratio, "≤ 12")


def _linear() -> list[Row]:
    """Time a line of one document at 50 KB, 500 KB and 5 MB."""
    part = (ROOT / "runbooks/library/database-disk-full.md").read_text(encoding="utf-8").replace("# ", "## ")
    once = max(1, 50_000 // len(part))
    rows, first = [], 0.0
    for times in (1, 10, 100):
        text = "# All of it\n\n" + "\n".join(
            part.replace("## Disk", f"## Part {number}: disk", 1) for number in range(once * times)
        )
        lines = text.count("\n")
        work = partial(compile_text, text, path="all.md")
        took = min(_timed(work, rounds=1, warm=times < 100) for _ in range(2))
        a_line = took / lines * 1000
        first = first or a_line
        rows.append(Row(f"compile {len(text) / 1e6:.2f} MB, a line", first, a_line, "µs", a_line / first, "≤ 1.5"))
    return rows


def _timed(work: object, *, rounds: int = ROUNDS, warm: bool = True) -> float:
    assert callable(work)
    if warm:
        work()
    began = time.perf_counter()
    for _ in range(rounds):
        work()
    return (time.perf_counter() - began) / rounds * 1000
