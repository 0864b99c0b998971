"""The only writer of an incident's status: opening, acknowledging, moving, resolving, reopening.

Every move, its timeline event, its audit entry and what it means for the escalation commit together.
"""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from erpops import audit, clock
from erpops.clock import Now
from erpops.failpoints import failpoint
from erpops.transitions import IllegalMove, Machine
from incidents import escalation, pictures, postmortem, recovery, timeline
from incidents.choices import IncidentStatus, RoleName, Severity
from incidents.models import Environment, Incident, IncidentRole, Service

S = IncidentStatus
_WORKING = {S.INVESTIGATING, S.IDENTIFIED, S.MONITORING}
STATUS = Machine(
    {
        S.TRIAGE: {*_WORKING, S.RESOLVED},
        S.INVESTIGATING: {S.IDENTIFIED, S.MONITORING, S.RESOLVED},
        S.IDENTIFIED: {S.INVESTIGATING, S.MONITORING, S.RESOLVED},
        S.MONITORING: {S.INVESTIGATING, S.IDENTIFIED, S.RESOLVED},
        S.RESOLVED: {S.INVESTIGATING},
    }
)


class Unverified(IllegalMove):
    """Its verification has not passed, and nobody has said why it is over all the same."""

    def __init__(self, missing: list[recovery.Unverified]) -> None:
        named = ", ".join(item.text for item in missing)
        super().__init__(f"Not verified yet: {named}. Verify it, or say how you know that it is over.")
        self.missing = missing


def open_incident(
    *,
    title: str,
    severity: str,
    environment: Environment,
    service: Service | None = None,
    impact: str = "",
    group_key: str = "",
    is_drill: bool = False,
    started_at: datetime | None = None,
    by: User | None = None,
    cause: str = "declared",
) -> Incident:
    """Open an incident, start its escalation, and say so. `cause` begins the first event's sentence."""
    with transaction.atomic():
        now = clock.now()
        incident = Incident.objects.create(
            title=title[:200],
            severity=severity,
            environment=environment,
            service=service,
            impact=impact,
            group_key=group_key,
            is_drill=is_drill,
            started_at=started_at or now,
            opened_at=now,
            progress_at=now,
            declared_by=by,
        )
        timeline.add(
            incident=incident, kind="incident.opened", text=f"{cause} as {severity}", by=by, occurred_at=started_at
        )
        audit.record(action="incident.open", target=f"incident:{incident.pk}", by=by, severity=severity)
        escalation.start(incident=incident)
    return incident


def declare(
    *,
    title: str,
    severity: str,
    environment: Environment,
    by: User,
    service: Service | None = None,
    impact: str = "",
    started_at: datetime | None = None,
) -> Incident:
    """Open what a person reports. The same report by the same person within a minute is the same incident."""
    with transaction.atomic():
        # Serialises a person's own double click, nobody else.
        User.objects.select_for_update(no_key=True).get(pk=by.pk)
        again = Incident.objects.filter(
            declared_by=by, title=title[:200], environment=environment, opened_at__gt=Now() - clock.seconds(60)
        ).exclude(status=S.RESOLVED)
        return again.first() or open_incident(
            title=title,
            severity=severity,
            environment=environment,
            service=service,
            impact=impact,
            started_at=started_at,
            by=by,
        )


def acknowledge(*, incident: Incident, by: User) -> bool:
    """Someone is on it: queued pages are cancelled, the first clock stops. False if somebody was before."""
    with transaction.atomic():
        first = Incident.objects.filter(pk=incident.pk, acknowledged_at=None).exclude(status=S.RESOLVED)
        if not first.update(acknowledged_at=Now(), acknowledged_by=by):
            return False
        incident.refresh_from_db()
        timeline.add(incident=incident, kind="incident.acknowledged", text="acknowledged", by=by)
        audit.record(action="incident.acknowledge", target=f"incident:{incident.pk}", by=by)
        if not incident.roles.filter(role=RoleName.COMMANDER).exists():
            take_role(incident=incident, role=RoleName.COMMANDER, by=by)
        STATUS.move(incident, to=S.INVESTIGATING, only_from={S.TRIAGE})
        escalation.acknowledged(incident=incident, by=by)
        failpoint("acknowledge.before_commit")
    return True


def set_status(*, incident: Incident, to: str, by: User) -> None:
    """Move between the working states. Resolving has its own function; so has reopening."""
    if to not in _WORKING or incident.status == S.RESOLVED:
        raise IllegalMove("Use resolve or reopen for that.")
    with transaction.atomic():
        if incident.status == to:
            return
        STATUS.require(incident, to=to)
        timeline.add(incident=incident, kind="incident.status", text=f"set the status to {S(to).label}", by=by)
        audit.record(action="incident.status", target=f"incident:{incident.pk}", by=by, to=to)


