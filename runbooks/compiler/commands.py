"""A fence to its entries: commands and the comments around them, in order."""

import re
from dataclasses import dataclass, field

from runbooks.compiler import comments, fences, flags, placeholders, queries, risk, shell, shell_lines, sql
from runbooks.compiler.blocks import Block as SourceBlock
from runbooks.compiler.contract import Block, Command, Note, Why
from runbooks.compiler.remarks import Remark, attach_remarks
from runbooks.compiler.verdict import Verdict

_TRANSPARENT = frozenset(["time", "sudo", "env", "nohup", "timeout"])
_IN_SQL_FENCE = re.compile(
    r"^\s*(?:sudo\s+)?(?:kubectl|oc|docker|docker-compose|podman|psql|mysql|ssh|pg_\w+|sqlite3|aws|gcloud)\s"
)
_SQL_CLIENT = re.compile(r"\b(?:psql|mysql|mariadb|sqlite3|cqlsh)\b")


@dataclass(slots=True)
class Compiled:
    """A fence after reading: its kind, its entries in order, and problems as (line, rule, message)."""

    source: SourceBlock
    kind: str
    entries: list[Command | Remark] = field(default_factory=list)
    problems: list[tuple[int, str, str]] = field(default_factory=list)
    attached: bool = False

    def attach(self) -> None:
        """Give the comments to their commands; a fence that is used twice keeps them once."""
        if not self.attached:
            attach_remarks(self.entries)
            self.attached = True

    @property
    def commands(self) -> list[Command]:
        return [e for e in self.entries if not isinstance(e, Remark)]

    def block(self) -> Block:
        """The fence as something that is shown and not run."""
        notes: list[Note] = [
            {"line": e.line, "text": e.text, "kind": e.kind} for e in self.entries if isinstance(e, Remark)
        ]
        return {
            "line": self.source.line,
            "end_line": self.source.end_line,
            "kind": self.kind,
            "tag": self.source.tag,
            "text": self.source.text,
            "notes": notes,
        }


def compile_fence(source: SourceBlock, before: str = "") -> Compiled:
    """Read one fence. ``before`` is the line of text above it."""
    kind = fences.classify(source.text, source.tag, before)
    compiled = Compiled(source, kind)
    reader = _READERS.get(kind)
    if reader is not None:
        reader(compiled)
        _share(compiled.commands)
    return compiled


def compile_inline(text: str, line: int) -> Compiled | None:
    """Commands of a code span or tree line, if its words are a call of a known program or SQL."""
    source = SourceBlock("fence", line, line, text, first_content_line=line)
    if sql.SQL_START.match(text) and " " in text.strip():
        compiled = Compiled(source, "sql")
        _read_sql(compiled)
    elif fences.is_program_call(text.split()) and (" " in text.strip() or text.startswith("./")):
        compiled = Compiled(source, "shell")
        _read_shell(compiled)
    else:
        return None
    return compiled


def make(kind: str, text: str, line: int, end_line: int, verdict: Verdict) -> Command:
    """One command of the contract from its verdict."""
    why: list[Why] = [{"about": "risk", "rule": verdict.rule or "nothing that writes", "line": line}]
    names = [f for f in flags.ORDER if f in verdict.flags]
    why += [flags.why(f, verdict.flags[f], line) for f in names]
    return {
        "line": line,
        "end_line": end_line,
        "kind": kind,
        "text": text,
        "label": None,
        "programs": list(dict.fromkeys(verdict.programs)),
        "risk": verdict.risk,
        "flags": names,
        "parameters": [],
        "expected": [],
        "shares_shell_with": [],
        "notes": [],
        "why": why,
    }


def _remark(compiled: Compiled, row: int, raw: str) -> None:
    text = comments.strip(raw)
    line = compiled.source.first_content_line + row
    compiled.entries.append(Remark(line, text, comments.kind_of(text)))


# -- shell ---------------------------------------------------------------------------------------


def _read_shell(compiled: Compiled) -> None:
    text = _without_prompts(compiled)
    parts = shell.split_units(text)
    assigned = [name for p in parts if isinstance(p, shell.Unit) for name in p.assigned]
    in_session = False
    index = 0
    while index < len(parts):
        part = parts[index]
        index += 1
        if isinstance(part, shell_lines.Chunk):
            if part.kind == "comment":
                _remark(compiled, part.first, part.text)
            continue
        if in_session or _foreign(part.text):
            index, in_session = _session_line(compiled, parts, index - 1, in_session)
            continue
        command = _shell_command(compiled, part, assigned)
        in_session = (
            "interactive" in command["flags"] and bool(_SQL_CLIENT.search(part.text)) and command["risk"] == "blocked"
        )


