"""Findings about a document as a whole: links, contacts, duplicate alerts, runbooks without an end."""

import re
from collections import defaultdict
from collections.abc import Iterator

from runbooks.compiler import inline
from runbooks.compiler.contract import Document, Finding
from runbooks.compiler.findings import make
from runbooks.compiler.lint import consistency
from runbooks.compiler.sections import Section

_INCOMPLETE = re.compile(
    r"\+?\d[\d-]*-x{2,}[-x]*|\[insert[^\]]*\]|\[your[^\]]*\]|\bTBD\b|\bTODO\b|@(?:company|example|yourdomain)\.com\b|\b(?:[\w-]+\.)*yourdomain\.com\b",
    re.IGNORECASE,
)


def of_document(document: Document, root: Section, lines: list[str]) -> list[Finding]:
    return [
        *_anchors(root, lines),
        *_relative_links(lines),
        *_contacts(document),
        *_alerts(document),
        *_endings(document),
        *consistency.as_findings(consistency.of_document(document, root, lines)),
    ]


def _anchors(root: Section, lines: list[str]) -> Iterator[Finding]:
    slugs = {inline.slug(s.raw) for s in root.walk() if s.kind == "heading"}
    slugs |= {slug.strip("-") for slug in slugs}
    slugs |= set(re.findall(r"(?:id|name)=[\"']([\w-]+)[\"']", "\n".join(lines)))
    for number, line in enumerate(lines, 1):
        for target in inline.links(line) if "](#" in line else ():
            if target.startswith("#") and target[1:].lower() not in slugs:
                yield make(number, "link.anchor", "warning", f"{target} points at no heading of this document.")


def _relative_links(lines: list[str]) -> Iterator[Finding]:
    for number, line in enumerate(lines, 1):
        for target in inline.links(line) if "](" in line else ():
            if re.match(r"\.{0,2}/|[\w-]+(?:/[\w.-]+)*\.(?:md|html|pdf|yml|yaml)\b", target):
                yield make(
                    number,
                    "link.relative",
                    "info",
                    f"{target} lies outside of this document.",
                    "Import it too, or use a full address.",
                )


def _contacts(document: Document) -> Iterator[Finding]:
    for reference in document["references"]:
        if reference["kind"] not in ("contacts", "escalation_matrix", "escalation_path"):
            continue
        for entry in [*reference["rows"], *reference["prose"]]:
            for offset, row in enumerate(entry["text"].split("\n")):
                match = _INCOMPLETE.search(row)
                if match:
                    message = f"“{match.group()}” is no real contact: nobody can be reached by it."
                    yield make(entry["line"] + offset, "contact.incomplete", "warning", message, "Fill it in.")


def _alerts(document: Document) -> Iterator[Finding]:
    owners: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for runbook in document["runbooks"]:
        for alert in runbook["alerts"]:
            owners[alert].append((runbook["line"], runbook["title"]))
    for alert, places in owners.items():
        for line, title in places[1:]:
            yield make(
                line,
                "alert.duplicate",
                "warning",
                f"{alert} already has the runbook “{places[0][1]}” (line {places[0][0]}), besides “{title}”.",
            )
    for reference in document["references"]:
        if reference["kind"] != "alert_index":
            continue
        for row in reference["rows"]:
            names = [v for k, v in row["cells"].items() if re.search(r"rule|alert name", k, re.IGNORECASE)]
            for name in names:
                if re.fullmatch(r"[A-Z]\w{4,}", name) and name not in owners:
                    yield make(
                        row["line"],
                        "alert.without-runbook",
                        "warning",
                        f"No runbook of this document names the alert {name}.",
                    )


def _endings(document: Document) -> Iterator[Finding]:
    for runbook in document["runbooks"]:
        if runbook["kind"] != "incident":
            continue
        phases = {p["phase"] for p in runbook["phases"]}
        missing = [name for name in ("verification", "escalation") if name not in phases]
        if missing:
            message = f"“{runbook['title']}” has no {' and no '.join(missing)}."
            yield make(runbook["line"], "runbook.no-" + missing[0], "info", message)
