"""Results as text: aligned tables as psql prints them, and a line of numbers as a small chart."""

import math
from collections.abc import Iterable, Iterator, Sequence

_BARS = "▁▂▃▄▅▆▇█"
LONGEST_CELL = 2000

Cells = Sequence[str]


def table(head: Cells, rows: Sequence[Cells], *, right: frozenset[int] = frozenset()) -> Iterator[str]:
    """The lines of an aligned table; the columns `right` (from 0) hold numbers. A cell may have several lines."""
    cut = [[_lines(cell) for cell in row] for row in rows]
    widths = [
        max([len(name), *(len(line) for row in cut for line in row[column])], default=0)
        for column, name in enumerate(head)
    ]
    yield "|".join(f" {name.center(width)} " for name, width in zip(head, widths, strict=True)).rstrip()
    yield "+".join("-" * (width + 2) for width in widths)
    for row in cut:
        yield from _row(row, widths, right)


def _row(row: list[list[str]], widths: list[int], right: frozenset[int]) -> Iterator[str]:
    height = max((len(lines) for lines in row), default=1)
    for number in range(height):
        cells = []
        for column, lines in enumerate(row):
            text = lines[number] if number < len(lines) else ""
            more = "+" if number + 1 < len(lines) else " "
            padded = text.rjust(widths[column]) if column in right else text.ljust(widths[column])
            cells.append(f" {padded}{more}")
        yield "|".join(cells).rstrip()


def records(head: Cells, rows: Iterable[Cells]) -> Iterator[str]:
    """The same rows one below the other, a line for each column."""
    width = max((len(name) for name in head), default=0)
    for number, row in enumerate(rows, 1):
        yield f"-[ RECORD {number} ]".ljust(width + 4, "-")
        for name, cell in zip(head, row, strict=True):
            first, *rest = _lines(cell)
            yield f"{name.ljust(width)} | {first}".rstrip()
            yield from (f"{' ' * width} | {line}".rstrip() for line in rest)


def footer(kept: int, total: int) -> str:
    """`(3 rows)`, or how many of them are shown."""
    if kept < total:
        return f"(the first {kept:,} of {total:,} rows)"
    return f"({total} row{'' if total == 1 else 's'})"


def cell(text: str, length: int | None = None) -> str:
    """A text short enough for a table; `length` is its whole length where `text` is only the beginning."""
    whole = len(text) if length is None else length
    return text if whole <= LONGEST_CELL else f"{text[:LONGEST_CELL]}… ({whole:,} in all)"


def _lines(cell: str) -> list[str]:
    """The lines of a cell, without characters that would break the table."""
    return [line.replace("\t", "    ").replace("\r", "\\r") for line in cell.split("\n")]


def sparkline(values: Sequence[float | None]) -> str:
    """A bar for each value between the lowest and the highest; a gap where there is none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    return "".join(" " if v is None or not math.isfinite(v) else _bar(v, low, span) for v in values)


def _bar(value: float, low: float, span: float) -> str:
    if not span:
        # Nothing changes: zero is the lowest bar, any other level stands in the middle.
        return _BARS[0] if value == 0 else _BARS[3]
    return _BARS[min(len(_BARS) - 1, int((value - low) / span * len(_BARS)))]