def _without_prompts(compiled: Compiled) -> str:
    """The text with prompts taken off; lines that a session printed become an output note."""
    rows = compiled.source.text.split("\n")
    if all(r.startswith("# ") for r in rows if r.strip()):
        return "\n".join(r[2:] for r in rows)
    if not any(fences.PROMPT.match(r) for r in rows):
        return compiled.source.text
    out, going_on = [], False
    for row, line in enumerate(rows):
        match = fences.PROMPT.match(line)
        if match or going_on or line.strip().startswith("#"):
            body = line[match.end() :] if match else line
            out.append(body)
            going_on = body.rstrip().endswith("\\") and not body.strip().startswith("#")
        else:
            out.append("")
            if line.strip():
                compiled.entries.append(Remark(compiled.source.first_content_line + row, line.rstrip(), "output"))
    return "\n".join(out)


def _foreign(text: str) -> bool:
    """SQL, psql commands or a query typed into a shell fence."""
    return bool(sql.SQL_START.match(text)) or bool(sql.META.match(text)) or bool(queries.kind_of(text))


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
            _remark(compiled, part.first, part.trailing)
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
    if not in_session and kind is None and not sql.SQL_START.match(code) and not code.lstrip().startswith("\\"):
        return index + 1, in_session
    _foreign_command(compiled, kind or "sql", code.rstrip(), part.first, last)
    for note in (trailing, part.trailing if "\n" not in text else ""):
        if note.strip():
            _remark(compiled, last, note)
    return end, in_session


def _ended(text: str) -> bool:
    return re.sub(r"\s#.*$", "", text).rstrip().endswith(";")


def _foreign_command(compiled: Compiled, kind: str, text: str, first: int, last: int) -> None:
    line = compiled.source.first_content_line + first
    verdict = sql.judge(text) if kind == "sql" else Verdict("read", f"a {kind} query")
    problem = queries.problem(kind, text)
    if problem:
        verdict.problems.append(problem)
    command = make(kind, text, line, compiled.source.first_content_line + last, verdict)
    language = "sql" if kind == "sql" else "query"
    command["parameters"] = placeholders.find(text, line=line, language=language)
    _add(compiled, command, verdict)


def _shell_command(compiled: Compiled, unit: shell.Unit, assigned: list[str]) -> Command:
    line = compiled.source.first_content_line + unit.first
    verdict = risk.judge_unit(unit)
    text = unit.text
    kind = "shell"
    if unit.kind == "assignment":
        kind = "env"
        used = set(unit.assigned) & _used_names(compiled.source.text)
        verdict.raise_to("read" if used or "$(" in text else "change", "a setting that takes effect elsewhere")
        verdict.rule = verdict.rule or "a variable of this shell"
    elif _is_http(unit):
        kind = "http"
    end = line + text.count("\n")
    command = make(kind, text.strip(), line, end, verdict)
    command["parameters"] = placeholders.find(
        text, line=line, variables=unit.variables, assigned=assigned, programs=command["programs"]
    )
    if "secret" not in command["flags"] and (rule := _tells_a_secret(command)):
        command["flags"] = [f for f in flags.ORDER if f in command["flags"] or f == "secret"]
        command["why"].append(flags.why("secret", rule, line))
    if unit.kind == "broken":
        verdict.problems.append(
            ("shell.syntax", "A shell cannot parse this line: check quotes, brackets and line ends.")
        )
    _add(compiled, command, verdict)
    if unit.trailing:
        _remark(compiled, unit.trailing_row, unit.trailing)
    return command


def _tells_a_secret(command: Command) -> str:
    """Why the output may hold a secret that stands in the command, or that is asked for; empty if it holds none."""
    first = command["programs"][0] if command["programs"] else ""
    if first in ("echo", "printf") and any(p["type"] == "secret" for p in command["parameters"]):
        # A count of its parts shows nothing of it.
        return "" if "wc" in command["programs"] or "NF" in command["text"] else "prints a value that is a secret"
    if command["kind"] == "http" and _ASKS_FOR_TOKEN.search(command["text"]) and not _HEAD.search(command["text"]):
        return "the answer to a login holds a token"
    return ""


_ASKS_FOR_TOKEN = re.compile(
    r"https?://\S*/(?:login|signin|token|tokens|refresh|oauth\S*|session|sessions)\b(?=.*\s(?:-d|--data))|"
    r"(?:-d|--data)\b.*https?://\S*/(?:login|signin|token|tokens|refresh|oauth\S*)\b",
    re.DOTALL,
)
_HEAD = re.compile(r"\s(?:-I|--head)\b")


