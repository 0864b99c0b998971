"""What waits because nobody is there to be called."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Exists, Q, QuerySet
from django.urls import reverse

from erpops import access
from erpops.needs import Need, Provider
from incidents import ladder
from incidents.access import visible_incidents
from incidents.choices import OPEN_STATUSES, EscalationState
from incidents.models import EscalationPolicy, Incident, Rung

_RANK_INCIDENT, _RANK_MATRIX = 20, 60
_MOST = 50


def _stuck(user: User) -> QuerySet[Incident] | None:
    if not access.can(user, "see_console"):
        return None
    ended = Q(escalation__state=EscalationState.ACKNOWLEDGED, escalation__next_at=None)
    found = visible_incidents(user).filter(status__in=OPEN_STATUSES)
    return found.filter(ended | Q(escalation__state=EscalationState.DORMANT))


def _deciding(user: User, rows: QuerySet[Incident], now: datetime) -> list[Need]:
    return [
        Need(
            _RANK_INCIDENT,
            "Decide who helps",
            f"{incident.reference} {incident.title}",
            f"/i/{incident.pk}/",
            detail="No further call will be made by itself.",
            severity=incident.severity,
            since=incident.opened_at,
        )
        for incident in rows[:_MOST]
    ]


def _gaps(user: User) -> QuerySet[Rung] | None:
    return ladder.unreachable_rungs() if access.can(user, "edit_escalation") else None


def _fixing_gaps(user: User, rows: QuerySet[Rung], now: datetime) -> list[Need]:
    severities = sorted(set(rows.order_by().values_list("severity", flat=True)))
    return [_fix(f"Levels of {', '.join(severities)} reach nobody")] if severities else []


def _without_policy(user: User) -> QuerySet[User] | None:
    if not access.can(user, "edit_escalation"):
        return None
    return User.objects.filter(~Exists(EscalationPolicy.objects.filter(is_default=True)), pk=user.pk)


def _one(user: User, rows: QuerySet[Rung], now: datetime) -> int:
    return 1


def _fixing_policy(user: User, rows: QuerySet[User], now: datetime) -> list[Need]:
    return [_fix("Nobody is on call")]


def _fix(where: str) -> Need:
    return Need(_RANK_MATRIX, "Fix", where, reverse("oncall"), detail="Such levels are skipped when it counts.")


# Open incidents whose ladder has ended although someone took them, or that fell asleep.
STUCK = Provider(_stuck, _deciding)
# Levels of the matrix at which nobody can be reached, and a console without a matrix.
GAPS = Provider(_gaps, _fixing_gaps, _one)
NO_POLICY = Provider(_without_policy, _fixing_policy)
