"""The checklists of a document, put into the runbook that they belong to, so that they are walked with it. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def with_checklists(compiled: Mapping[str, Any], checklists: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """`compiled` with the items of its checklists where they stand.

    Items that a phase lists already get their commands, blocks and depth. A list inside a step becomes the
    items of that step; one that stands alone becomes a phase of its own. Nothing is listed twice.
    """
    own = [checklist for checklist in checklists if checklist["runbook"] == compiled["line"]]
    if not own:
        return dict(compiled)
    known = {item["line"]: item for checklist in own for item in _flat(checklist)}
    phases = [_with_items(phase, known) for phase in compiled["phases"]]
    listed = {item["line"] for phase in phases for item in phase["items"]}
    for checklist in own:
        items = list(_flat(checklist))
        if any(item["line"] in listed for item in items):
            continue
        if step := _around(phases, checklist):
            step["items"] = [*step.get("items", []), *items]
        else:
            phases.append(_phase(checklist, items))
    return {**compiled, "phases": sorted(phases, key=lambda phase: int(phase["line"]))}


def _flat(checklist: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for item in _deep(checklist["items"], 0):
        yield {**item, "group": checklist["title"]}


def _deep(items: Iterable[Mapping[str, Any]], depth: int) -> Iterator[dict[str, Any]]:
    for item in items:
        yield {
            "line": item["line"],
            "text": item["text"],
            "checkbox": True,
            "depth": depth,
            "commands": item["commands"],
            "blocks": item["blocks"],
        }
        yield from _deep(item["items"], depth + 1)


def _with_items(phase: Mapping[str, Any], known: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    items = [{**item, **known.get(item["line"], {})} for item in phase["items"]]
    return {**phase, "items": items, "steps": [dict(step) for step in phase["steps"]]}


def _around(phases: Iterable[Mapping[str, Any]], checklist: Mapping[str, Any]) -> dict[str, Any] | None:
    """The step whose heading is the checklist's title, or whose prose holds its first item."""
    first = min((item["line"] for item in checklist["items"]), default=0)
    for phase in phases:
        for step in phase["steps"]:
            held = any(text["line"] <= first <= text["line"] + text["text"].count("\n") for text in step["prose"])
            if step["line"] == checklist["line"] or held:
                prose = [text for text in step["prose"] if text["line"] != first]
                step["prose"] = prose
                found: dict[str, Any] = step
                return found
    return None


def _phase(checklist: Mapping[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "phase": "procedure",
        "heading": checklist["title"],
        "line": checklist["line"],
        "time_box_s": None,
        "items": items,
        "steps": [],
        "prose": [],
    }