def set_severity(*, incident: Incident, to: str, by: User | None) -> None:
    """Change the severity; the escalation starts over by the new rule unless someone acknowledged."""
    with transaction.atomic():
        before = Incident.objects.select_for_update().get(pk=incident.pk).severity
        if before == to:
            return
        Incident.objects.filter(pk=incident.pk).update(severity=to)
        incident.severity = to
        timeline.add(
            incident=incident, kind="incident.severity", text=f"changed the severity from {before} to {to}", by=by
        )
        audit.record(action="incident.severity", target=f"incident:{incident.pk}", by=by, before=before, to=to)
        escalation.severity_changed(incident=incident)


def raise_severity(*, incident: Incident, to: str) -> None:
    """An alert says that it is worse than thought: severities only ever rise this way."""
    order = list(Severity.values)
    if order.index(to) < order.index(incident.severity):
        set_severity(incident=incident, to=to, by=None)


def resolve(*, incident: Incident, resolution: str, by: User | None, unverified: str = "") -> None:
    """End it, with the reason that stands in the post-mortem. Disarms the escalation.

    A person whose runbooks' verification has not passed says why it is over all the same: `unverified`.
    """
    unverified = unverified.strip()
    with transaction.atomic():
        # No walk moves between the question and the end.
        Incident.objects.select_for_update(no_key=True).only("pk").get(pk=incident.pk)
        missing = recovery.unverified(incident) if by is not None else []
        if missing and not unverified:
            raise Unverified(missing)
        STATUS.require(incident, to=S.RESOLVED, resolved_at=Now(), resolved_by=by, resolution=resolution)
        said = f"resolved: {resolution}" if resolution else "resolved"
        told: dict[str, Any] = {}
        if missing:
            said += f" (not verified: {', '.join(item.text for item in missing)}; {unverified})"
            told = {"unverified": [item.text for item in missing], "why": unverified}
        timeline.add(incident=incident, kind="incident.resolved", text=said, by=by, data=told)
        audit.record(action="incident.resolve", target=f"incident:{incident.pk}", by=by, resolution=resolution, **told)
        Incident.objects.filter(pk=incident.pk).update(update_due_at=None)
        escalation.done(incident=incident)
        postmortem.begin(incident=incident)


def reopen(*, incident: Incident, reason: str, by: User) -> None:
    """It was not over."""
    with transaction.atomic():
        key = incident.group_key
        if key and Incident.objects.filter(group_key=key).exclude(status=S.RESOLVED).exists():
            raise IllegalMove("A newer incident is open for the same alerts; work that one.")
        STATUS.require(incident, to=S.INVESTIGATING, resolved_at=None, resolved_by=None, resolution="")
        timeline.add(incident=incident, kind="incident.reopened", text=f"reopened: {reason}", by=by)
        audit.record(action="incident.reopen", target=f"incident:{incident.pk}", by=by, reason=reason)
        escalation.resume(incident=incident)


def take_role(*, incident: Incident, role: str, by: User) -> None:
    """Take a part in the incident, from nobody or from somebody else."""
    with transaction.atomic():
        now = clock.now()
        IncidentRole.objects.update_or_create(incident=incident, role=role, defaults={"user": by, "since": now})
        timeline.add(incident=incident, kind="role.taken", text=f"took the role {RoleName(role).label}", by=by)
        audit.record(action="incident.role", target=f"incident:{incident.pk}", by=by, role=role)


def add_note(*, incident: Incident, text: str, by: User, occurred_at: datetime | None = None) -> None:
    """A note in Markdown on the timeline, now or where `occurred_at` puts it.

    The same words by the same person within ten seconds are one note: a double click.
    """
    with transaction.atomic():
        Incident.objects.select_for_update().get(pk=incident.pk)
        recent = incident.events.filter(kind="note", actor=by, at__gt=Now() - clock.seconds(10))
        if recent.filter(text=text).exists():
            return
        timeline.add(incident=incident, kind="note", text=text, by=by, occurred_at=occurred_at)
        pictures.use(text)
        audit.record(action="incident.note", target=f"incident:{incident.pk}", by=by)


def progressed(*, incident: Incident, **data: Any) -> None:
    """A runbook made progress: the second escalation clock begins again."""
    with transaction.atomic():
        Incident.objects.filter(pk=incident.pk).update(progress_at=Now())
        escalation.progressed(incident=incident)


def overdue(*, incident: Incident) -> None:
    """A phase of a runbook takes longer than its budget: the second escalation clock is brought forward."""
    with transaction.atomic():
        Incident.objects.select_for_update(no_key=True).only("pk").get(pk=incident.pk)
        escalation.overdue(incident=incident)
