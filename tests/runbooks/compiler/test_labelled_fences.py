"""Fences labelled by hand, from the definitions: kind, commands, labels, notes and expectations agree exactly."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbooks.compiler.blocks import parse_blocks, walk
from runbooks.compiler.commands import compile_fence

FOLDER = Path(__file__).parent / "labelled_fences"
_CASE = re.compile(r"(?P<before>(?:^> .*\n)?)(?P<fence>^```.*?^```\n)== (?P<kind>\w+)\n?(?P<said>.*)", re.M | re.S)
_AT = re.compile(r"^@(\d+)(?:-(\d+))?(?: (.*))?$")
_MARK = re.compile(r"(?:^|\s)([LKR]): ")

# A label file: “%% name”, perhaps “> the line before”, the fence, “== kind”, and for each command
#   @first-last text L: label K: kind R: risk     rows of the fence from 1; without a text its rows verbatim
#    T: a line of the text   L: a line of the label   E: a line of what is expected   N: kind: a note


def _cases() -> Iterator[tuple[str, tuple[str, str, str, str]]]:
    for file in sorted(FOLDER.glob("*.txt")):
        for part in re.split(r"^%% ", file.read_text(), flags=re.MULTILINE)[1:]:
            name, _, rest = part.partition("\n")
            match = _CASE.fullmatch(rest)
            assert match, name
            yield name, (match["before"][2:].strip(), match["fence"], match["kind"], match["said"])


CASES = dict(_cases())


def _labelled(said: str, rows: list[str], kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in said.splitlines():
        if match := _AT.match(line):
            first, last = int(match[1]), int(match[2] or match[1])
            pieces = _MARK.split(match[3] or "")
            marks = dict(zip(pieces[1::2], (p.strip() for p in pieces[2::2]), strict=True))
            text = [pieces[0].strip()] if pieces[0].strip() else rows[first - 1 : last]
            label = [marks["L"]] if "L" in marks else []
            found.append({"rows": (first, last), "T": text, "L": label, "E": [], "N": [], "K": kind, **_only(marks)})
            spelled = False
        elif line.startswith(" "):
            mark, text_line = line[1], line[4:]
            if mark == "T" and not spelled:
                found[-1]["T"], spelled = [], True
            found[-1][mark].append(text_line)
    return found


def _only(marks: dict[str, str]) -> dict[str, str]:
    return {mark: value for mark, value in marks.items() if mark in "KR"}


def _compiled(command: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """The command in the words of the label; a note that is nothing but the label is left out."""
    label = (command["label"] or "").split("\n") if command["label"] else []
    plain = [n for n in command["notes"] if not (n["kind"] in ("label", "expected") and n["text"] in label)]
    return {
        "rows": (command["line"] - 1, command["end_line"] - 1),
        "T": command["text"].split("\n"),
        "L": label,
        "E": [line for item in command["expected"] for line in item["text"].split("\n")],
        "N": [f"{n['kind']}: {n['text']}" for n in plain],
        "K": command["kind"],
        **({"R": command["risk"]} if "R" in asked else {}),
    }


def test_there_are_at_least_a_hundred_and_twenty() -> None:
    assert len(CASES) >= 120


@pytest.mark.parametrize("name", CASES)
def test_a_fence_is_read_as_it_is_labelled(name: str) -> None:
    before, fence, kind, said = CASES[name]
    (block,) = [b for b in walk(parse_blocks(fence)) if b.kind == "fence"]
    compiled = compile_fence(block, before)
    compiled.attach()
    asked = _labelled(said, fence.split("\n")[1:], "shell" if kind == "comment" else kind)
    found = [_compiled(c, a) for c, a in zip(compiled.commands, asked, strict=False)]
    found += [_compiled(c, {}) for c in compiled.commands[len(asked) :]]
    assert (compiled.kind, found) == (kind, asked)
