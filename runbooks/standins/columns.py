"""Lines in columns, with the widths that the real programs choose."""

from collections.abc import Sequence


def aligned(lines: Sequence[Sequence[str]], *, least: int, gap: int = 3, to_the_end: bool = False) -> list[str]:
    """Each line's cells padded so that columns begin together: a column is `least` wide at least.

    The last cell of a line is not padded, unless the program does so `to_the_end`.
    """
    if to_the_end:
        lines = [[*line, ""] for line in lines]
    width: dict[int, int] = {}
    for line in lines:
        for at, cell in enumerate(line[:-1]):
            width[at] = max(width.get(at, least), len(cell) + gap)
    return ["".join(cell.ljust(width[at]) for at, cell in enumerate(line[:-1])) + line[-1] for line in lines if line]
