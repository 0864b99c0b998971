"""A fence in the reading: its entries, and how one command of the contract comes about."""

import re
from dataclasses import dataclass, field

from runbooks.compiler import comments, flags, placeholders, queries, requests, risk, shell, sql
from runbooks.compiler.blocks import Block as SourceBlock
from runbooks.compiler.contract import Block, Command, Note, Why
from runbooks.compiler.remarks import Remark, attach_remarks
from runbooks.compiler.verdict import Verdict

_TRANSPARENT = frozenset(["time", "sudo", "env", "nohup", "timeout"])


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


def add_remark(compiled: Compiled, row: int, raw: str) -> None:
    """A comment line; ``row`` counts from 0 in the fence."""
    text = comments.strip(raw)
    line = compiled.source.first_content_line + row
    compiled.entries.append(Remark(line, text, comments.kind_of(text)))


def add_foreign(compiled: Compiled, kind: str, text: str, first: int, last: int) -> None:
    """A command that no shell runs: SQL, a request or a query, in the rows ``first`` to ``last``."""
    line = compiled.source.first_content_line + first
    judge = _JUDGES.get(kind)
    verdict = judge(text) if judge else Verdict("read", f"a {kind} query")
    problem = queries.problem(kind, text)
    if problem:
        verdict.problems.append(problem)
    command = make(kind, text, line, compiled.source.first_content_line + last, verdict)
    language = kind if kind in _JUDGES else "query"
    command["parameters"] = placeholders.find(
        text, line=line, language=language, variables=requests.variables(text) if kind == "request" else ()
    )
    add(compiled, command, verdict)


def add_shell(compiled: Compiled, unit: shell.Unit, assigned: list[str]) -> Command:
    """A unit of the shell; ``assigned`` are the variables that its fence sets."""
    line = compiled.source.first_content_line + unit.first
    verdict = risk.judge_unit(unit)
    text = unit.text
    kind = "shell"
    if unit.kind == "assignment":
        kind = "env"
        used = set(unit.assigned) & used_names(compiled.source.text)
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
    add(compiled, command, verdict)
    if unit.trailing:
        add_remark(compiled, unit.trailing_row, unit.trailing)
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


_JUDGES = {"sql": sql.judge, "request": requests.judge}
_ASKS_FOR_TOKEN = re.compile(
    r"https?://\S*/(?:login|signin|token|tokens|refresh|oauth\S*|session|sessions)\b(?=.*\s(?:-d|--data))|"
    r"(?:-d|--data)\b.*https?://\S*/(?:login|signin|token|tokens|refresh|oauth\S*)\b",
    re.DOTALL,
)
_HEAD = re.compile(r"\s(?:-I|--head)\b")


def used_names(text: str) -> set[str]:
    """The shell variables that a text reads."""
    return set(re.findall(r"\$\{?(\w+)", text))


def _is_http(unit: shell.Unit) -> bool:
    if not unit.invocations:
        return False
    words = [risk.program_name(w.value) for w in unit.invocations[0].words]
    while words and (words[0] in _TRANSPARENT or words[0].startswith("-")):
        del words[0]
    return bool(words) and words[0] in ("curl", "wget")


def add(compiled: Compiled, command: Command, verdict: Verdict) -> None:
    """Append a command with the problems of its verdict."""
    compiled.entries.append(command)
    compiled.problems += [(command["line"], rule, message) for rule, message in verdict.problems]