def _used_names(text: str) -> set[str]:
    return set(re.findall(r"\$\{?(\w+)", text))


def _is_http(unit: shell.Unit) -> bool:
    if not unit.invocations:
        return False
    words = [risk.program_name(w.value) for w in unit.invocations[0].words]
    while words and (words[0] in _TRANSPARENT or words[0].startswith("-")):
        del words[0]
    return bool(words) and words[0] in ("curl", "wget")


def _add(compiled: Compiled, command: Command, verdict: Verdict) -> None:
    compiled.entries.append(command)
    compiled.problems += [(command["line"], rule, message) for rule, message in verdict.problems]


# -- other kinds -----------------------------------------------------------------------------------


def _read_script(compiled: Compiled) -> None:
    """A script is one unit: its risk is the worst of what it calls, its own functions left out."""
    source = compiled.source
    verdict = Verdict()
    variables: list[shell.Variable] = []
    assigned: list[str] = []
    tag = source.tag or "sh"
    if tag in (
        "python",
        "py",
        "ruby",
        "rb",
        "javascript",
        "js",
        "typescript",
        "ts",
        "go",
        "perl",
        "php",
        "java",
        "groovy",
    ):
        verdict.raise_to("disrupt", f"a {tag} program")
        verdict.flag("opaque", f"a {tag} program")
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
    _add(compiled, command, verdict)


def _read_sql(compiled: Compiled) -> None:
    """SQL statements; lines that call a client on the shell are shell commands of their own."""
    rows = [fences.DB_PROMPT.sub("", row) for row in compiled.source.text.split("\n")]
    outside: list[tuple[int, str]] = []
    for index, row in enumerate(rows):
        if _IN_SQL_FENCE.match(row) or row.lstrip().startswith("\\"):
            outside.append((index, row))
            rows[index] = ""
    parts = sql.split("\n".join(rows))
    merged: list[tuple[int, sql.Statement | sql.Remark | str]] = [(i, row) for i, row in outside]
    merged += [(p.first if isinstance(p, sql.Statement) else p.row, p) for p in parts]
    for first, part in sorted(merged, key=lambda pair: pair[0]):
        if isinstance(part, str) and part.lstrip().startswith("\\"):
            _foreign_command(compiled, "sql", part.strip(), first, first)
        elif isinstance(part, str):
            unit = shell.parse_unit(part, first, first)
            _shell_command(compiled, unit, [])
        elif isinstance(part, sql.Remark):
            for offset, text in enumerate(part.text.split("\n")):
                _remark(compiled, part.row + offset, text)
        else:
            text = "\n".join(row.rstrip() for row in part.text.split("\n"))
            _foreign_command(compiled, "sql", text, part.first, part.last)
            if part.trailing:
                _remark(compiled, part.last, part.trailing)


def _read_queries(compiled: Compiled) -> None:
    found = {first: (last, text) for first, last, text in queries.split(compiled.source.text)}
    for row, line in enumerate(compiled.source.text.split("\n")):
        if row in found:
            last, text = found[row]
            _foreign_command(compiled, compiled.kind, text.strip(), row, last)
        elif line.strip().startswith(("#", "//")):
            _remark(compiled, row, line)


def _read_env(compiled: Compiled) -> None:
    for row, raw in enumerate(compiled.source.text.split("\n")):
        text = raw.strip()
        if not text:
            continue
        if text.startswith(("#", ";")):
            _remark(compiled, row, text)
            continue
        line = compiled.source.first_content_line + row
        used = re.match(r"(?:export\s+)?(\w+)", text)
        verdict = Verdict("change", "a setting that takes effect elsewhere")
        command = make("env", text, line, line, verdict)
        name = {used.group(1)} if used else set()
        command["parameters"] = [p for p in placeholders.find(text, line=line) if p["name"] not in name]
        _add(compiled, command, verdict)


def _read_comment(compiled: Compiled) -> None:
    for row, raw in enumerate(compiled.source.text.split("\n")):
        if raw.strip():
            _remark(compiled, row, raw)


def _share(commands: list[Command]) -> None:
    """Which earlier commands of the fence a command needs in the same shell."""
    providers: dict[str, int] = {}
    moved: int | None = None
    for command in commands:
        if command["kind"] not in ("shell", "http", "env", "script"):
            continue
        needs = {providers[n] for n in _used_names(command["text"]) if n in providers}
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
    "env": _read_env,
    "comment": _read_comment,
}
