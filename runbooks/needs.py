"""What of the runbooks waits for a person: the Now page's part. The ranks are listed in `incidents.needs`."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from erpops import access
from erpops.clock import Now
from erpops.htmx import Need
from runbooks import addresses
from runbooks.access import visible_executions
from runbooks.baton import IDLE_S
from runbooks.choices import BatonStatus, ExecutionStatus
from runbooks.models import Execution

_ASKED, _LEFT = 25, 42
MOST = 20


def batons(user: User) -> list[Need]:
    """Somebody asks for a baton that I hold."""
    asked = _held(user).filter(baton_requests__status=BatonStatus.WAITING)
    found = asked.values_list("pk", "baton_requests__by__username", "baton_requests__asked_at")
    by_id = {pk: (who, since) for pk, who, since in found[:MOST]}
    return [
        Need(
            _ASKED,
            "Answer",
            f"{by_id[walk.pk][0]} asks for the baton of {walk.version.runbook.title}",
            addresses.of_walk(walk, "walk_step", position=walk.position),
            detail=_where(walk),
            since=by_id[walk.pk][1],
        )
        for walk in (_held(user).filter(pk__in=by_id) if by_id else [])
    ]


def bookmarks(user: User) -> list[Need]:
    """Walks that I hold and have left, or have not touched for a while."""
    left = Q(paused_at__isnull=False) | Q(acted_at__lt=Now() - timedelta(seconds=IDLE_S))
    return [
        Need(
            _LEFT,
            "Go on",
            walk.version.runbook.title,
            addresses.of_walk(walk, "walk_step", position=walk.position),
            detail=f"Paused at step {walk.position + 1} · {_where(walk)}",
            since=walk.paused_at or walk.acted_at,
        )
        for walk in _held(user).filter(left)[:MOST]
    ]


def _held(user: User) -> QuerySet[Execution]:
    if not access.can(user, "run_commands"):
        return Execution.objects.none()
    held = visible_executions(user).filter(holder=user, status=ExecutionStatus.ACTIVE)
    return held.select_related("version__runbook", "incident", "environment")


def _where(walk: Execution) -> str:
    return (
        f"{walk.reference} {walk.incident.title}" if walk.incident else f"{walk.reference} on {walk.environment.label}"
    )
