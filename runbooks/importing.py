"""Bringing documents in: the only writer of imports, their files, and what else stands in them.

Every act compiles the file anew from its text, so that what is shown is what will be stored.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from erpops import audit, clock
from erpops.clock import Now
from incidents import policy
from runbooks import fixes, imported, library, staging
from runbooks.choices import ImportState, ItemState
from runbooks.compiler import compile_text
from runbooks.compiler.encoding import decode
from runbooks.models import ErrorCode, Import, ImportedItem, ImportFile
from runbooks.refusals import Refused
from runbooks.uploads import Brought

PREFIX = "import:"
LEAVE = "leave"
KINDS = ("incident", "scheduled", "operation", LEAVE)


def begin(*, brought: Brought, source: str, by: User) -> Import:
    """Take documents in and compile them. Raises Refused when there is none."""
    if not brought.documents:
        raise Refused(" ".join(brought.problems[:5]) or "Choose Markdown files, a folder or a zip, or paste a text.")
    # Before the transaction: a long document takes seconds.
    compiled = {path: dict(compile_text(body, path=path)) for path, body in sorted(brought.documents.items())}
    with transaction.atomic():
        batch = Import.objects.create(source=source[:200], created_at=clock.now(), created_by=by)
        for path, body in sorted(brought.documents.items()):
            text = decode(body).text
            kept = _earlier_kinds(path)
            ImportFile.objects.create(
                batch=batch,
                path=path,
                raw=body,
                text=text,
                compiled=compiled[path],
                decisions={"kinds": kept, "dismissed": {}, "manual": [], "exported": brought.manifest.get(path)},
            )
        audit.record(action="runbook.import.begin", target=f"import:{batch.pk}", by=by, files=len(brought.documents))
    return batch


def label(*, file: ImportFile, kinds: Mapping[str, str], by: User) -> None:
    """A person says what the parts of a document are: a kind of runbook, or left out."""
    _require_open(file.batch)
    wrong = [kind for kind in kinds.values() if kind not in KINDS]
    if wrong:
        raise Refused(f"A runbook is {', '.join(KINDS[:-1])}, or left out; not {wrong[0]}.")
    file.decisions = {**file.decisions, "kinds": {**file.decisions.get("kinds", {}), **kinds}}
    file.save(update_fields=["decisions"])


def edit(*, file: ImportFile, first: int, last: int, text: str, by: User) -> None:
    """Replace the lines `first` to `last` of a document, and compile it anew."""
    _require_open(file.batch)
    lines = file.text.split("\n")
    if not 1 <= first <= last <= len(lines):
        raise Refused("Those lines are not in the document any more: open it again.")
    lines[first - 1 : last] = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    _rewrite(file, "\n".join(lines))


def accept_fix(*, file: ImportFile, mark: str, by: User) -> None:
    """Correct the line of a finding where that can be done without understanding it."""
    _require_open(file.batch)
    finding = _finding(file, mark)
    lines = file.text.split("\n")
    corrected = fixes.corrected(finding, lines[finding["line"] - 1])
    if corrected is None:
        raise Refused("Nobody can correct this without reading it: edit the lines, or keep them.")
    lines[finding["line"] - 1] = corrected
    _rewrite(file, "\n".join(lines))


def dismiss(*, file: ImportFile, mark: str, reason: str, by: User) -> None:
    """Leave a finding as it is, with the reason that stands beside it from then on."""
    _require_open(file.batch)
    _finding(file, mark)
    if not reason.strip():
        raise Refused("Say why this is left as it is.")
    dismissed = {**file.decisions.get("dismissed", {}), mark: reason.strip()[:200]}
    file.decisions = {**file.decisions, "dismissed": dismissed}
    file.save(update_fields=["decisions"])


def keep_manual(*, file: ImportFile, line: int, by: User) -> None:
    """The command at `line` stays for a person's hands: it is shown and never run."""
    _require_open(file.batch)
    manual = sorted({*file.decisions.get("manual", []), line})
    file.decisions = {**file.decisions, "manual": manual}
    file.save(update_fields=["decisions"])


def discard(*, batch: Import, by: User) -> None:
    """Give an import up; nothing of it was stored elsewhere."""
    _require_open(batch)
    with transaction.atomic():
        batch.state, batch.ended_at = ImportState.DISCARDED, clock.now()
        batch.save(update_fields=["state", "ended_at"])
        audit.record(action="runbook.import.discard", target=f"import:{batch.pk}", by=by)


