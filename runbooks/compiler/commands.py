"""A fence to its entries: commands and the comments around them, in order."""

import re

from runbooks.compiler import (
    fences,
    placeholders,
    queries,
    requests,
    risk,
    sessions,
    shell,
    shell_lines,
    sql,
    sql_sessions,
)
from runbooks.compiler.blocks import Block as SourceBlock
from runbooks.compiler.calls import is_program_call
from runbooks.compiler.compiled import Compiled, add, add_foreign, add_remark, add_shell, make, used_names
from runbooks.compiler.contract import Command
from runbooks.compiler.printed import is_printed
from runbooks.compiler.remarks import Remark
from runbooks.compiler.verdict import Verdict

# A line that ``crontab -l`` prints.
_CRON = re.compile(r"^\s*(?:[\d*][\d*/,-]*\s+){5}\S")
_SQL_CLIENT = re.compile(r"\b(?:psql|mysql|mariadb|sqlite3|cqlsh)\b")


def compile_fence(source: SourceBlock, before: str = "") -> Compiled:
    """Read one fence. ``before`` is the line of text above it."""
    kind = fences.classify(source.text, source.tag, before)
    compiled = Compiled(source, kind)
    reader = _READERS.get(kind)
    if reader is not None:
        reader(compiled)
        _share(compiled.commands)
        sql_sessions.share([command for command in compiled.commands if command["kind"] == "sql"])
    return compiled


def compile_inline(text: str, line: int) -> Compiled | None:
    """Commands of a code span or tree line, if its words are a call of a known program or SQL."""
    if sql.starts(text) and " " in text.strip():
        return compile_as("sql", text, line)
    if is_program_call(text.split()) and (" " in text.strip() or text.startswith("./")):
        return compile_as("shell", text, line)
    return None


def compile_as(kind: str, text: str, line: int) -> Compiled:
    """A text that stands on one line of the document and is known to be of this kind."""
    compiled = Compiled(SourceBlock("fence", line, line, text, first_content_line=line), kind)
    _READERS[kind](compiled)
    return compiled


# -- shell ---------------------------------------------------------------------------------------


def _read_shell(compiled: Compiled) -> None:
    rows = compiled.source.text.split("\n")
    filled = [row for row in rows if row.strip()]
    root = sessions.is_root(filled, fences.speaks_shell(compiled.source.tag))
    if root or sessions.kind_of(filled):
        _read_session(compiled, sessions.read(rows, root=root))
    else:
        _read_lines(compiled, compiled.source.text)


def _read_session(compiled: Compiled, session: sessions.Session) -> None:
    """What was typed behind prompts; what was printed between them becomes notes of the command above."""
    first = compiled.source.first_content_line
    _read_lines(compiled, "\n".join(session.shell), prompted=True)
    if any(session.sql):
        _read_statements(compiled, session.sql)
    for row, text in session.typed:
        verdict = Verdict("blocked", "typed into the session of a program")
        verdict.flag("interactive", "typed into the session of a program")
        add(compiled, make("shell", text, first + row, first + row + text.count("\n"), verdict), verdict)
    compiled.entries += [Remark(first + row, text, "output") for row, text in session.printed]
    compiled.entries += [Remark(first + row, text, "session") for row, text in session.left]
    compiled.entries.sort(key=lambda entry: entry.line if isinstance(entry, Remark) else entry["line"])


def _read_lines(compiled: Compiled, text: str, *, prompted: bool = False) -> None:
    """Logical lines of a shell; without prompts, SQL may be typed into a client and output may stand between."""
    parts = shell.split_units(text)
    assigned = [name for p in parts if isinstance(p, shell.Unit) for name in p.assigned]
    in_session = printing = typed = False
    index = 0
    while index < len(parts):
        part = parts[index]
        index += 1
        if isinstance(part, shell_lines.Chunk):
            printing = False
            if part.kind == "comment":
                add_remark(compiled, part.first, part.text)
            continue
        if typed and not prompted and _was_printed(part, printing):
            printing = True
            _take_printed(compiled, part)
            continue
        printing, typed = False, True
        if in_session or _foreign(part.text):
            index, in_session = _session_line(compiled, parts, index - 1, in_session)
            continue
        command = add_shell(compiled, part, assigned)
        in_session = not prompted and _opens_session(command, part.text)


