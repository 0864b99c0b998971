"""Marks that a document carries for erpops: HTML comments, which readers of the Markdown do not see."""

import re

_HEADING = re.compile(r"#{1,6}\s")
_FENCE = re.compile(r"\s*(?:[-*]\s+|\d+[.)]\s+)?(```+|~~~+)")


def end_of_block(lines: list[str], start: int) -> int:
    """The last line of the block behind line `start`: a fence to its end, else to the next blank line or heading."""
    fence, seen = "", False
    for number in range(start + 1, len(lines) + 1):
        line = lines[number - 1]
        mark = _FENCE.match(line)
        if fence:
            if mark and line.strip().startswith(fence) and line.strip() == mark[1]:
                return number
        elif mark:
            fence = mark[1]
        elif _HEADING.match(line):
            if seen:
                return number - 1
            seen = True
        elif not line.strip() and seen:
            following = next((each for each in lines[number:] if each.strip()), "")
            if not _FENCE.match(following):
                return number
        elif line.strip():
            seen = True
    return len(lines)
