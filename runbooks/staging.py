"""What an import would do: each runbook of a document beside the one that the library has. Writes nothing.

A version holds the slice of its document that is its own, so an edit elsewhere in the document is no
change of it. What only the rest of the document says of a runbook (an index that names its alerts,
symptoms above its heading) is kept beside the slice, as `given`.
"""

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from hashlib import sha256
from typing import Any

from django.utils.text import slugify

from runbooks import differences, walk
from runbooks.checklists import with_checklists
from runbooks.compiler import compile_text
from runbooks.compiler.slices import Slice, Under, slices_of
from runbooks.differences import Change
from runbooks.models import Runbook, Version

_FACTS = (
    "title", "kind", "category", "alerts", "severity", "response_time_s", "thresholds", "schedule", "symptoms",
)  # fmt: skip
_RENAMED = 0.6


@dataclass(frozen=True)
class Content:
    """All that makes a version: its text, where it stands, what the document adds, what it compiles to."""

    text: str
    under: dict[str, Any] | None
    given: dict[str, Any]
    compiled: dict[str, Any]
    findings: list[Any]

    @property
    def sha256(self) -> str:
        """Over the text, and over what it is compiled with where that is more than the text."""
        more = json.dumps([self.under, self.given], sort_keys=True) if self.under or self.given else ""
        whole = f"{self.text}\0{more}" if more else self.text
        return sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Staged:
    """A runbook of a document. `state`: new, same, changed, or conflict where a person edited the version here."""

    origin: str
    line: int
    content: Content
    runbook: Runbook | None
    latest: Version | None
    known: Version | None
    changes: list[Change] = field(default_factory=list)

    @property
    def title(self) -> str:
        return title_of(self.content.compiled)

    @property
    def state(self) -> str:
        if self.runbook is None or self.latest is None:
            return "new"
        if self.known is not None:
            return "same"
        return "conflict" if self.latest.edited else "changed"


def stage(document: Mapping[str, Any], text: str, *, prefix: str) -> list[Staged]:
    """Every runbook of a compiled document, matched by file and heading."""
    found = document["runbooks"]
    origins = [origin_of(prefix, document["path"], found, index) for index in range(len(found))]
    contents = contents_of(document, text)
    shelf = {runbook.origin: runbook for runbook in Runbook.objects.filter(origin__in=origins)}
    shelf |= _renamed(prefix, document["path"], origins, contents, shelf)
    return [
        _staged(origin, runbook["line"], content, shelf.get(origin))
        for origin, runbook, content in zip(origins, found, contents, strict=True)
    ]


def stage_exported(text: str, entry: Mapping[str, Any], *, path: str) -> list[Staged]:
    """The runbook of a file of an exported library, as it was there; none if there is no runbook in the text."""
    try:
        content = compiled_alone(text, path=path, under=entry["under"], given=entry["given"])
    except ValueError:
        return []
    runbook = Runbook.objects.filter(origin=entry["origin"]).first()
    return [_staged(entry["origin"], 1, content, runbook)]


def vanished(document: Mapping[str, Any], staged: Iterable[Staged], *, prefix: str) -> list[Runbook]:
    """Runbooks that came from this file before and are not in it any more."""
    here = {item.runbook.pk for item in staged if item.runbook}
    rows = Runbook.objects.filter(origin__startswith=f"{prefix}{document['path']}", archived=False)
    return [r for r in rows if r.pk not in here and _of_file(r.origin, prefix, document["path"])]


def contents_of(document: Mapping[str, Any], text: str) -> list[Content]:
    """What the versions of a compiled document hold."""
    found = document["runbooks"]
    slices = slices_of(text, found)
    return [_content(document, text, index, found[index], slices[index]) for index in range(len(found))]


def with_given(staged: Staged, more: Mapping[str, Any]) -> Staged:
    """The same runbook with what a person decided about it: another kind, commands kept for their hands."""
    content = staged.content
    compiled = by_hand({**content.compiled, **_filled(content.compiled, more)}, more.get("manual", []))
    decided = replace(content, compiled=compiled, given={**content.given, **more})
    return _staged(staged.origin, staged.line, decided, staged.runbook)


def by_hand(compiled: dict[str, Any], texts: Iterable[str]) -> dict[str, Any]:
    """`compiled` with the commands of these texts blocked: they are shown and never run."""
    kept = set(texts)
    if not kept:
        return compiled
    copy = deepcopy(compiled)
    for command in walk.all_commands(copy):
        if command["text"] in kept:
            command |= {"risk": "blocked", "kept_manual": True}
    return copy


