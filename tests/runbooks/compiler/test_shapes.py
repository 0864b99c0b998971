"""Shapes of documents as public collections have them, labelled by hand; each label agrees exactly."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runbooks.compiler import compile_text

FILE = Path(__file__).parent / "labelled" / "shapes.md"


def _shapes() -> Iterator[tuple[str, str, dict[str, str]]]:
    """(name, document, labels by what they are about)."""
    for part in re.split(r"^%% ", FILE.read_text(), flags=re.MULTILINE)[1:]:
        name, _, rest = part.partition("\n")
        text, _, said = rest.rpartition("\n== ")
        labels = dict(re.split(r":\s*", label.strip(), maxsplit=1) for label in re.split(r"\s\|\s", said.strip()))
        yield name.strip(), text + "\n", labels


SHAPES = {name: (text, labels) for name, text, labels in _shapes()}


def _steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for r in document["runbooks"] for p in r["phases"] for step in p["steps"]]


def _plain(text: str) -> str:
    return re.sub(r"[`*]", "", text)


def _runbooks(name: str) -> Callable[[dict[str, Any]], list[str]]:
    return lambda document: [str(value) for r in document["runbooks"] for value in _listed(r[name])]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


READ: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "title": lambda d: [d["title"]],
    "titles": _runbooks("title"),
    "kinds": _runbooks("kind"),
    "alerts": _runbooks("alerts"),
    "severity": _runbooks("severity"),
    "response": _runbooks("response_time_s"),
    "symptoms": _runbooks("symptoms"),
    "phases": lambda d: [p["phase"] for r in d["runbooks"] for p in r["phases"]],
    "boxes": lambda d: [str(p["time_box_s"]) for r in d["runbooks"] for p in r["phases"]],
    "steps": lambda d: [_plain(step["title"]) for step in _steps(d)],
    "conditions": lambda d: [_plain(step["condition"]) for step in _steps(d) if step["condition"]],
    "optional": lambda d: [re.sub(r"\s*\(.*", "", _plain(step["title"])) for step in _steps(d) if step["optional"]],
    "options": lambda d: [str(sum(bool(step["option_group"]) for step in _steps(d)))],
    "commands": lambda d: [c["text"] for step in _steps(d) for c in step["commands"]],
    "expected": lambda d: [e["text"] for step in _steps(d) for c in step["commands"] for e in c["expected"]],
    "fences": lambda d: [fence["kind"] for fence in d["fences"]],
    "references": lambda d: [reference["kind"] for reference in d["references"]],
    "checklists": lambda d: [str(len(d["checklists"]))],
}


def test_there_are_at_least_forty() -> None:
    assert len(SHAPES) >= 40


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_read_as_it_is_labelled(name: str) -> None:
    text, labels = SHAPES[name]
    if name == "windows-line-ends":
        text = text.replace("\n", "\r\n")
    document: dict[str, Any] = dict(compile_text(text, path=f"{name}.md"))
    found = {about: "; ".join(READ[about](document)) for about in labels}
    assert found == {about: value.strip() for about, value in labels.items()}
    assert document["unaccounted_lines"] == []
