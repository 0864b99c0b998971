"""The library: documents become runbooks with immutable versions. The only writer of Runbook and Version.

A runbook is known by its origin (where its text came from), so importing again finds it; a text
that differs becomes the next version, and nothing is overwritten.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils.text import slugify

from erpops import access, audit, clock
from erpops.clock import Now
from erpops.transitions import Machine
from incidents.models import Incident
from runbooks import differences, matching, search, staging
from runbooks.choices import VersionState
from runbooks.compiler import compile_text
from runbooks.models import Runbook, Version
from runbooks.refusals import Refused
from runbooks.staging import Content, Staged, title_of

BUILTIN = Path(__file__).parent / "library"
_IMPORT_LOCK = 7_267_011


V = VersionState
STATE = Machine(
    {
        V.DRAFT: {V.IN_REVIEW, V.REJECTED},
        V.IN_REVIEW: {V.REJECTED},
    },
    field="state",
)


class Outdated(Refused):
    """Somebody else has saved a newer version meanwhile: `latest`."""

    def __init__(self, latest: Version) -> None:
        super().__init__(f"Version {latest.number} was saved while you were writing.", code="outdated")
        self.latest = latest


@dataclass
class ImportReport:
    """What an import did: versions of new runbooks, new versions of known ones, versions that were there.

    `conflicts` are new drafts beside a version that a person had edited here; they are never published unasked.
    """

    created: list[Version] = field(default_factory=list)
    updated: list[Version] = field(default_factory=list)
    unchanged: list[Version] = field(default_factory=list)
    conflicts: list[Version] = field(default_factory=list)
    errors: int = 0

    @property
    def versions(self) -> list[Version]:
        """Every version that the documents stand for now."""
        return [*self.created, *self.updated, *self.unchanged, *self.conflicts]

    def __str__(self) -> str:
        said = f"{len(self.created)} new, {len(self.updated)} with a new version, {len(self.unchanged)} unchanged"
        if self.conflicts:
            said += f", {len(self.conflicts)} kept as drafts beside a version that was edited here"
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
        _one_import_at_a_time()
        for document in compiled:
            for staged in staging.stage(document, texts[document["path"]], prefix=prefix):
                take(staged=staged, by=by, note=note, report=report)
        if publish_them:
            for version in [*report.created, *report.updated, *report.unchanged]:
                publish(version=version, by=by, note=note)
    return report


def take(*, staged: Staged, by: User | None, note: str = "", report: ImportReport | None = None) -> Version:
    """Store one staged runbook as a draft; a text that is there already is that version."""
    report = ImportReport() if report is None else report
    if staged.known is not None:
        report.unchanged.append(staged.known)
        return staged.known
    with transaction.atomic():
        runbook = staged.runbook or _create(staged.content.compiled, staged.origin)
        if runbook.origin != staged.origin:
            runbook.origin = staged.origin
            runbook.save(update_fields=["origin"])
        version = _next_version(runbook, staged.content, by=by, note=note, action="runbook.import")
    kept = {"new": report.created, "changed": report.updated, "conflict": report.conflicts}[staged.state]
    kept.append(version)
    report.errors += sum(finding["level"] == "error" for finding in version.findings)
    return version


def _one_import_at_a_time() -> None:
    with connection.cursor() as cursor:
        # Two imports of the same text would both number the same next version.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_IMPORT_LOCK])


def publish(*, version: Version, by: User | None, note: str = "") -> bool:
    """Make `version` the one that new executions walk; False if it is already.

    The version before it is superseded; executions of it go on as they are. A person who wrote a version
    that lowers a risk or brings in something that destroys does not publish it alone: Refused.
    """
    with transaction.atomic():
        runbook = Runbook.objects.select_for_update().get(pk=version.runbook_id)
        if runbook.current_id == version.pk:
            return False
        if by is not None and needs_second(version, by):
            raise Refused(
                "It lowers a risk or brings in something that destroys, so somebody else than its author publishes it."
            )
        versions = Version.objects.filter(runbook=runbook)
        versions.filter(state=VersionState.PUBLISHED).update(state=VersionState.SUPERSEDED)
        versions.filter(pk=version.pk).update(
            state=VersionState.PUBLISHED, note=note or version.note, reviewed_by=by or version.reviewed_by
        )
        version.refresh_from_db(fields=["state", "note", "reviewed_by"])
        compiled = version.compiled
        runbook.current, runbook.archived = version, False
        runbook.title, runbook.kind, runbook.alerts = title_of(compiled), compiled["kind"], _alerts(compiled)
        runbook.save(update_fields=["current", "archived", "title", "kind", "alerts"])
        Runbook.objects.filter(pk=runbook.pk).update(search=search.vector_of(version))
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


def needs_second(version: Version, by: User) -> bool:
    """Whether `by` may not publish `version` alone: they wrote it, it is riskier said, and somebody else is there."""
    if not version.edited or version.created_by_id != by.pk or access.solo_reviewer(by):
        return False
    current = version.runbook.current
    before = current.compiled if current else {**version.compiled, "phases": []}
    return differences.needs_second_person(differences.semantic(before, version.compiled))


def draft(*, runbook: Runbook, base: int, text: str, note: str, by: User) -> Version:
    """Keep an edited text as the next version. The same text again is the version that it was.

    `base` is the number of the newest version that the author knew: Outdated when there is a newer one,
    Refused when the text holds no runbook.
    """
    with transaction.atomic():
        Runbook.objects.select_for_update().get(pk=runbook.pk)
        latest = runbook.versions.order_by("-number").first()
        if latest is not None and latest.number != base:
            raise Outdated(latest)
        content = _alone(text, latest)
        known = runbook.versions.filter(sha256=content.sha256).exclude(state=VersionState.REJECTED).first()
        if known is not None:
            return known
        return _next_version(runbook, content, by=by, note=note[:300], action="runbook.draft", edited=True)


def create(*, text: str, note: str, by: User) -> Version:
    """A new runbook from a text of its own, as a draft. Refused when the text holds no runbook."""
    content = _alone(text, None)
    with transaction.atomic():
        slug = _free_slug(title_of(content.compiled))
        runbook = _create(content.compiled, f"own:{slug}")
        return _next_version(runbook, content, by=by, note=note[:300], action="runbook.draft", edited=True)


def restore(*, version: Version, by: User) -> Version:
    """The text of an older version as the next one."""
    with transaction.atomic():
        runbook = Runbook.objects.select_for_update().get(pk=version.runbook_id)
        content = Content(version.text, version.under, version.given, version.compiled, version.findings)
        note = f"Restores version {version.number}."
        return _next_version(runbook, content, by=by, note=note, action="runbook.restore", edited=True)


def propose(*, version: Version, note: str, by: User) -> None:
    """Ask for a review of a draft, with what changed and why."""
    if not note.strip():
        raise Refused("Say what changed and why: the reviewer reads it first.")
    with transaction.atomic():
        STATE.require(version, to=VersionState.IN_REVIEW, note=note.strip()[:300])
        audit.record(action="runbook.propose", target=f"runbook:{version.runbook.slug}", by=by, version=version.number)


def reject(*, version: Version, reason: str, by: User) -> None:
    """Send a version back, with the reason."""
    if not reason.strip():
        raise Refused("Say why: the author reads it.")
    with transaction.atomic():
        STATE.require(version, to=VersionState.REJECTED, review=reason.strip()[:300], reviewed_by=by)
        audit.record(
            action="runbook.reject",
            target=f"runbook:{version.runbook.slug}",
            by=by,
            version=version.number,
            reason=reason.strip()[:300],
        )


def keep_line(*, incident: Incident, content: Content, by: User) -> Version:
    """A command that was typed during an incident, as a version of a runbook that stays out of the library.

    The same line again is the version that it was. Nobody reviews it, so the caller makes sure that it only reads.
    """
    with transaction.atomic():
        _one_import_at_a_time()
        origin = f"typed:{incident.pk}"
        runbook = Runbook.objects.filter(origin=origin).first() or _create(content.compiled, origin)
        Runbook.objects.filter(pk=runbook.pk).update(archived=True)
        known = runbook.versions.filter(sha256=content.sha256).first()
        if known is not None:
            return known
        version = _next_version(runbook, content, by=by, note=f"Typed in {incident.reference}.", action="runbook.typed")
        # It is nobody's draft: no shelf asks for its review.
        Version.objects.filter(pk=version.pk).update(state=VersionState.SUPERSEDED)
        return version


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


def _alone(text: str, latest: Version | None) -> Content:
    under, given = (latest.under, latest.given) if latest else (None, {})
    try:
        return staging.compiled_alone(text.replace("\r\n", "\n"), path="edited.md", under=under, given=given)
    except ValueError as error:
        raise Refused(str(error)) from error


def _create(compiled: Mapping[str, Any], origin: str) -> Runbook:
    title = title_of(compiled)
    return Runbook.objects.create(
        slug=_free_slug(title),
        title=title,
        kind=compiled["kind"],
        alerts=_alerts(compiled),
        origin=origin,
        created_at=clock.now(),
    )


def _next_version(
    runbook: Runbook, content: Content, *, by: User | None, note: str, action: str, edited: bool = False
) -> Version:
    last = runbook.versions.order_by("-number").values_list("number", flat=True).first() or 0
    version = Version.objects.create(
        runbook=runbook,
        number=last + 1,
        text=content.text,
        under=content.under,
        given=content.given,
        sha256=content.sha256,
        compiled=content.compiled,
        findings=content.findings,
        note=note,
        edited=edited,
        created_at=clock.now(),
        created_by=by,
    )
    audit.record(action=action, target=f"runbook:{runbook.slug}", by=by, version=version.number, sha256=content.sha256)
    return version


def _free_slug(title: str) -> str:
    base = slugify(title)[:110] or "runbook"
    taken = set(Runbook.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    number = 1
    while (slug := base if number == 1 else f"{base}-{number}") in taken:
        number += 1
    return slug


def _alerts(compiled: Mapping[str, Any]) -> list[str]:
    return [str(name)[:200] for name in compiled["alerts"]]