def _opens_session(command: Command, text: str) -> bool:
    return "interactive" in command["flags"] and bool(_SQL_CLIENT.search(text)) and command["risk"] == "blocked"


def _was_printed(unit: shell.Unit, printing: bool) -> bool:
    """True for a line below a command that bears the marks of output, and for what directly follows it."""
    first = unit.text.split("\n", 1)[0]
    if is_program_call(first.split()) or unit.kind == "assignment":
        return False
    return printing or is_printed(first) or first.strip() in ("{", "[") or bool(_CRON.match(first))


def _take_printed(compiled: Compiled, unit: shell.Unit) -> None:
    line = compiled.source.first_content_line + unit.first
    rows = compiled.source.text.split("\n")[unit.first : unit.last + 1]
    compiled.entries += [Remark(line + i, row.rstrip(), "output") for i, row in enumerate(rows)]


def _foreign(text: str) -> bool:
    """SQL, psql commands or a query typed into a shell fence."""
    return bool(sql.starts(text)) or bool(sql.META.match(text)) or bool(queries.kind_of(text))


def _session_line(
    compiled: Compiled, parts: list[shell.Unit | shell_lines.Chunk], index: int, in_session: bool
) -> tuple[int, bool]:
    """One foreign command that starts at ``parts[index]``; returns (next index, still in a session)."""
    part = parts[index]
    assert isinstance(part, shell.Unit)
    text = part.text
    if text.strip().rstrip(";") in (r"\q", "exit", "quit"):
        compiled.entries.append(Remark(compiled.source.first_content_line + part.first, text.strip(), "session"))
        if part.trailing:
            add_remark(compiled, part.first, part.trailing)
        return index + 1, False
    last, end = part.last, index + 1
    kind = queries.kind_of(text)
    if kind is None and not text.lstrip().startswith("\\"):
        while not _ended(text) and end < len(parts):
            following = parts[end]
            if isinstance(following, shell_lines.Chunk) and following.kind == "blank":
                break
            text, last, end = f"{text}\n{following.text}", following.last, end + 1
    code, _, trailing = text.partition("  #") if "\n" not in text else (text, "", "")
    if not in_session and kind is None and not sql.starts(code) and not code.lstrip().startswith("\\"):
        return index + 1, in_session
    add_foreign(compiled, kind or "sql", code.rstrip(), part.first, last)
    for note in (trailing, part.trailing if "\n" not in text else ""):
        if note.strip():
            add_remark(compiled, last, note)
    return end, in_session


def _ended(text: str) -> bool:
    return re.sub(r"\s#.*$", "", text).rstrip().endswith(";")


# -- other kinds -----------------------------------------------------------------------------------


def _read_script(compiled: Compiled) -> None:
    """A script is one unit: its risk is the worst of what it calls, its own functions left out."""
    source = compiled.source
    verdict = Verdict()
    variables: list[shell.Variable] = []
    assigned: list[str] = []
    if fences.is_program(source.text, source.tag):
        rule = f"a {source.tag} program" if source.tag else "a program"
        verdict.raise_to("disrupt", rule)
        verdict.flag("opaque", rule)
    else:
        units = [p for p in shell.split_units(source.text) if isinstance(p, shell.Unit)]
        functions = [name for u in units for name in u.functions]
        for unit in units:
            unit.functions += functions
            verdict.add(risk.judge_unit(unit))
            variables += [shell.Variable(v.name, v.row + unit.first, v.default) for v in unit.variables]
            assigned += unit.assigned
    line = source.first_content_line
    command = make("script", source.text.rstrip(), line, line + source.text.rstrip().count("\n"), verdict)
    command["parameters"] = placeholders.find(source.text, line=line, variables=variables, assigned=assigned)
    add(compiled, command, verdict)


def _read_sql(compiled: Compiled) -> None:
    rows = compiled.source.text.split("\n")
    if sessions.kind_of([row for row in rows if row.strip()]):
        _read_session(compiled, sessions.read(rows))
    else:
        _read_statements(compiled, rows)


