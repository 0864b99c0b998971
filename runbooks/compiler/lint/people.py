"""Contacts, links and alerts: who cannot be reached, what leads nowhere, what is answered twice or not at all."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from runbooks.compiler import inline
from runbooks.compiler.contract import Document
from runbooks.compiler.lint.found import Found
from runbooks.compiler.sections import Section

_INCOMPLETE = re.compile(
    r"\+?\d[\d-]*-x{2,}[-x]*|\bx{3}[-.\s]x{3}[-.\s]x{4}\b|\[insert[^\]]*\]|\[your[^\]]*\]|\bTBD\b|\bTODO\b|"
    r"@(?:company|example|yourdomain|yourcompany|domain)\.(?:com|org|net)\b|\b(?:[\w-]+\.)*yourdomain\.com\b|\+1[-.\s(]*555[-.\s)]\S*|\b555[-.\s](?:0100|1234|5555)\b",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(r"(?<!\w)_(\S(?:.*?\S)?)_(?!\w)")
_MADE_UP = re.compile(
    r"https?://(?P<host>(?:[\w-]+\.)*(?:yourdomain|your-domain|yourcompany|your-company|mydomain|mycompany)\.(?:com|org|net|io))\b[^\s)>`\"']*",
    re.IGNORECASE,
)
_NAMED_CONTACT = re.compile(
    r"@|#\w|https?://|\d{3}|\bpager|\bslack\b|\bteams\b|\bext\b|\bopsgenie\b|\bon-?call\b.*\btool\b", re.IGNORECASE
)
# Tables of who answers what: their contacts are roles.
_TRIAGE = {"severity", "priority", "level", "situation", "response", "issue", "area"}
_RULE_OF_TEXT = re.compile(r"^\s*(?:-\s*)?alert:\s*[\"']?(?P<name>[A-Za-z_]\w+)[\"']?\s*$", re.MULTILINE)


def of_document(document: Document, root: Section, lines: Sequence[str]) -> Iterator[Found]:
    """All of it for one document."""
    yield from _anchors(root, lines)
    yield from _links(lines)
    yield from _incomplete(document)
    yield from _unreachable(document)
    yield from _addresses(document, lines)
    yield from _answered_twice(document)
    yield from _unanswered(document)


def anchors_of(root: Section, lines: Sequence[str]) -> set[str]:
    """The names that `#…` may lead to."""
    slugs: set[str] = set()
    for section in root.walk():
        if section.kind == "heading":
            slug = inline.slug(_EMPHASIS.sub(r"\1", section.raw))
            number = 0
            while (named := slug if not number else f"{slug}-{number}") in slugs:
                number += 1
            slugs.add(named)
    slugs |= {slug.strip("-") for slug in slugs}
    for line in lines:
        if "id=" in line or "name=" in line or "{#" in line:
            slugs |= {
                name.lower()
                for name in re.findall(r"(?:id|name)=[\"']([\w-]+)[\"']|\{#([\w-]+)\}", line)
                for name in name
                if name
            }
    return slugs


def _anchors(root: Section, lines: Sequence[str]) -> Iterator[Found]:
    asked = [(n, target) for n, line in enumerate(lines, 1) if "](#" in line for target in inline.links(line)]
    slugs = anchors_of(root, lines) if asked else set()
    for number, target in asked:
        if target.startswith("#") and len(target) > 1 and target[1:].lower() not in slugs and target != "#top":
            message = f"{target} points at no heading of this document."
            yield number, "link.anchor", "warning", message, "Correct the name of the heading."


def _links(lines: Sequence[str]) -> Iterator[Found]:
    for number, line in enumerate(lines, 1):
        for target in inline.links(line) if "](" in line else ():
            if re.match(r"\.{0,2}/|[\w-]+(?:/[\w.-]+)*\.(?:md|markdown|html|pdf|yml|yaml)\b", target):
                message = f"{target} lies outside of this document."
                yield number, "link.relative", "info", message, "Import it too, or use a full address."


def _incomplete(document: Document) -> Iterator[Found]:
    for reference in document["references"]:
        if reference["kind"] not in ("contacts", "escalation_matrix", "escalation_path"):
            continue
        for entry in [*reference["rows"], *reference["prose"]]:
            for offset, row in enumerate(entry["text"].split("\n")):
                if match := _INCOMPLETE.search(row):
                    message = f"“{match.group()}” is no real contact: nobody can be reached by it."
                    yield entry["line"] + offset, "contact.incomplete", "warning", message, "Fill it in."


def _unreachable(document: Document) -> Iterator[Found]:
    for reference in document["references"]:
        if reference["kind"] != "contacts":
            continue
        for row in reference["rows"]:
            if (
                len(row["cells"]) < 2
                or _TRIAGE & {key.lower() for key in row["cells"]}
                or _INCOMPLETE.search(row["text"])
            ):
                continue
            said = " ".join(row["cells"].values())
            if not _NAMED_CONTACT.search(said) and "[" not in said:
                name = next(iter(row["cells"].values()))
                message = f"“{name}” is listed without a number, an address or a channel."
                yield row["line"], "contact.no-address", "info", message, "Say how they are reached."


def _addresses(document: Document, lines: Sequence[str]) -> Iterator[Found]:
    """Addresses of a made-up host in the text; in commands they are parameters."""
    fenced = {
        n
        for fence in document["fences"]
        if fence["kind"] in ("shell", "script", "http", "sql")
        for n in range(fence["line"], fence["end_line"] + 1)
    }
    contacts = {row["line"] for ref in document["references"] if ref["kind"] == "contacts" for row in ref["rows"]}
    for number, line in enumerate(lines, 1):
        if "://" not in line or number in contacts:
            continue
        match = _MADE_UP.search(line)
        if match and (number not in fenced or line.lstrip().startswith("#")):
            message = f"{match['host']} stands for a host of yours: nobody can follow the link."
            yield number, "link.made-up", "info", message, "Write the real address."


def _answered_twice(document: Document) -> Iterator[Found]:
    owners: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for runbook in document["runbooks"]:
        for alert in runbook["alerts"]:
            owners[alert].append((runbook["line"], runbook["title"]))
    for alert, places in owners.items():
        for line, title in places[1:]:
            message = f"{alert} already has the runbook “{places[0][1]}” (line {places[0][0]}), besides “{title}”."
            yield line, "alert.duplicate", "warning", message, "Say which comes first, or join them."


def _unanswered(document: Document) -> Iterator[Found]:
    """Alerts that an index or a rule names and no runbook answers."""
    answered = {alert for runbook in document["runbooks"] for alert in runbook["alerts"]}
    for reference in document["references"]:
        if reference["kind"] == "alert_index":
            for row in reference["rows"]:
                names = [v for k, v in row["cells"].items() if re.search(r"rule|alert name", k, re.IGNORECASE)]
                for name in names:
                    if re.fullmatch(r"[A-Z]\w{4,}", name) and name not in answered:
                        yield _no_runbook(row["line"], name, "warning")
        for block in reference["blocks"]:
            if block["kind"] != "yaml":
                continue
            for match in _RULE_OF_TEXT.finditer(block["text"]):
                if match["name"] not in answered:
                    line = block["line"] + 1 + block["text"].count("\n", 0, match.start("name"))
                    yield _no_runbook(line, match["name"], "info")


def _no_runbook(line: int, name: str, level: str) -> Found:
    message = f"{name} has no runbook in this document."
    return line, "alert.without-runbook", level, message, "Write the runbook, or correct the name."
