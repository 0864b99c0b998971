"""What a document says twice, differently: counts, numbers of steps, names of sections, settings of tools."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from runbooks.compiler import inline
from runbooks.compiler.contract import Document
from runbooks.compiler.sections import Section

Found = tuple[int, str, str, str, str | None]

_COUNT = re.compile(r"\b(?:all|the)\s+(\d{1,3})\s+(services?|containers?|pods?|nodes?)\b", re.IGNORECASE)
_TABLE_HEAD = re.compile(r"^\s*(?:NAME|CONTAINER ID|CONTAINER|SERVICE)\b.*\b(?:STATUS|STATE|READY)\b", re.IGNORECASE)
_SEE = re.compile(r"\b[Ss]ee\s+(?:the\s+)?[\"“]([^\"”\n]{3,80})[\"”]\s+(?:section|above|below|chapter)")
_NAMED_CONTACT = re.compile(r"@|#\w|https?://|\d{3}|\bpager|\bslack\b|\bteams\b|\bext\b", re.IGNORECASE)
# Tables of who answers what: their contacts are roles.
_TRIAGE = {"severity", "priority", "level", "situation", "response"}
_UNFILLED = re.compile(r"\b(?:TODO|FIXME|TBD|XXX)\b(?!\s*[-=]?>)|\[(?:insert|your|fill in)[^\]]{0,60}\]", re.IGNORECASE)


def of_document(document: Document, root: Section, lines: Sequence[str]) -> Iterator[Found]:
    """All of it for one document."""
    yield from _counts(lines)
    yield from _named_sections(root, lines)
    yield from _step_numbers(document)
    yield from _unreachable(document)
    yield from _unfilled(lines)
    yield from _retired(lines)


def _counts(lines: Sequence[str]) -> Iterator[Found]:
    """“All 11 services” beside a sample that lists ten."""
    listed = list(_tables(lines))
    for number, line in enumerate(lines, 1):
        for match in _COUNT.finditer(line):
            said = int(match[1])
            rows = [(at, count) for at, count in listed if count > 1]
            if len(rows) == 1 and rows[0][1] != said:
                at, count = rows[0]
                message = f"“{match.group()}” here, but the sample at line {at} lists {count}."
                yield number, "text.count-differs", "warning", message, "Correct the one that is wrong."


def _tables(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(line, rows) of each sample of `ps` in the text: a head with NAME and STATUS, and the rows below it."""
    for index, line in enumerate(lines):
        if not _TABLE_HEAD.match(line.lstrip("#> ")):
            continue
        rows = 0
        for row in lines[index + 1 :]:
            text = row.strip().lstrip("# ").strip()
            if re.fullmatch(r"[-=\s]{5,}", text):
                continue
            if not re.search(r"\S\s{2,}\S", text) or text.startswith("```"):
                break
            rows += 1
        yield index + 1, rows


def _named_sections(root: Section, lines: Sequence[str]) -> Iterator[Found]:
    titles = {inline.slug(section.title.text).strip("-") for section in root.walk()}
    for number, line in enumerate(lines, 1):
        for match in _SEE.finditer(line):
            wanted = inline.slug(match[1]).strip("-")
            if not any(title.startswith(wanted) for title in titles):
                message = f"There is no section “{match[1]}” in this document."
                yield number, "link.section", "warning", message, "Name the section as its heading does."


def _step_numbers(document: Document) -> Iterator[Found]:
    """Numbers that an author wrote and that repeat or skip."""
    for runbook in document["runbooks"]:
        for phase in runbook["phases"]:
            numbers = [(step["line"], step["number"]) for step in phase["steps"] if not step["option_group"]]
            written = [(line, int(n)) for line, n in numbers if n.isdecimal()]
            for (_, before), (line, after) in pairwise(written):
                if after not in {before, before + 1, 1}:
                    message = f"Step {after} follows step {before}."
                    yield line, "step.number", "info", message, "Number the steps anew."


def _unreachable(document: Document) -> Iterator[Found]:
    for reference in document["references"]:
        if reference["kind"] != "contacts":
            continue
        rows = [
            row for row in reference["rows"] if row["cells"] and not _TRIAGE & {key.lower() for key in row["cells"]}
        ]
        for row in rows:
            said = " ".join(row["cells"].values())
            if not _NAMED_CONTACT.search(said) and "[" not in said and len(row["cells"]) > 1:
                name = next(iter(row["cells"].values()))
                message = f"“{name}” is listed without a number, an address or a channel."
                yield row["line"], "contact.no-address", "info", message, "Say how they are reached."


def _unfilled(lines: Sequence[str]) -> Iterator[Found]:
    for number, line in enumerate(lines, 1):
        if "[" not in line and not re.search(r"TODO|FIXME|TBD|XXX", line):
            continue
        if (match := _UNFILLED.search(line)) and not re.match(r"\s*[-*]?\s*\[[ xX]\]\s*$", line):
            yield number, "text.unfilled", "info", f"“{match.group()}” is not filled in yet.", None


def _retired(lines: Sequence[str]) -> Iterator[Found]:
    """Once in a document: Compose version 1 has not been maintained since 2023."""
    for number, line in enumerate(lines, 1):
        if re.search(r"(?:^|[\s`(])docker-compose\s+[a-z-]", line):
            message = "docker-compose is version 1 of Compose, which has ended in July 2023."
            yield number, "compose.v1", "info", message, "Write docker compose."
            return


def as_findings(found: Iterator[Found]) -> list[Any]:
    """Findings in the form of the contract."""
    return [
        {"line": line, "rule": rule, "level": level, "message": message, "suggestion": suggestion}
        for line, rule, level, message, suggestion in found
    ]
