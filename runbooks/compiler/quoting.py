"""For each character of a shell text, the quoting that it stands in."""

import re

_HEREDOC = re.compile(r"<<(?!<)-?\s*(\\|['\"])?([A-Za-z_]\w*)")

BARE, SINGLE, DOUBLE, OPEN_HEREDOC, QUOTED_HEREDOC, ARITHMETIC = "", "'", '"', "H", "h", "("


def contexts(text: str) -> list[str]:
    """One context per character; inside ``$(…)`` and backticks quoting starts afresh, as in the shell."""
    out: list[str] = []
    stack: list[str] = [BARE]
    bodies = heredocs(text)
    index = 0
    while index < len(text):
        body = next((kind for start, end, kind in bodies if start <= index < end), None)
        step = 1 if body is not None else _advance(text, index, stack)
        out += [body if body is not None else _context(stack)] * step
        index += step
    return out[: len(text)]


def _context(stack: list[str]) -> str:
    if ARITHMETIC in stack:
        return ARITHMETIC
    return stack[-1] if stack[-1] in (SINGLE, DOUBLE) else BARE


def _advance(text: str, index: int, stack: list[str]) -> int:
    """Apply the character at ``index`` to the stack; how many characters it used."""
    char, top = text[index], stack[-1]
    if top == SINGLE:
        if char == "'":
            stack.pop()
        return 1
    if char == "\\":
        return min(2, len(text) - index)
    if text.startswith("$((", index) or (top == BARE and text.startswith("((", index) and len(stack) == 1):
        stack.append(ARITHMETIC)
        return 3 if char == "$" else 2
    if top == ARITHMETIC:
        if text.startswith("))", index):
            stack.pop()
            return 2
        return 1
    if text.startswith("$(", index):
        stack.append(")")
        return 2
    return _quote(char, top, stack)


def _quote(char: str, top: str, stack: list[str]) -> int:
    if char == "`":
        if "`" in stack:
            while stack.pop() != "`":
                continue
        else:
            stack.append("`")
    elif char == '"':
        if top == DOUBLE:
            stack.pop()
        else:
            stack.append(DOUBLE)
    elif char == "'" and top != DOUBLE:
        stack.append(SINGLE)
    elif char == "(" and top != DOUBLE:
        stack.append(")")
    elif char == ")" and top == ")":
        stack.pop()
    return 1


def heredocs(text: str) -> list[tuple[int, int, str]]:
    """(start, end, context) of heredoc bodies; an open one is expanded by the shell."""
    out = []
    for match in _HEREDOC.finditer(text):
        start = text.find("\n", match.end())
        if start < 0:
            continue
        end = re.compile(rf"^\s*{re.escape(match.group(2))}\s*$", re.MULTILINE).search(text, start + 1)
        out.append((start + 1, end.start() if end else len(text), QUOTED_HEREDOC if match.group(1) else OPEN_HEREDOC))
    return out
