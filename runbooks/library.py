"""The library: documents become runbooks with immutable versions. The only writer of Runbook and Version.

A runbook is known by its origin (where its text came from), so importing again finds it; a text
that differs becomes the next version, and nothing is overwritten.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils.text import slugify

from erpops import audit, clock
from erpops.clock import Now
from runbooks import matching
from runbooks.checklists import with_checklists
from runbooks.choices import VersionState
from runbooks.compiler import compile_text
from runbooks.models import Runbook, Version

BUILTIN = Path(__file__).parent / "library"
_IMPORT_LOCK = 7_267_011


@dataclass
class ImportReport:
    """What an import did: versions of new runbooks, new versions of known ones, versions that were there."""

    created: list[Version] = field(default_factory=list)
    updated: list[Version] = field(default_factory=list)
    unchanged: list[Version] = field(default_factory=list)
    errors: int = 0

    @property
    def versions(self) -> list[Version]:
        """Every version that the documents stand for now."""
        return [*self.created, *self.updated, *self.unchanged]

    def __str__(self) -> str:
        said = f"{len(self.created)} new, {len(self.updated)} with a new version, {len(self.unchanged)} unchanged"
        return f"{said}; {self.errors} findings are errors." if self.errors else f"{said}."


def import_text(*, text: str, path: str, by: User | None = None, publish: bool = False, note: str = "") -> ImportReport:
    """Compile one Markdown document and store the runbooks in it; `path` is its name for people."""
    compiled = compile_text(text, path=path)
    return import_documents(
        compiled=[compiled], texts={path: text}, by=by, publish_them=publish, note=note, prefix="import:"
    )


def import_documents(
    *,
    compiled: Iterable[Mapping[str, Any]],
    texts: Mapping[str, str],
    by: User | None,
    publish_them: bool = False,
    note: str = "",
    prefix: str = "import:",
) -> ImportReport:
    """Store compiled documents; `texts` holds their texts by path. All or nothing."""
    report = ImportReport()
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Two imports of the same text would both number the same next version.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_IMPORT_LOCK])
        for document in compiled:
            _import_document(document, texts[document["path"]], report, prefix=prefix, by=by, note=note)
        if publish_them:
            for version in report.versions:
                publish(version=version, by=by, note=note)
    return report


def publish(*, version: Version, by: User | None, note: str = "") -> bool:
    """Make `version` the one that new executions walk; False if it is already.

    The version before it is superseded; executions of it go on as they are.
    """
    with transaction.atomic():
        runbook = Runbook.objects.select_for_update().get(pk=version.runbook_id)
        if runbook.current_id == version.pk:
            return False
        versions = Version.objects.filter(runbook=runbook)
        versions.filter(state=VersionState.PUBLISHED).update(state=VersionState.SUPERSEDED)
        versions.filter(pk=version.pk).update(state=VersionState.PUBLISHED, note=note or version.note)
        version.refresh_from_db(fields=["state", "note"])
        compiled = version.compiled
        runbook.current, runbook.archived = version, False
        runbook.title, runbook.kind, runbook.alerts = _title(compiled), compiled["kind"], _alerts(compiled)
        runbook.save(update_fields=["current", "archived", "title", "kind", "alerts"])
        matching.look_again()
        audit.record(
            action="runbook.publish",
            target=f"runbook:{runbook.slug}",
            by=by,
            version=version.number,
            sha256=version.sha256,
        )
    version.runbook = runbook
    return True


def install_builtin() -> ImportReport:
    """Bring the runbooks that come with erpops into the library and publish them.

    Where a person has published a version of their own, ours stays a draft beside it.
    """
    report = ImportReport()
    for file in sorted(BUILTIN.glob("*.md")):
        text = file.read_text(encoding="utf-8")
        done = import_documents(
            compiled=[compile_text(text, path=file.name)], texts={file.name: text}, by=None, prefix="library:"
        )
        for version in done.versions:
            current = version.runbook.current
            ours = version.created_by_id is None and (current is None or current.created_by_id is None)
            if ours and (current is None or current.number < version.number):
                publish(version=version, by=None, note="Comes with erpops.")
        report.created += done.created
        report.updated += done.updated
        report.unchanged += done.unchanged
        report.errors += done.errors
    return report


def verified(*, runbook_id: int) -> None:
    """A walk of the runbook came to its end without a failed step."""
    Runbook.objects.filter(pk=runbook_id).update(verified_at=Now())


def _import_document(
    document: Mapping[str, Any], text: str, report: ImportReport, *, prefix: str, by: User | None, note: str
) -> None:
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    found = document["runbooks"]
    for index, plain in enumerate(found):
        compiled = with_checklists(plain, document["checklists"])
        origin = _origin(prefix, document["path"], found, index)
        runbook = Runbook.objects.select_related("current").filter(origin=origin).first()
        new = runbook is None
        if runbook is None:
            runbook = _create(compiled, origin)
        known = runbook.versions.filter(sha256=digest).order_by("-number").first()
        if known is not None:
            report.unchanged.append(known)
            continue
        findings = _findings(document, found, index)
        report.errors += sum(finding["level"] == "error" for finding in findings)
        version = _next_version(runbook, compiled, text=text, digest=digest, findings=findings, by=by, note=note)
        (report.created if new else report.updated).append(version)


def _create(compiled: Mapping[str, Any], origin: str) -> Runbook:
    title = _title(compiled)
    return Runbook.objects.create(
        slug=_free_slug(title),
        title=title,
        kind=compiled["kind"],
        alerts=_alerts(compiled),
        origin=origin,
        created_at=clock.now(),
    )


def _next_version(
    runbook: Runbook,
    compiled: Mapping[str, Any],
    *,
    text: str,
    digest: str,
    findings: list[Any],
    by: User | None,
    note: str,
) -> Version:
    last = runbook.versions.order_by("-number").values_list("number", flat=True).first() or 0
    version = Version.objects.create(
        runbook=runbook,
        number=last + 1,
        text=text,
        sha256=digest,
        compiled=dict(compiled),
        findings=findings,
        note=note,
        created_at=clock.now(),
        created_by=by,
    )
    audit.record(
        action="runbook.import", target=f"runbook:{runbook.slug}", by=by, version=version.number, sha256=digest
    )
    return version


def _origin(prefix: str, path: str, found: list[Mapping[str, Any]], index: int) -> str:
    """The identity of a runbook across imports: its file, and in a file of several its heading."""
    if len(found) == 1:
        return f"{prefix}{path}"[:300]
    anchor = slugify(found[index]["title"]) or "runbook"
    same_before = sum((slugify(other["title"]) or "runbook") == anchor for other in found[:index])
    ending = f"#{anchor[:120]}" + (f"-{same_before + 1}" if same_before else "")
    return f"{prefix}{path}"[: 300 - len(ending)] + ending


def _free_slug(title: str) -> str:
    base = slugify(title)[:110] or "runbook"
    taken = set(Runbook.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    number = 1
    while (slug := base if number == 1 else f"{base}-{number}") in taken:
        number += 1
    return slug


def _findings(document: Mapping[str, Any], found: list[Mapping[str, Any]], index: int) -> list[Any]:
    """The findings between this runbook's heading and the next one's; the first also takes what is above it."""
    first = found[index]["line"] if index else 0
    after = found[index + 1]["line"] if index + 1 < len(found) else float("inf")
    return [finding for finding in document["findings"] if first <= finding["line"] < after]


def _title(compiled: Mapping[str, Any]) -> str:
    return str(compiled["title"]).strip()[:200] or "Untitled runbook"


def _alerts(compiled: Mapping[str, Any]) -> list[str]:
    return [str(name)[:200] for name in compiled["alerts"]]
