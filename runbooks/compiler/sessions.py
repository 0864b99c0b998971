"""A copied terminal session: what was typed behind prompts, what was printed between them."""

import re
from dataclasses import dataclass, field

from runbooks.compiler import shell_lines
from runbooks.compiler.calls import SENTENCE, is_program_call, is_tool_name
from runbooks.compiler.printed import is_output

_SHELL = re.compile(
    r"^\s*(?:\$\s+(?=[^\d\s])|(?:(?:\([\w.-]+\)\s*)?\[?[\w.-]+@[\w.-]+(?:[:\s][^$#%\n>]*)?\]?\s?[$#%>]\s+"
    r"|[\w.-]*[:~/][\w./~-]*[$#]\s+|(?:PS\s)?[A-Z]:\\[^>\n]*>\s*|(?:sh|bash)-[\d.]+[$#]\s+|❯\s+|➜\s+)(?=\S))"
)
_LOOSE = re.compile(r"^\s*[%>]\s+(?=\S)")
_SQL = re.compile(
    r"^\s*(?:[A-Za-z_][\w.-]*[=\-('\"*^!][#>]\s+|mysql>\s+|MariaDB \[[^\]]*\]>\s+|sqlite>\s+|cqlsh(?::\w+)?>\s+)(?=\S)"
)
_SQL_ON = re.compile(r"^\s*(?:[A-Za-z_][\w.-]*[-('\"][#>]|->|\.\.\.>)(?:\s|$)")
_TYPED = re.compile(
    r"^\s*(?:>>>\s|[\w.-]+:\d+(?:\[\d+\])?>\s|redis[\w.-]*>\s|irb\([^)]*\)(?::\d+)*[>*]\s|In \[\d+\]:\s|iex\(\d+\)>\s"
    r"|[\w-]+:(?:PRIMARY|SECONDARY)>\s|(?:mongos?|mongosh|test|admin|sftp|ftp|nslookup|ghci|scala|jshell)>\s|\(gdb\)\s)"
    r"\s*(?=\S)"
)
# “> slowlog get 10”: the prompt of no program in particular.
_ANY = re.compile(r"^\s*>\s+(?=\.?[A-Za-z_][\w.:-]*(?:\s|[(\[]|$))")
_TYPED_ON = re.compile(r"^\s*\.\.\.(?:\s|$)")
_BARE = re.compile(r"^\s*(?:\$|[\w.-]+[=\-][#>]|mysql>|>>>|[\w.-]+:\d+>|\S+@\S+[$#])\s*$")
_SECOND = re.compile(r"^\s*>\s?")
_LEFT = re.compile(r"^(?:\\q|exit|quit|exit\(\)|quit\(\));?$")


@dataclass(slots=True)
class Session:
    """Rows (from 0) by what they are. ``shell`` and ``sql`` keep every row, those of others left empty."""

    shell: list[str]
    sql: list[str]
    typed: list[tuple[int, str]] = field(default_factory=list)
    printed: list[tuple[int, str]] = field(default_factory=list)
    left: list[tuple[int, str]] = field(default_factory=list)


def is_prompted(row: str) -> bool:
    """True if a shell prompt opens this line."""
    return _prompt_end(row) is not None


def _prompt_end(row: str) -> int | None:
    """Where the command behind a shell prompt begins."""
    match = _SHELL.match(row)
    if match:
        return match.end()
    loose = _LOOSE.match(row)
    return loose.end() if loose and is_program_call(row[loose.end() :].split()) else None


def kind_of(rows: list[str]) -> str | None:
    """``shell`` or ``sql`` if the lines are a session of a shell, of a database or of another program."""
    if any(is_prompted(row) for row in rows):
        return "shell"
    if any(_SQL.match(row) for row in rows):
        return "sql" if not any(is_program_call(row.split()) for row in rows[:1]) else "shell"
    return "shell" if _typed_end(rows[0]) or any(_TYPED.match(row) for row in rows) else None


