"""Rows and columns in what a command printed, from which a value can be picked. Pure.

Tables of psql (`a | b`) and of tools that align their columns (`kubectl get`, `docker ps`, `ps`, `df`) are found;
any other output is a table of one column: its lines.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

ROWS = 200
LONGEST = 240
_RULE = re.compile(r"^\s*[-+|=\s]*--[-+|=\s]*$")


@dataclass(frozen=True)
class Record:
    """One row, with the number of the line that it stands in."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Some rows. Without `columns` the table has no head."""

    columns: tuple[str, ...]
    rows: tuple[Record, ...]


def tables(lines: Iterable[tuple[int, str]]) -> list[Table]:
    """The tables in numbered lines, in order; the first `ROWS` rows of all."""
    found: list[Table] = []
    left = ROWS
    for block in _blocks(lines):
        table = _ruled(block) or _aligned(block) or _listed(block)
        rows = tuple(row for row in table.rows if any(row.cells))[: max(0, left)]
        left -= len(rows)
        if rows:
            found.append(Table(table.columns, rows))
    return found


def _blocks(lines: Iterable[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """What empty lines part."""
    found: list[list[tuple[int, str]]] = [[]]
    for number, text in lines:
        if not text.strip():
            found.append([])
        else:
            found[-1].append((number, text.expandtabs().rstrip()[:2000]))
    return [block for block in found if block]


def _ruled(block: Sequence[tuple[int, str]]) -> Table | None:
    """A head, a line of dashes, rows: columns stand between the bars."""
    at = next((index for index, (_, text) in enumerate(block) if index and _RULE.match(text)), None)
    if at is None:
        return None
    head = _barred(block[at - 1][1])
    rows = [Record(number, _barred(text)) for number, text in block[at + 1 :] if not re.match(r"^\(.* rows?\)$", text)]
    return Table(head, tuple(row for row in rows if len(row.cells) == len(head)))


def _barred(text: str) -> tuple[str, ...]:
    framed = text.strip().removeprefix("|").removesuffix("|") if text.lstrip().startswith("|") else text
    return tuple(cell.strip()[:LONGEST] for cell in framed.split("|"))


def _aligned(block: Sequence[tuple[int, str]]) -> Table | None:
    """A head and rows whose columns begin and end at the same places."""
    if len(block) < 2:
        return None
    width = max(len(text) for _, text in block)
    padded = [text.ljust(width) for _, text in block]
    blank = [all(text[at] == " " for text in padded) for at in range(width)]
    edges = [0, *(at for at in range(1, width) if blank[at - 1] and not blank[at]), width]
    wide = len(block) > 2 or all(gap >= 2 for gap in _gaps(blank))
    if len(edges) < 3 or not wide:
        return None

    def cut(text: str) -> tuple[str, ...]:
        return tuple(text[begin:end].strip()[:LONGEST] for begin, end in pairwise(edges))

    head = cut(padded[0])
    has_head = all(re.search(r"[A-Z]", cell) for cell in head if cell) and "".join(head).isprintable()
    rows = [Record(number, cut(text)) for (number, _), text in zip(block, padded, strict=True)]
    return Table(head, tuple(rows[1:])) if has_head else Table((), tuple(rows))


def _gaps(blank: Sequence[bool]) -> list[int]:
    """How wide each blank stripe inside is."""
    inside = "".join(" " if each else "x" for each in blank).strip()
    return [len(gap) for gap in re.findall(r" +", inside)]


def _listed(block: Sequence[tuple[int, str]]) -> Table:
    """Each line as it stands."""
    return Table((), tuple(Record(number, (text.strip()[:LONGEST],)) for number, text in block))