def compiled_alone(text: str, *, path: str, under: Mapping[str, Any] | None, given: Mapping[str, Any]) -> Content:
    """What a version's text compiles to on its own, as an editor has it. Raises ValueError without a runbook in it."""
    document = compile_text(text, path=path, under=_under(under))
    if not document["runbooks"]:
        raise ValueError("There is no runbook in this text: begin with a heading, then list the steps.")
    first = document["runbooks"][0]
    filled = with_checklists(first, document["checklists"]) | _filled(first, given)
    compiled = by_hand(filled, given.get("manual", []))
    return Content(text, dict(under) if under else None, dict(given), compiled, list(document["findings"]))


def origin_of(prefix: str, path: str, found: list[Mapping[str, Any]], index: int) -> str:
    """The identity of a runbook across imports: its file, and in a file of several its heading."""
    if len(found) == 1:
        return f"{prefix}{path}"[:300]
    anchor = slugify(found[index]["title"]) or "runbook"
    same_before = sum((slugify(other["title"]) or "runbook") == anchor for other in found[:index])
    ending = f"#{anchor[:120]}" + (f"-{same_before + 1}" if same_before else "")
    return f"{prefix}{path}"[: 300 - len(ending)] + ending


def title_of(compiled: Mapping[str, Any]) -> str:
    return str(compiled["title"]).strip()[:200] or "Untitled runbook"


def _content(document: Mapping[str, Any], text: str, index: int, full: Mapping[str, Any], part: Slice) -> Content:
    whole = Content(
        text=text,
        under=None,
        given={},
        compiled=with_checklists(full, document["checklists"]),
        findings=_findings(document, index),
    )
    if part.under is None:
        return whole
    alone = compile_text(part.text, path=document["path"], under=part.under)
    runbook = alone["runbooks"][0] if alone["runbooks"] else None
    if runbook is None or _shape(runbook) != _shape(full):
        # The rest of the document changes how this part reads: it keeps the whole.
        return whole
    given = {name: full[name] for name in _FACTS if full[name] != runbook[name]}  # type: ignore[literal-required]
    compiled = with_checklists(runbook, alone["checklists"]) | given
    findings = [{**found, "line": max(1, found["line"] - part.line + 1)} for found in _findings(document, index)]
    under = {"trail": list(part.under.trail), "category": part.under.category}
    return Content(part.text, under, given, compiled, findings)


def _shape(runbook: Mapping[str, Any]) -> list[Any]:
    shape = []
    for phase in runbook["phases"]:
        steps = [(step["title"], [command["text"] for command in step["commands"]]) for step in phase["steps"]]
        shape.append((phase["phase"], len(phase["items"]), steps))
    return shape


def _filled(compiled: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the document gave, where the text itself does not say otherwise."""
    decided = {"kind", "category"}
    return {name: given[name] for name in _FACTS if name in given and (name in decided or not compiled.get(name))}


def _under(under: Mapping[str, Any] | None) -> Under | None:
    return Under(tuple(under["trail"]), under["category"]) if under else None


def _findings(document: Mapping[str, Any], index: int) -> list[Any]:
    """The findings between this runbook's heading and the next one's; the first also takes what is above it."""
    found = document["runbooks"]
    first = found[index]["line"] if index else 0
    after = found[index + 1]["line"] if index + 1 < len(found) else float("inf")
    return [finding for finding in document["findings"] if first <= finding["line"] < after]


def _staged(origin: str, line: int, content: Content, runbook: Runbook | None) -> Staged:
    if runbook is None:
        return Staged(origin, line, content, None, None, None)
    versions = runbook.versions.order_by("-number")
    latest = versions.first()
    known = versions.filter(sha256=content.sha256).first()
    changes = differences.semantic(latest.compiled, content.compiled) if latest and known is None else []
    return Staged(origin, line, content, runbook, latest, known, changes)


def _renamed(
    prefix: str, path: str, origins: list[str], contents: list[Content], shelf: Mapping[str, Runbook]
) -> dict[str, Runbook]:
    """Runbooks of this file whose heading is gone, by the origin of the new one that reads most like them."""
    missing = [index for index, origin in enumerate(origins) if origin not in shelf]
    rows = Runbook.objects.filter(origin__startswith=f"{prefix}{path}").exclude(origin__in=origins)
    gone = [runbook for runbook in rows if _of_file(runbook.origin, prefix, path)] if missing else []
    texts = {r.pk: r.versions.order_by("-number").values_list("text", flat=True).first() or "" for r in gone}
    found: dict[str, Runbook] = {}
    for runbook in gone:
        scored = [(SequenceMatcher(None, texts[runbook.pk], contents[i].text).quick_ratio(), i) for i in missing]
        score, index = max(scored, default=(0.0, -1))
        if score >= _RENAMED and SequenceMatcher(None, texts[runbook.pk], contents[index].text).ratio() >= _RENAMED:
            found[origins[index]] = runbook
            missing.remove(index)
    return found


def _of_file(origin: str, prefix: str, path: str) -> bool:
    return origin == f"{prefix}{path}" or origin.startswith(f"{prefix}{path}#")