def finish(*, batch: Import, take: Iterable[str], publish: bool, note: str, by: User) -> library.ImportReport:
    """Store the runbooks whose origins are in `take` as drafts, or published; and propose what else there is.

    A draft beside a version that was edited here is never published with the others.
    """
    _require_open(batch)
    wanted = set(take)
    report = library.ImportReport()
    with transaction.atomic():
        for file in batch.files.all():
            for staged in staged_of(file):
                if staged.origin in wanted:
                    library.take(staged=staged, by=by, note=note, report=report)
            _propose(file)
        if publish:
            for version in [*report.created, *report.updated, *report.unchanged]:
                library.publish(version=version, by=by, note=note)
        batch.state, batch.ended_at = ImportState.PUBLISHED, clock.now()
        batch.save(update_fields=["state", "ended_at"])
        audit.record(action="runbook.import.finish", target=f"import:{batch.pk}", by=by, runbooks=len(report.versions))
    return report


def staged_of(file: ImportFile) -> list[staging.Staged]:
    """The runbooks of a file as they would be stored, with what a person decided about them."""
    decisions = file.decisions
    if exported := decisions.get("exported"):
        return staging.stage_exported(file.text, exported, path=file.path)
    found = staging.stage(file.compiled, file.text, prefix=PREFIX)
    kinds = decisions.get("kinds", {})
    return [
        imported.decided(item, kind=kinds.get(item.origin, ""), manual=set(decisions.get("manual", [])))
        for item in found
        if kinds.get(item.origin) != LEAVE
    ]


def make(*, item: ImportedItem, by: User) -> str:
    """Make the thing that an item proposes; where it is. Refused where a person has to do it."""
    with transaction.atomic():
        item = ImportedItem.objects.select_for_update().get(pk=item.pk)
        if item.state != ItemState.PROPOSED:
            return item.made
        item.made, item.state = _make(item, by), ItemState.ACCEPTED
        item.save(update_fields=["made", "state"])
        audit.record(action="runbook.item.make", target=f"item:{item.pk}", by=by, kind=item.kind, made=item.made)
    return item.made


def set_aside(*, item: ImportedItem, by: User) -> None:
    """Dismiss an item; importing the document again does not bring it back."""
    rows = ImportedItem.objects.filter(pk=item.pk, state=ItemState.PROPOSED)
    with transaction.atomic():
        if rows.update(state=ItemState.DISMISSED):
            audit.record(action="runbook.item.dismiss", target=f"item:{item.pk}", by=by, kind=item.kind)


def _make(item: ImportedItem, by: User) -> str:
    if item.kind == "contact":
        contact = policy.save_contact(
            contact=None, name=item.data["name"][:80], role=item.data.get("role", "")[:80], user=None, by=by
        )
        return f"/oncall/contacts/{contact.pk}"
    if item.kind == "error_code":
        ErrorCode.objects.update_or_create(
            code=item.data["code"][:60], defaults={"facts": item.data["facts"], "path": item.path}
        )
        return f"/r/?q={item.data['code']}"
    raise Refused("This one is set by hand: open the page for it, then mark it as done.")


def mark_made(*, item: ImportedItem, by: User) -> None:
    """A person has set up by hand what an item proposes."""
    rows = ImportedItem.objects.filter(pk=item.pk, state=ItemState.PROPOSED)
    with transaction.atomic():
        if rows.update(state=ItemState.ACCEPTED, made=imported.PLACES.get(item.kind, "")):
            audit.record(action="runbook.item.made", target=f"item:{item.pk}", by=by, kind=item.kind)


def mark_of(finding: Mapping[str, Any]) -> str:
    """What a finding is known by while its document is worked on."""
    return f"{finding['rule']}@{finding['line']}"


def _propose(file: ImportFile) -> None:
    for item in imported.items_of(file.compiled):
        ImportedItem.objects.get_or_create(
            path=file.path,
            kind=item.kind,
            title=item.title[:200],
            defaults={"data": item.data, "line": item.line, "created_at": Now()},
        )


def _rewrite(file: ImportFile, text: str) -> None:
    file.text = text
    file.compiled = dict(compile_text(text, path=file.path))
    file.edited = True
    file.save(update_fields=["text", "compiled", "edited"])


def _finding(file: ImportFile, mark: str) -> Mapping[str, Any]:
    for finding in file.compiled["findings"]:
        if mark_of(finding) == mark:
            found: Mapping[str, Any] = finding
            return found
    raise Refused("That finding is gone: the text has changed since.")


def _require_open(batch: Import) -> None:
    batch.refresh_from_db(fields=["state"])
    if batch.state != ImportState.OPEN:
        raise Refused("This import has ended. Begin a new one.")


def _earlier_kinds(path: str) -> dict[str, str]:
    """What a person called the parts of this file the last time."""
    before = ImportFile.objects.filter(path=path).exclude(batch__state=ImportState.DISCARDED).order_by("-pk").first()
    return dict(before.decisions.get("kinds", {})) if before else {}
