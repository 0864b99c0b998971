"""How long a text says to wait or to watch: “Wait 30 seconds”, “Monitor for 1 hour”. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_UNITS = {"s": 1, "m": 60, "h": 3600}
_WAIT = re.compile(
    r"(?:^|[.;:,(]\s*|\b(?:and|then|please)\s+|^\s*[-*#\d.]+\s*)"
    r"(?P<said>(?P<verb>wait|pause|monitor|watch|observe)\b[\w \t'’\"“”/]{0,48}?\s(?P<number>\d+(?:\.\d+)?)"
    r"(?:\s*[-–]\s*\d+)?\s*(?P<unit>s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_LONGEST_S = 24 * 3600


@dataclass(frozen=True)
class Asked:
    """One wait of a step. `watch` if something is to be looked at meanwhile; `command` is what comes after it."""

    index: int
    seconds: int
    text: str
    watch: bool
    command: int | None


def waits_of(step: Mapping[str, Any]) -> list[Asked]:
    """The waits of a compiled step, those of its title first, each place of the text once."""
    found: list[Asked] = []
    for text, command in _texts(step):
        for match in _WAIT.finditer(text):
            seconds = int(float(match["number"]) * _UNITS[match["unit"][0].lower()])
            if 0 < seconds <= _LONGEST_S:
                said = " ".join(match["said"].split())
                watch = match["verb"].lower() in {"monitor", "watch", "observe"}
                found.append(Asked(len(found), seconds, said[:1].upper() + said[1:], watch, command))
    return found


def _texts(step: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    yield str(step.get("title", "")), None
    for text in step.get("prose", []):
        yield text["text"], None
    for item in step.get("items", []):
        yield item["text"], None
    for block in step.get("blocks", []):
        if block["kind"] == "comment":
            yield block["text"], None
    for index, command in enumerate(step.get("commands", [])):
        for text in dict.fromkeys([command.get("label") or "", *(note["text"] for note in command.get("notes", []))]):
            yield text, index
