"""Commands labelled by hand, from the definitions: risk, flags and parameters agree exactly."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbooks.compiler import compile_text

FILE = Path(__file__).parent / "labelled" / "commands.txt"


def _labels() -> Iterator[tuple[str, str, frozenset[str], tuple[str, ...]]]:
    """(command, risk, flags, parameter names); a pipe of the command is written with a backslash."""
    for line in FILE.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        said, text, names = (part.strip() for part in re.split(r"(?<!\\)\|", line))
        risk, *flags = said.split()
        asked = tuple(names.split()) if names != "pod name" else (names,)
        yield text.replace("\\|", "|"), risk, frozenset(flags), asked


LABELS = {text: rest for text, *rest in _labels()}


def test_there_are_at_least_a_hundred_and_fifty() -> None:
    assert len(LABELS) >= 150


@pytest.mark.parametrize("text", LABELS)
def test_a_command_is_read_as_it_is_labelled(text: str) -> None:
    document = compile_text(f"# A\n\n1. Look\n\n   ```bash\n   {text}\n   ```\n", path="a.md")
    commands = [c for p in document["runbooks"][0]["phases"] for s in p["steps"] for c in s["commands"]]
    worst = max((c["risk"] for c in commands), key=["read", "change", "disrupt", "destroy", "blocked"].index)
    flags = {flag for c in commands for flag in c["flags"]}
    asked = tuple(dict.fromkeys(p["name"] for c in commands for p in c["parameters"]))
    assert [worst, frozenset(flags), asked] == LABELS[text]