def _typed_end(row: str) -> int | None:
    """Where the text behind the prompt of another program begins."""
    match = _TYPED.match(row)
    if match is None and (match := _ANY.match(row)):
        words = row[match.end() :].split()
        sentence = len(words) > 8 or row.rstrip().endswith((".", ",", ":", "!", "?")) or words[0] in ("Note", "Warning")
        return None if sentence or set(words[1:]) & SENTENCE else match.end()
    return match.end() if match else None


def is_root(rows: list[str], tag_says_shell: bool) -> bool:
    """True if ``# `` is the prompt of root: every such line is a call, and what is between them was printed."""
    marked = [row.strip()[1:].split() for row in rows if row.lstrip().startswith("# ")]
    other = [row for row in rows if row.strip() and not row.lstrip().startswith("#")]
    if not marked or not rows[0].lstrip().startswith("# "):
        return False
    calls = all(is_program_call(words) for words in marked)
    if other:
        named = calls or (len(marked) == 1 and is_tool_name(marked[0][0]) and len(marked[0]) < 4)
        return bool(named) and is_output(other[:3]) and not any(is_program_call(row.split()) for row in other)
    return calls and not tag_says_shell


def read(rows: list[str], *, root: bool = False) -> Session:
    """Take the prompts off. ``root``: ``# `` is a prompt and not a comment."""
    size = len(rows)
    session = Session([""] * size, [""] * size)
    row = 0
    while row < size:
        row = _take(rows, row, session, root=root)
    return session


def _take(rows: list[str], row: int, session: Session, *, root: bool) -> int:
    """Read what begins at ``row``; the row after it."""
    line = rows[row]
    if root and line.lstrip().startswith("# "):
        session.shell[row] = line.lstrip()[2:]
        return row + 1
    if (sql := _SQL.match(line)) is not None:
        return _take_sql(rows, row, sql.end(), session)
    end = _prompt_end(line)
    if end is not None:
        return _take_shell(rows, row, end, session)
    typed = _typed_end(line)
    if typed is not None and (_TYPED.match(line) or not any(session.shell)):
        return _take_typed(rows, row, typed, session)
    if line.strip().startswith("#"):
        session.shell[row] = line
    elif line.strip() and not _BARE.match(line):
        session.printed.append((row, line.rstrip()))
    return row + 1


def _take_shell(rows: list[str], row: int, end: int, session: Session) -> int:
    """One logical line; the lines that continue it may carry a second prompt (``> ``)."""
    body = [rows[row][end:]]
    if _goes_on(body[0]):
        for following in rows[row + 1 :]:
            if is_prompted(following) and not _SECOND.match(following):
                break
            body.append(_SECOND.sub("", following, count=1) if following.lstrip().startswith(">") else following)
        body = body[: shell_lines.code(body, 0).last + 1]
    session.shell[row : row + len(body)] = body
    return row + len(body)


def _goes_on(line: str) -> bool:
    state = shell_lines.Scan()
    shell_lines.scan_line(line, state)
    return state.open or bool(shell_lines.COMPOUND.search(line))


def _take_sql(rows: list[str], row: int, end: int, session: Session) -> int:
    """One statement; it ends with a semicolon, or at once if it is a command of the client."""
    text = rows[row][end:].rstrip()
    if _LEFT.match(text.strip()):
        session.left.append((row, text))
        return row + 1
    session.sql[row] = text
    while not text.startswith("\\") and not re.search(r"(?:;|\\[gG])\s*(?:--.*)?$", text) and row + 1 < len(rows):
        following = rows[row + 1]
        goes_on = _SQL_ON.match(following)
        if goes_on is None and (not following.strip() or _SQL.match(following) or is_prompted(following)):
            break
        row += 1
        text = following[goes_on.end() :] if goes_on else following
        session.sql[row] = text.rstrip()
    return row + 1


def _take_typed(rows: list[str], row: int, end: int, session: Session) -> int:
    text, first = rows[row][end:].rstrip(), row
    if _LEFT.match(text.strip()):
        session.left.append((row, text))
        return row + 1
    while row + 1 < len(rows) and (goes_on := _TYPED_ON.match(rows[row + 1])):
        row += 1
        text += "\n" + rows[row][goes_on.end() :]
    session.typed.append((first, text.rstrip()))
    return row + 1
