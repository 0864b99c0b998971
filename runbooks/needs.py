"""What of the runbooks waits for a person: the Now page's part. The ranks are listed in `incidents.needs`."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import OuterRef, Q, QuerySet, Subquery

from erpops import access
from erpops.clock import Now
from erpops.htmx import Need
from runbooks import addresses
from runbooks.access import visible_executions
from runbooks.baton import IDLE_S
from runbooks.choices import BatonStatus, ExecutionStatus
from runbooks.models import BatonRequest, Execution

_ASKED, _LEFT = 25, 42
MOST = 20


def batons(user: User) -> list[Need]:
    """Walks that I hold: somebody asks for the baton, or I have left them, or not touched them for a while."""
    waiting = BatonRequest.objects.filter(execution=OuterRef("pk"), status=BatonStatus.WAITING)
    walks = _held(user).annotate(
        asked_by=Subquery(waiting.values("by__username")[:1]), asked_at=Subquery(waiting.values("asked_at")[:1])
    )
    left = Q(paused_at__isnull=False) | Q(acted_at__lt=Now() - timedelta(seconds=IDLE_S))
    return [_need(walk) for walk in walks.filter(left | Q(asked_by__isnull=False))[:MOST]]


def _need(walk: Any) -> Need:
    title, url = walk.version.runbook.title, addresses.of_walk(walk, "walk_step", position=walk.position)
    if walk.asked_by:
        asks = f"{walk.asked_by} asks for the baton of {title}"
        return Need(_ASKED, "Answer", asks, url, detail=_where(walk), since=walk.asked_at)
    paused = f"Paused at step {walk.position + 1} · {_where(walk)}"
    return Need(_LEFT, "Go on", title, url, detail=paused, since=walk.paused_at or walk.acted_at)


def _held(user: User) -> QuerySet[Execution]:
    if not access.can(user, "run_commands"):
        return Execution.objects.none()
    held = visible_executions(user).filter(holder=user, status=ExecutionStatus.ACTIVE)
    return held.select_related("version__runbook", "incident", "environment")


def _where(walk: Execution) -> str:
    return (
        f"{walk.reference} {walk.incident.title}" if walk.incident else f"{walk.reference} on {walk.environment.label}"
    )
