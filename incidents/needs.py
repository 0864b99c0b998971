"""What of this layer waits for a person: the incidents' part of the Now page.

Ranks: 10 acknowledge (worst first), 15 accept a handover, 20 nobody left to call, 25 somebody asks for a baton,
30 tell stakeholders, 40 what I am working on, 42 walks that I left, 45 what nobody leads, 70 reviews.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.urls import reverse

from erpops import access
from erpops.clock import Now
from erpops.needs import Need, Provider
from incidents import status
from incidents.access import in_visible_incidents, visible_incidents
from incidents.beginnings import Beginning, beginnings_for
from incidents.choices import (
    OPEN_STATUSES,
    EscalationState,
    HandoverStatus,
    IncidentStatus,
    ReviewStatus,
    RoleName,
    Severity,
)
from incidents.models import Handover, Incident, IncidentRole, PostMortem
from incidents.queries import name_of, update_due

# More open incidents than this and the list is for the incidents page.
LIMIT = 100
MOST = 20
_RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}
# What decides whether an incident asks for somebody, and for what.
_ASKING = ("status", "severity", "is_drill", "opened_at", "acknowledged_at", "update_due_at")
_WRITING = [ReviewStatus.DRAFT, ReviewStatus.CHANGES_REQUESTED]


class _Verb(StrEnum):
    """What an open incident asks of somebody."""

    ACKNOWLEDGE = "Acknowledge"
    NOBODY = "Nobody answers"
    UPDATE = "Post an update"
    CONTINUE = "Continue"
    COMMAND = "Take command"


def _open(user: User) -> QuerySet[Incident] | None:
    if not access.can(user, "see_console"):
        return None
    return visible_incidents(user).filter(status__in=OPEN_STATUSES)


def _most_urgent(user: User, rows: QuerySet[Incident]) -> QuerySet[Incident]:
    """In a storm the limit cuts the least urgent, never what I hold or the worst page."""
    roles = IncidentRole.objects.filter(incident=OuterRef("pk"))
    known = rows.annotate(
        own=Exists(roles.filter(user=user)),
        commanded=Exists(roles.filter(role=RoleName.COMMANDER)),
        ladder=F("escalation__state"),
    )
    return known.order_by("-own", F("acknowledged_at").asc(nulls_first=True), "severity", "-id")[:LIMIT]


def _verbs(incident: Any, user: User, now: datetime) -> list[_Verb]:
    """What an incident of `_most_urgent` asks of `user`."""
    works = access.can(user, "work_incidents")
    due = update_due(incident)
    found = []
    if incident.acknowledged_at is None and works:
        found.append(_Verb.ACKNOWLEDGE)
    elif incident.ladder == EscalationState.EXHAUSTED:
        found.append(_Verb.NOBODY)
    if due and due < now and access.can(user, "post_status"):
        found.append(_Verb.UPDATE)
    if incident.acknowledged_at and incident.own:
        found.append(_Verb.CONTINUE)
    elif incident.acknowledged_at and works and not incident.commanded:
        found.append(_Verb.COMMAND)
    return found


def _count_incidents(user: User, rows: QuerySet[Incident], now: datetime) -> int:
    return sum(len(_verbs(incident, user, now)) for incident in _most_urgent(user, rows.only(*_ASKING)))


def _incidents(user: User, rows: QuerySet[Incident], now: datetime) -> list[Need]:
    found = list(_most_urgent(user, rows.select_related("environment", "service")))
    begun = beginnings_for(user, found)
    return [
        _asked(incident, verb, begun.get(incident.pk)) for incident in found for verb in _verbs(incident, user, now)
    ]


def _asked(incident: Any, verb: _Verb, beginning: Beginning | None) -> Need:
    match verb:
        case _Verb.ACKNOWLEDGE:
            exhausted = incident.ladder == EscalationState.EXHAUSTED
            return _need(
                incident,
                10 + _RANKS[incident.severity],
                verb,
                detail=f"Nobody answers · {_where(incident)}" if exhausted else "",
                since=incident.opened_at,
                action=beginning.url if beginning else reverse("acknowledge", args=[incident.pk]),
                button="Acknowledge & start" if beginning else "",
            )
        case _Verb.NOBODY:
            return _need(incident, 20, verb, detail="Everyone on the ladder was called.")
        case _Verb.UPDATE:
            update = reverse("room_update", args=[incident.pk])
            return _need(incident, 30, verb, due=update_due(incident), url=update)
        case _Verb.CONTINUE:
            return _need(incident, 40 + _RANKS[incident.severity], verb, since=incident.started_at)
    return _need(incident, 45, verb, since=incident.opened_at)


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


def _offered(user: User) -> QuerySet[Handover]:
    offered = Handover.objects.filter(receiver=user, status=HandoverStatus.OFFERED)
    return in_visible_incidents(user, offered).exclude(incident__status=IncidentStatus.RESOLVED)


def _handovers(user: User, rows: QuerySet[Handover], now: datetime) -> list[Need]:
    return [
        _need(
            found.incident,
            15,
            "Accept the handover",
            since=found.offered_at,
            url=reverse("room_handover", args=[found.incident_id]),
            detail=f"from {name_of(found.giver)} · {_where(found.incident)}",
        )
        for found in rows.select_related("incident__environment", "incident__service", "giver")[:MOST]
    ]


def _untold(user: User) -> QuerySet[Incident] | None:
    return status.unclosed(visible_incidents(user)) if access.can(user, "post_status") else None


def _stakeholders(user: User, rows: QuerySet[Incident], now: datetime) -> list[Need]:
    return [
        _need(
            incident,
            32,
            "Say that it is over",
            since=incident.resolved_at,
            url=reverse("room_update", args=[incident.pk]) + "?phase=resolved",
        )
        for incident in rows.select_related("environment", "service").order_by("resolved_at")[:MOST]
    ]


def _unfinished(user: User) -> QuerySet[PostMortem] | None:
    if not access.can(user, "write_postmortem"):
        return None
    commanded = IncidentRole.objects.filter(incident=OuterRef("incident"), role=RoleName.COMMANDER, user=user)
    wanted = Q(status__in=_WRITING) & (Q(due_at__lt=Now()) | Q(Exists(commanded)))
    if access.can(user, "publish_postmortem"):
        wanted |= Q(status=ReviewStatus.IN_REVIEW)
    return in_visible_incidents(user, PostMortem.objects.filter(wanted, incident__is_drill=False))


def _reviews(user: User, rows: QuerySet[PostMortem], now: datetime) -> list[Need]:
    known = rows.select_related("incident__environment", "incident__service").defer("body").order_by("due_at")
    writing = known.filter(status__in=_WRITING)[:MOST]
    waiting: Iterable[PostMortem] = ()
    if access.can(user, "publish_postmortem"):
        waiting = known.filter(status=ReviewStatus.IN_REVIEW)[:MOST]
    needs = [_review(review, "Write the review") for review in writing]
    return needs + [_review(review, "Decide on the review") for review in waiting]


def _review(review: PostMortem, verb: str) -> Need:
    return _need(review.incident, 70, verb, due=review.due_at, url=reverse("review", args=[review.incident.pk]))


# Open incidents: unacknowledged, with nobody left to call, due for a word, mine, nobody's.
INCIDENTS = Provider(_open, _incidents, _count_incidents)
# Disturbances that are over, and stakeholders do not know.
STAKEHOLDERS = Provider(_untold, _stakeholders)
# Reviews that are due, or that I led, and for leads those that wait for their word.
REVIEWS = Provider(_unfinished, _reviews)
# Incidents that somebody wants me to take.
HANDOVERS = Provider(_offered, _handovers)