def _read_statements(compiled: Compiled, rows: list[str]) -> None:
    """SQL statements; lines that call a program on the shell are shell commands of their own."""
    rows, outside = list(rows), []
    for index, row in enumerate(rows):
        if row.lstrip().startswith("\\"):
            outside.append((index, row))
            rows[index] = ""
        elif row.strip() and fences.is_shell_row(row):
            chunk = shell_lines.code(rows, index)
            outside.append((index, chunk.text))
            rows[index : chunk.last + 1] = [""] * (chunk.last + 1 - index)
    parts = sql.split("\n".join(rows))
    merged: list[tuple[int, sql.Statement | sql.Remark | str]] = [(i, row) for i, row in outside]
    merged += [(p.first if isinstance(p, sql.Statement) else p.row, p) for p in parts]
    for first, part in sorted(merged, key=lambda pair: pair[0]):
        if isinstance(part, str) and part.lstrip().startswith("\\"):
            add_foreign(compiled, "sql", part.strip(), first, first)
        elif isinstance(part, str):
            add_shell(compiled, shell.parse_unit(part, first, first + part.count("\n")), [])
        elif isinstance(part, sql.Remark):
            for offset, text in enumerate(part.text.split("\n")):
                add_remark(compiled, part.row + offset, text)
        else:
            text = "\n".join(row.rstrip() for row in part.text.split("\n"))
            add_foreign(compiled, "sql", text, part.first, part.last)
            if part.trailing:
                add_remark(compiled, part.last, part.trailing)


def _read_queries(compiled: Compiled) -> None:
    found = {first: (last, text) for first, last, text in queries.split(compiled.source.text)}
    for row, line in enumerate(compiled.source.text.split("\n")):
        if row in found:
            last, text = found[row]
            add_foreign(compiled, compiled.kind, text.strip(), row, last)
        elif line.strip().startswith(("#", "//")):
            add_remark(compiled, row, line)


def _read_requests(compiled: Compiled) -> None:
    first = compiled.source.first_content_line
    for part in requests.split(compiled.source.text):
        if part.kind == "request":
            add_foreign(compiled, "request", part.text.strip(), part.first, part.last)
        elif part.kind == "answer":
            compiled.entries.append(Remark(first + part.first, part.text.rstrip(), "output"))
        else:
            add_remark(compiled, part.first, part.text)


def _read_env(compiled: Compiled) -> None:
    for row, raw in enumerate(compiled.source.text.split("\n")):
        text = raw.strip()
        if not text:
            continue
        if text.startswith(("#", ";", "[")):
            add_remark(compiled, row, text)
            continue
        line = compiled.source.first_content_line + row
        used = re.match(r"(?:export\s+)?(\w+)", text)
        verdict = Verdict("change", "a setting that takes effect elsewhere")
        command = make("env", text, line, line, verdict)
        name = {used.group(1)} if used else set()
        command["parameters"] = [p for p in placeholders.find(text, line=line) if p["name"] not in name]
        add(compiled, command, verdict)


def _read_comment(compiled: Compiled) -> None:
    for row, raw in enumerate(compiled.source.text.split("\n")):
        if raw.strip():
            add_remark(compiled, row, raw)


def _share(commands: list[Command]) -> None:
    """Which earlier commands of the fence a command needs in the same shell."""
    providers: dict[str, int] = {}
    moved: int | None = None
    for command in commands:
        if command["kind"] not in ("shell", "http", "env", "script"):
            continue
        needs = {providers[n] for n in used_names(command["text"]) if n in providers}
        if moved is not None:
            needs.add(moved)
        command["shares_shell_with"] = sorted(needs - {command["line"]})
        for name in re.findall(r"(?:^|\s|;)(?:export\s+|local\s+|declare\s+)?([A-Za-z_]\w*)=", command["text"]):
            providers[name] = command["line"]
        if re.match(r"(?:cd|pushd|source|\.)\s", command["text"]):
            moved = command["line"]


_READERS = {
    "shell": _read_shell,
    "script": _read_script,
    "sql": _read_sql,
    "promql": _read_queries,
    "logql": _read_queries,
    "lucene": _read_queries,
    "http": _read_requests,
    "env": _read_env,
    "comment": _read_comment,
}
