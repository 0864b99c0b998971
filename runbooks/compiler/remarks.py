"""Comments beside commands: which command each belongs to, as label, expectation or note."""

import re
from dataclasses import dataclass

from runbooks.compiler import expected, inline
from runbooks.compiler.contract import Command


@dataclass(slots=True)
class Remark:
    """One comment line of a fence."""

    line: int
    text: str
    kind: str


def attach_remarks(entries: list[Command | Remark]) -> None:
    """Give each comment to its command: labels to the one below, expectations to the one above."""
    waiting: list[Remark] = []
    last: Command | None = None
    expecting: tuple[Command, int] | None = None
    for index, entry in enumerate(entries):
        if not isinstance(entry, Remark):
            command = entry
            _take_waiting(command, waiting)
            waiting, last, expecting = [], command, None
        elif last is not None and expecting and entry.line == expecting[1] + 1 and entry.kind in _PRINTED:
            _extend_expected(last, entry)
            expecting = (last, entry.line)
        elif last is not None and entry.kind == "expected" and not waiting and not _leads(entries, index, last):
            _expect(last, entry)
            expecting = (last, entry.line) if entry.text.rstrip().endswith(":") else None
        elif last is not None and (entry.kind in ("output", "session") or entry.line <= last["end_line"]):
            last["notes"].append({"line": entry.line, "text": entry.text, "kind": _after_kind(entry.kind)})
        else:
            waiting.append(entry)
    for entry in entries:
        if not isinstance(entry, Remark):
            _read_samples(entry)
    if waiting and last is not None:
        last["notes"] += [{"line": r.line, "text": r.text, "kind": _after_kind(r.kind)} for r in waiting]


# What a line below “Expected output:” may look like by itself.
_PRINTED = frozenset(["label", "setting", "query"])


def _leads(entries: list[Command | Remark], index: int, last: Command) -> bool:
    """True for an expectation that a gap parts from the command above and that touches the one below."""
    remark = entries[index]
    assert isinstance(remark, Remark)
    below = entries[index + 1] if index + 1 < len(entries) else None
    touches = below is not None and not isinstance(below, Remark) and below["line"] == remark.line + 1
    return touches and remark.line > last["end_line"] + 1


def _after_kind(kind: str) -> str:
    return "instruction" if kind in ("label", "wait", "step") else kind


def _take_waiting(command: Command, waiting: list[Remark]) -> None:
    """Comments above a command: those touching it are its label, the rest are notes."""
    touching: list[str] = []
    line = command["line"]
    for remark in reversed(waiting):
        if remark.line != line - 1:
            break
        line = remark.line
        if remark.kind != "output":
            touching.append(remark.text)
    if not touching and waiting and waiting[-1].kind not in ("output", "session"):
        touching.append(waiting[-1].text)
    command["label"] = "\n".join(reversed(touching)) or None
    command["notes"] += [{"line": r.line, "text": r.text, "kind": r.kind} for r in waiting]
    for remark in waiting:
        if remark.kind == "expected" and remark.text in touching:
            _expect(command, remark)


def _expect(command: Command, remark: Remark) -> None:
    command["expected"].append({"text": remark.text, "line": remark.line, "assertion": expected.assertion(remark.text)})


def _extend_expected(command: Command, remark: Remark) -> None:
    command["expected"][-1]["text"] += "\n" + remark.text


def _read_samples(command: Command) -> None:
    """An expectation of several lines is read once they are all there."""
    for item in command["expected"]:
        if "\n" in item["text"]:
            item["assertion"] = expected.assertion(item["text"])


_OUTPUT = re.compile(
    r"\b(?:expected|should (?:see|look|show|return|print|be)|outputs?|response|result|returns?|looks? like|similar to"
    r"|you(?:['’]ll| will) see)\b",
    re.IGNORECASE,
)
_NOT_EXPECTED = re.compile(r"\b(?:error|fail\w*|bad|broken|unhealthy|if|instead|wrong|before|problem)\b", re.IGNORECASE)
_SAID = re.compile(
    r"^[\s>*+_-]*(?:\d+[.)]\s+)?(?:\[[ xX]\]\s+)?[*_]*(?P<said>(?:expect(?:ed|s)?\b|you should see\b"
    r"|(?:(?:it|this|the output|output|that) )?should"
    r" (?:return|print|show|output|say|contain|list|display|report|read|see|match|equal"
    r"|be\s(?!used|done|run\b|noted|able|possible|set|made|taken|avoided|considered|an?\b|the\b)"
    r")).*)$",
    re.IGNORECASE,
)
_STARTS = re.compile(r"^\s*(?:[-*+>]|\d+[.)])\s")
_ENDED = re.compile(r"[.:!?)*_]\s*$")


def expect_printed(commands: list[Command], line: int, text: str, before: str) -> None:
    """A fence below a command shows what it prints, if the line before it says so. ``line`` is its first line."""
    above = [c for c in commands if c["end_line"] < line]
    if not above or not text.strip() or not _OUTPUT.search(before) or _NOT_EXPECTED.search(before):
        return
    text = text.rstrip()
    above[-1]["expected"].append(
        {"text": text, "line": line, "assertion": expected.assertion(f"Expected output:\n{text}")}
    )


def expect_said(commands: list[Command], line: int, text: str) -> None:
    """“Expected: PONG” in the prose below a command; the prose keeps it, too."""
    rows = text.split("\n")
    for offset, row in enumerate(rows):
        match = _SAID.match(row)
        # In the middle of a sentence that goes over several lines, “should” opens nothing.
        if match is None or (offset and not _STARTS.match(row) and not _ENDED.search(rows[offset - 1])):
            continue
        above = [c for c in commands if c["end_line"] < line + offset]
        if not above or row.rstrip("*_ ").endswith(":"):
            continue
        said = inline.plain(match["said"])
        above[-1]["expected"].append({"text": said, "line": line + offset, "assertion": expected.assertion(said)})
