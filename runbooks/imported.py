"""What a document holds beside its runbooks, read from its tables and lists; and a person's say over a runbook."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runbooks import walk
from runbooks.staging import Staged, with_given

# Where a person sets up by hand what an item proposes.
PLACES = {
    "contact": "/oncall/",
    "escalation": "/oncall/",
    "threshold": "/checks/new",
    "schedule": "/p/",
    "error_code": "/r/",
}
_FOOTER = re.compile(r"[*_\s]*Version\b", re.IGNORECASE)
_NAMES = ("name", "role", "team", "contact", "who", "primary")
_CODES = ("code", "error code", "status", "sqlstate", "error")


@dataclass(frozen=True)
class Item:
    """A proposal: `data` holds what the row says, `line` where."""

    kind: str
    title: str
    line: int
    data: dict[str, Any] = field(default_factory=dict)


def decided(staged: Staged, *, kind: str, manual: set[int]) -> Staged:
    """`staged` with the kind that a person chose, and with the commands that they keep for their hands."""
    offset = staged.line - 1 if staged.content.under else 0
    commands = walk.all_commands(staged.content.compiled)
    texts = sorted({command["text"] for command in commands if command["line"] + offset in manual})
    more: dict[str, Any] = {"manual": texts} if texts else {}
    if kind and kind != staged.content.compiled["kind"]:
        more["kind"] = kind
    return with_given(staged, more) if more else staged


def items_of(document: Mapping[str, Any]) -> Iterator[Item]:
    """Contacts, escalation rules, thresholds, schedules and error codes of a compiled document."""
    for reference in document["references"]:
        reader = _READERS.get(reference["kind"])
        for row in reference["rows"] if reader else ():
            item = None if _empty(row) else reader(reference, row)  # type: ignore[misc]
            if item is not None:
                yield item
    for runbook in document["runbooks"]:
        for text in runbook["thresholds"]:
            yield Item(
                "threshold", f"{runbook['title']}: {text}", runbook["line"], {"text": text, "of": runbook["title"]}
            )
        if runbook["schedule"]:
            schedule = runbook["schedule"]
            yield Item("schedule", f"{runbook['title']}: {schedule['text']}", runbook["line"], dict(schedule))


def _empty(row: Mapping[str, Any]) -> bool:
    """The head of a table, the line under it, and the page's own footer."""
    return (row["text"].lstrip().startswith("|") and not row["cells"]) or bool(_FOOTER.match(row["text"]))


def _contact(reference: Mapping[str, Any], row: Mapping[str, Any]) -> Item | None:
    cells = _cells(row)
    name = next((cells[key] for key in cells if any(word in key.lower() for word in _NAMES)), "")
    name = name or re.split(r"\s*[:–—-]\s+|:\s*", _plain(row["text"]), maxsplit=1)[0]
    if not name:
        return None
    said = ", ".join(f"{key} {value}" for key, value in cells.items() if value != name) or _plain(row["text"])
    return Item("contact", name[:80], row["line"], {"name": name[:80], "role": reference["title"][:80], "says": said})


def _escalation(reference: Mapping[str, Any], row: Mapping[str, Any]) -> Item | None:
    cells = _cells(row)
    said = "; ".join(f"{key}: {value}" for key, value in cells.items()) or _plain(row["text"])
    return Item("escalation", said[:200], row["line"], {"cells": cells, "text": _plain(row["text"])}) if said else None


def _threshold(reference: Mapping[str, Any], row: Mapping[str, Any]) -> Item | None:
    said = ": ".join(_cells(row).values())
    return Item("threshold", said[:200], row["line"], {"text": said, "of": reference["title"]}) if said else None


def _error_code(reference: Mapping[str, Any], row: Mapping[str, Any]) -> Item | None:
    cells = _cells(row)
    code = next((cells[key] for key in cells if key.lower() in _CODES), next(iter(cells.values()), ""))
    if not code or len(code) > 60:
        return None
    return Item("error_code", code, row["line"], {"code": code, "facts": cells})


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    return {_plain(key): _plain(value) for key, value in row["cells"].items() if _plain(value)}


def _plain(text: str) -> str:
    return re.sub(r"(\*\*|__|`|^[-*+]\s+)", "", str(text)).strip()


_READERS = {
    "contacts": _contact,
    "escalation_matrix": _escalation,
    "escalation_path": _escalation,
    "thresholds": _threshold,
    "metrics": _threshold,
    "error_codes": _error_code,
}
