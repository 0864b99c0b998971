"""What the pages of the import wizard read."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.db.models import QuerySet

from runbooks import importing, page_queries, staging
from runbooks.choices import ImportState
from runbooks.models import Import, ImportedItem, ImportFile, Runbook
from runbooks.staging import Staged

_ORDER = {"error": 0, "warning": 1, "info": 2}
ITEM_NAMES = {
    "contact": "Contacts",
    "escalation": "Escalation rules",
    "threshold": "Thresholds",
    "schedule": "Schedules",
    "error_code": "Error codes",
}


@dataclass(frozen=True)
class Counted:
    """How much of the documents became something: lines and fences, and what is still open."""

    lines: int
    lines_kept: int
    fences: int
    fences_kept: int
    errors: int
    warnings: int


@dataclass(frozen=True)
class Part:
    """A part of a document on the Split page."""

    origin: str
    title: str
    line: int
    kind: str
    what: str
    steps: int
    commands: int


@dataclass(frozen=True)
class Page:
    """One runbook on the Review page: `first` and `last` are its lines in the document."""

    file: ImportFile
    staged: Staged
    first: int
    source: list[tuple[int, str]]
    findings: list[dict[str, Any]]

    @property
    def last(self) -> int:
        return self.first + len(self.source) - 1

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.source)


@dataclass(frozen=True)
class Standing:
    """A document on the Publish page."""

    file: ImportFile
    staged: list[Staged]
    vanished: list[Runbook]


def unfinished() -> list[Import]:
    """Imports that somebody left open, the newest first."""
    return list(
        Import.objects.filter(state=ImportState.OPEN).select_related("created_by").prefetch_related("files")[:20]
    )


def counted(batch: Import) -> Counted:
    """The counter that every stage shows."""
    found = [file.compiled for file in batch.files.all()]
    lost = sum(len(document["unaccounted_lines"]) for document in found)
    lines = sum(document["lines"] for document in found)
    fences = [fence for document in found for fence in document["fences"]]
    levels = [
        finding["level"]
        for file in batch.files.all()
        for finding in file.compiled["findings"]
        if importing.mark_of(finding) not in file.decisions.get("dismissed", {})
    ]
    return Counted(
        lines=lines,
        lines_kept=lines - lost,
        fences=len(fences),
        fences_kept=sum(bool(fence["kind"]) for fence in fences),
        errors=levels.count("error"),
        warnings=levels.count("warning"),
    )


def parts_of(file: ImportFile) -> dict[str, Any]:
    """What a document was split into."""
    document = file.compiled
    kinds = file.decisions.get("kinds", {})
    parts = []
    for index, runbook in enumerate(document["runbooks"]):
        origin = staging.origin_of(importing.PREFIX, document["path"], document["runbooks"], index)
        parts.append(
            Part(
                origin=origin,
                title=runbook["title"],
                line=runbook["line"],
                kind=kinds.get(origin, runbook["kind"]),
                what="runbook",
                steps=page_queries.steps_of(runbook),
                commands=len(page_queries.commands_of(runbook)),
            )
        )
    others = [_reference(reference) for reference in document["references"]]
    others += [
        Part("", c["title"], c["line"], "checklist", "checklist", len(c["items"]), 0) for c in document["checklists"]
    ]
    return {"file": file, "runbooks": parts, "others": sorted(others, key=lambda part: part.line)}


def _reference(reference: dict[str, Any]) -> Part:
    kind = reference["kind"].replace("_", " ")
    rows, commands = len(reference["rows"]), len(reference["commands"])
    return Part("", reference["title"] or kind, reference["line"], kind, "reference", rows, commands)


def pages_of(batch: Import) -> list[Page]:
    """Every runbook of an import that is not left out, in the order of the documents."""
    found = []
    for file in batch.files.all():
        lines = file.text.split("\n")
        dismissed = file.decisions.get("dismissed", {})
        staged = importing.staged_of(file)
        for index, item in enumerate(staged):
            first = item.line if item.content.under else 1
            count = len(item.content.text.splitlines())
            source = [(number, lines[number - 1]) for number in range(first, min(first + count, len(lines) + 1))]
            # What stands before the first runbook is looked at with it.
            least = 1 if index == 0 else first
            findings = [
                finding
                for finding in file.compiled["findings"]
                if least <= finding["line"] < first + count and importing.mark_of(finding) not in dismissed
            ]
            found.append(Page(file, item, first, source, sorted(findings, key=_urgency)))
    return found


def _urgency(finding: dict[str, Any]) -> tuple[int, int]:
    return _ORDER[finding["level"]], finding["line"]


def standing(batch: Import) -> list[Standing]:
    """Each document with its runbooks beside those of the library."""
    found = []
    for file in batch.files.all():
        staged = importing.staged_of(file)
        gone = [] if file.decisions.get("exported") else _vanished(file, staged)
        found.append(Standing(file, staged, gone))
    return found


def _vanished(file: ImportFile, staged: list[Staged]) -> list[Runbook]:
    return staging.vanished(file.compiled, staged, prefix=importing.PREFIX)


def item_groups(items: QuerySet[ImportedItem]) -> list[tuple[str, list[ImportedItem]]]:
    """Items by kind, the open ones first."""
    rows = sorted(items, key=lambda item: (item.kind, item.state != "proposed", item.path, item.line))
    return [(ITEM_NAMES.get(kind, kind), list(group)) for kind, group in groupby(rows, key=lambda item: item.kind)]
