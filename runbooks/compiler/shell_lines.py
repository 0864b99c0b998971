"""Physical lines to logical shell lines: continuations, open quotes, heredocs, compound commands.

This scanner only decides where a unit ends; the meaning of a unit is read by the grammar in
``shell.py``. Units are cut one by one so that one broken line cannot swallow its neighbours.
"""

import re
from dataclasses import dataclass

_HEREDOC = re.compile(r"<<(?!<)(-?)\s*\\?(['\"]?)([A-Za-z_][\w.-]*)\2")
COMPOUND = re.compile(
    r"^\s*(?:for|while|until|if|case|select)\b|^\s*(?:function\s+[\w-]+|[\w-]+\s*\(\s*\))\s*\{?\s*$"
    r"|^\s*(?:function\s+[\w-]+|[\w-]+\s*\(\s*\))\s*\{|^\s*[{(]\s*$|[|;&]\s*(?:while|for|until|if)\b"
)
_CLOSERS = {"do": "done", "then": "fi", "case": "esac"}


@dataclass(slots=True)
class Chunk:
    """Rows (0-based, inclusive) of one logical line; ``blank``/``comment`` chunks are one row."""

    first: int
    last: int
    text: str
    kind: str  # blank, comment, code, unclosed


@dataclass(slots=True)
class Scan:
    """What is still open at the end of the text scanned so far."""

    quote: str = ""
    depth: int = 0
    continued: bool = False
    heredocs: tuple[tuple[str, bool], ...] = ()

    @property
    def open(self) -> bool:
        return bool(self.quote or self.depth or self.continued or self.heredocs)


def chunks(source: str) -> list[Chunk]:
    """Cut a fence's text into logical lines."""
    rows = source.split("\n")
    out: list[Chunk] = []
    row = 0
    while row < len(rows):
        stripped = rows[row].strip()
        if not stripped:
            out.append(Chunk(row, row, "", "blank"))
        elif stripped.startswith("#"):
            out.append(Chunk(row, row, rows[row], "comment"))
        else:
            out.append(code(rows, row))
        row = out[-1].last + 1
    return out


def code(rows: list[str], first: int) -> Chunk:
    last = _logical_end(rows, first)
    if last is None:
        return Chunk(first, first, rows[first], "unclosed")
    if COMPOUND.search(rows[first]):
        last = _compound_end(rows, first, last)
    return Chunk(first, last, "\n".join(rows[first : last + 1]), "code")


def _logical_end(rows: list[str], first: int) -> int | None:
    """The last row of the logical line that starts at ``first``; None if a quote never closes."""
    state = Scan()
    for row in range(first, len(rows)):
        if state.heredocs and not state.quote:
            word, dashed = state.heredocs[0]
            line = rows[row].lstrip("\t") if dashed else rows[row]
            if line.rstrip() == word:
                state.heredocs = state.heredocs[1:]
                if not state.open:
                    return row
            continue
        scan_line(rows[row], state)
        if not state.open:
            return row
    if state.quote or state.heredocs:
        return None
    if state.continued and not state.depth:
        return len(rows) - 1 if len(rows) - first < 2 else _last_filled(rows, first)
    return first


def _last_filled(rows: list[str], first: int) -> int:
    row = first
    while row + 1 < len(rows) and rows[row + 1].strip():
        row += 1
    return row


def scan_line(line: str, state: Scan) -> None:
    """Advance quotes, ``$(`` depth, heredoc starts and continuation over one physical line."""
    state.continued = False
    index, size = 0, len(line)
    while index < size:
        char = line[index]
        if state.quote == "'":
            state.quote = "" if char == "'" else "'"
        elif char == "\\":
            state.continued = index == size - 1
            index += 1
        elif state.quote == '"':
            state.quote = "" if char == '"' else '"'
        elif char == "#" and (index == 0 or line[index - 1] in " \t;"):
            return
        else:
            index = _scan_bare(line, index, state)
        index += 1
    tail = line.rstrip()
    if not state.quote and tail.endswith(("|", "&&")) and not tail.endswith("\\|"):
        state.continued = True


def _scan_bare(line: str, index: int, state: Scan) -> int:
    """One character outside of quotes; returns the index of the last character used."""
    char = line[index]
    if char in "'\"":
        state.quote = char
    elif char == "(":
        state.depth += 1
    elif char == ")":
        state.depth = max(0, state.depth - 1)
    elif line.startswith("<<<", index):
        return index + 2
    elif line.startswith("<<", index):
        match = _HEREDOC.match(line, index)
        if match:
            state.heredocs += ((match.group(3), bool(match.group(1))),)
            return match.end() - 1
    return index


def _compound_end(rows: list[str], first: int, last: int) -> int:
    """Extend a unit that opens a loop, branch, function or group to the row that closes it."""
    balance = 0
    for row in range(first, len(rows)):
        balance += _balance(rows[row])
        if row >= last and balance <= 0:
            return row
    return last


def _balance(line: str) -> int:
    code = re.sub(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|(?<!\S)#.*$", " ", line)
    words = re.findall(r"(?<![\w./-])(?:if|fi|do|done|case|esac)(?![\w./-])|[{}]", re.sub(r"\$\{[^}]*\}", "", code))
    opens = sum(w in ("if", "do", "case", "{") for w in words)
    return opens - (len(words) - opens)
