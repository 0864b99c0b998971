"""What of this layer waits for a person: the incidents' part of the Now page.

Ranks: 10 acknowledge (worst first), 15 accept a handover, 20 nobody left to call, 25 somebody asks for a baton,
30 tell stakeholders, 40 what I am working on, 42 walks that I left, 45 what nobody leads, 70 reviews.
"""

from django.contrib.auth.models import User
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.urls import reverse

from erpops import access, clock
from erpops.htmx import Need
from incidents import status
from incidents.access import visible_incidents
from incidents.beginnings import Beginning, beginnings_for
from incidents.choices import EscalationState, HandoverStatus, IncidentStatus, ReviewStatus, RoleName, Severity
from incidents.models import Handover, Incident, IncidentRole, PostMortem
from incidents.queries import IncidentRow, name_of, prepared

# More open incidents than this and the list is for the incidents page.
LIMIT = 100
_RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}


def incidents(user: User) -> list[Need]:
    """Open incidents: unacknowledged, with nobody left to call, due for a word, mine, nobody's."""
    if not access.can(user, "see_console"):
        return []
    found = visible_incidents(user).exclude(status=IncidentStatus.RESOLVED).select_related("escalation")
    # In a storm the limit cuts the least urgent, never what I hold or the worst page.
    own = Exists(IncidentRole.objects.filter(incident=OuterRef("pk"), user=user))
    by_urgency = found.annotate(own=own).order_by("-own", F("acknowledged_at").asc(nulls_first=True), "severity", "-id")
    rows = prepared(by_urgency, limit=LIMIT)
    begun = beginnings_for(user, [row.incident for row in rows])
    return [need for row in rows for need in _of(row, user, begun.get(row.incident.pk))]


def _of(row: IncidentRow, user: User, beginning: Beginning | None) -> list[Need]:
    incident, needs = row.incident, []
    works = access.can(user, "work_incidents")
    own = any(role.user_id == user.pk for role in incident.roles.all())
    exhausted = getattr(incident, "escalation", None) and incident.escalation.state == EscalationState.EXHAUSTED
    if incident.acknowledged_at is None and works:
        needs.append(
            _need(
                incident,
                10 + _RANKS[incident.severity],
                "Acknowledge",
                detail=f"Nobody answers · {_where(incident)}" if exhausted else "",
                since=incident.opened_at,
                action=beginning.url if beginning else reverse("acknowledge", args=[incident.pk]),
                button="Acknowledge & start" if beginning else "",
            )
        )
    elif exhausted:
        needs.append(_need(incident, 20, "Nobody answers", detail="Everyone on the ladder was called."))
    if row.overdue and access.can(user, "post_status"):
        update = reverse("room_update", args=[incident.pk])
        needs.append(_need(incident, 30, "Post an update", due=row.due, url=update))
    if incident.acknowledged_at and own:
        needs.append(_need(incident, 40 + _RANKS[incident.severity], "Continue", since=incident.started_at))
    elif incident.acknowledged_at and works and not row.commander:
        needs.append(_need(incident, 45, "Take command", since=incident.opened_at))
    return needs


def _need(incident: Incident, rank: int, verb: str, *, url: str = "", detail: str = "", **more: object) -> Need:
    return Need(
        rank=rank,
        verb=verb,
        title=f"{incident.reference} {incident.title}",
        url=url or reverse("room", args=[incident.pk]),
        detail=detail or _where(incident),
        severity=incident.severity,
        **more,  # type: ignore[arg-type]
    )


def _where(incident: Incident) -> str:
    words = [incident.environment.label]
    if incident.service:
        words.append(incident.service.label)
    if incident.is_drill:
        words.append("drill")
    return " · ".join(words)


def handovers(user: User) -> list[Need]:
    """Incidents that somebody wants me to take."""
    offered = Handover.objects.filter(receiver=user, status=HandoverStatus.OFFERED)
    mine = offered.filter(incident__in=visible_incidents(user)).exclude(incident__status=IncidentStatus.RESOLVED)
    related = ("incident__environment", "incident__service", "giver")
    return [
        _need(
            found.incident,
            15,
            "Accept the handover",
            since=found.offered_at,
            url=reverse("room_handover", args=[found.incident_id]),
            detail=f"from {name_of(found.giver)} · {_where(found.incident)}",
        )
        for found in mine.select_related(*related)[:20]
    ]


def stakeholders(user: User) -> list[Need]:
    """Disturbances that are over, and stakeholders do not know."""
    if not access.can(user, "post_status"):
        return []
    seen = visible_incidents(user)
    return [
        _need(
            incident,
            32,
            "Say that it is over",
            since=incident.resolved_at,
            url=reverse("room_update", args=[incident.pk]) + "?phase=resolved",
        )
        for incident in status.unclosed(seen)
    ]


def reviews(user: User) -> list[Need]:
    """Reviews that are due soon, and for leads those that wait for their word."""
    if not access.can(user, "write_postmortem"):
        return []
    mine: QuerySet[PostMortem] = PostMortem.objects.filter(
        incident__in=visible_incidents(user), incident__is_drill=False
    ).select_related("incident__environment", "incident__service")
    now = clock.now()
    writing = mine.filter(status__in=[ReviewStatus.DRAFT, ReviewStatus.CHANGES_REQUESTED])
    commanded = writing.filter(incident__roles__role=RoleName.COMMANDER, incident__roles__user=user)
    found = writing.filter(Q(due_at__lt=now) | Q(pk__in=commanded.values("pk"))).order_by("due_at")[:20]
    needs = [_review(review, "Write the review") for review in found]
    if access.can(user, "publish_postmortem"):
        waiting = mine.filter(status=ReviewStatus.IN_REVIEW).order_by("due_at")[:20]
        needs += [_review(review, "Decide on the review") for review in waiting]
    return needs


def _review(review: PostMortem, verb: str) -> Need:
    return _need(review.incident, 70, verb, due=review.due_at, url=reverse("review", args=[review.incident.pk]))
