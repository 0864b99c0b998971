"""Documents that were read together: their links, the alerts that a neighbour answers, and rules between them."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from runbooks.compiler import encoding, inline
from runbooks.compiler.lint import allowed, structure
from runbooks.compiler.lint.between import between
from runbooks.compiler.lint.found import finding


def settle_all(documents: Sequence[Any], lines: Mapping[str, list[str]]) -> None:
    """Complete the findings of documents that were read together, in place.

    `lines` are those of the documents that allow something, by path.
    """
    by_path = {document["path"]: document for document in documents}
    for path, found in between(documents):
        by_path[path]["findings"].append(found)
    _settle_alerts(documents)
    _settle_links(documents)
    for document in documents:
        if document["path"] in lines:
            live, suppressed = allowed.allow(document["findings"], lines[document["path"]])
            document["findings"] = live
            document["suppressed"] = [*document["suppressed"], *suppressed]
        document["findings"].sort(key=lambda found: (found["line"], found["rule"]))


def add_overdue(documents: Sequence[Any], today: date) -> None:
    """Add the reviews that are over, in place. Kept apart: what a text compiles to does not depend on the day."""
    for document in documents:
        try:
            text = encoding.decode(Path(document["path"]).read_bytes()).text
        except OSError:
            continue
        lines = text.split("\n")
        live, suppressed = allowed.allow([finding(found) for found in structure.overdue(lines, today)], lines)
        document["findings"] = sorted([*document["findings"], *live], key=lambda found: (found["line"], found["rule"]))
        document["suppressed"] = [*document["suppressed"], *suppressed]


def _settle_alerts(documents: Sequence[Any]) -> None:
    """An alert without a runbook in its document may have one in another."""
    owners: dict[str, set[str]] = defaultdict(set)
    for document in documents:
        for runbook in document["runbooks"]:
            for alert in runbook["alerts"]:
                owners[alert].add(document["path"])
    for document in documents:
        document["findings"] = [
            each
            for each in document["findings"]
            if each["rule"] != "alert.without-runbook"
            or not owners.get(each["message"].split(" ")[0], set()) - {document["path"]}
        ]


def _settle_links(documents: Sequence[Mapping[str, Any]]) -> None:
    """Judge the links that leave each document, now that its neighbours and the disk are known.

    A link to a document of the set stays only if its anchor is missing there; one to a file that is not
    on the disk is dead; one to a file that is there and not in the set is left alone.
    """
    known = {posixpath.normpath(document["path"]): document for document in documents}
    for document in documents:
        kept = []
        for each in document["findings"]:
            judged = _judged(document, each, known) if each["rule"] == "link.relative" else each
            if judged is not None:
                kept.append(judged)
        document["findings"][:] = kept


def _judged(document: Mapping[str, Any], found: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any] | None:
    target = found["message"].split(" ")[0]
    path, _, anchor = target.partition("#")
    place = posixpath.normpath(posixpath.join(posixpath.dirname(document["path"]), path.partition("?")[0]))
    neighbour = known.get(place)
    if neighbour is None:
        if path.startswith("/") or not Path(document["path"]).exists():
            return found
        if Path(place).exists():
            return None
        message = f"{path} is not there: the link leads nowhere."
        return {
            **found,
            "rule": "link.dead",
            "level": "warning",
            "message": message,
            "suggestion": "Correct the link, or remove it.",
        }
    if anchor and anchor.lower() not in _anchors(place):
        message = f"{path} has no heading {anchor}."
        return {
            **found,
            "rule": "link.anchor",
            "level": "warning",
            "message": message,
            "suggestion": "Correct the name of the heading.",
        }
    return None


def _anchors(path: str) -> set[str]:
    """The names of the headings of a file; markers count as headings of their own."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    slugs = {inline.slug(match) for match in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", text, re.MULTILINE)}
    named = {
        name for pair in re.findall(r"(?:id|name)=[\"']([\w-]+)[\"']|\{#([\w-]+)\}", text) for name in pair if name
    }
    return slugs | {slug.strip("-") for slug in slugs} | {name.lower() for name in named}
