"""What waits because nobody is there to be called."""

from django.contrib.auth.models import User
from django.db.models import Q
from django.urls import reverse

from erpops import access
from erpops.htmx import Need
from incidents import ladder, matrix
from incidents.access import visible_incidents
from incidents.choices import EscalationState, IncidentStatus

_RANK_INCIDENT, _RANK_MATRIX = 20, 60


def needs(user: User) -> list[Need]:
    """Open incidents whose ladder has ended although someone took them or it fell asleep; gaps in the matrix."""
    if not access.can(user, "see_console"):
        return []
    ended = Q(escalation__state=EscalationState.ACKNOWLEDGED, escalation__next_at=None)
    stuck = visible_incidents(user).exclude(status=IncidentStatus.RESOLVED)
    stuck = stuck.filter(ended | Q(escalation__state=EscalationState.DORMANT)).select_related("escalation")
    found = [
        Need(
            _RANK_INCIDENT,
            "Decide who helps",
            f"{incident.reference} {incident.title}",
            f"/i/{incident.pk}/",
            detail="No further call will be made by itself.",
            severity=incident.severity,
            since=incident.opened_at,
        )
        for incident in stuck[:50]
    ]
    if access.can(user, "edit_escalation"):
        found += _gaps()
    return found


def _gaps() -> list[Need]:
    policy = ladder.default_policy()
    gaps = [row.severity for row in matrix.matrix(policy) if row.gaps] if policy else []
    if policy and not gaps:
        return []
    where = f"Levels of {', '.join(gaps)} reach nobody" if gaps else "Nobody is on call"
    return [Need(_RANK_MATRIX, "Fix", where, reverse("oncall"), detail="Such levels are skipped when it counts.")]
