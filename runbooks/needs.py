"""What of the runbooks waits for a person: the Now page's part.

Ranks: 15 to approve or refuse, 16 to use an approval while it is good, 25 to answer who asks for the baton, 42 to go
on with a walk that I left; `incidents.needs` lists the others.
"""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.urls import reverse

from erpops import access
from erpops.clock import Now
from erpops.needs import Need, Provider
from runbooks import addresses, approval_views
from runbooks.access import visible_executions
from runbooks.baton import IDLE_S
from runbooks.choices import ApprovalState, BatonStatus, ExecutionStatus
from runbooks.models import Approval, BatonRequest, Execution

RANK_ANSWER, RANK_USE = 15, 16
_ASKED, _LEFT = 25, 42
MOST = 20


def _answerable(user: User) -> QuerySet[Approval] | None:
    return approval_views.waiting(user) if access.can(user, "run_commands") else None


def _approvals(user: User, rows: QuerySet[Approval], now: datetime) -> list[Need]:
    related = ("requested_by", "decided_by", "step_run__execution__incident", "step_run__execution__environment")
    found = rows.select_related(*related).order_by("pk")[:MOST]
    return [_need(approval) for approval in found if not approval_views.void(approval)]


def _need(approval: Approval) -> Need:
    execution = approval.step_run.execution
    asked = approval.status == ApprovalState.ASKED
    asker = approval.requested_by.get_full_name() or approval.requested_by.get_username()
    page = reverse("approval", args=[approval.pk])
    step = addresses.of_walk(execution, "walk_step", position=approval.step_run.position)
    return Need(
        rank=RANK_ANSWER if asked else RANK_USE,
        verb="Approve" if asked else "Run",
        title=approval.doing,
        url=page if asked else step,
        detail=f"{execution.reference} · asked by {asker}" if asked else f"{execution.reference} · approved",
        severity=execution.incident.severity if execution.incident else "",
        since=approval.asked_at if asked else approval.decided_at,
        due=approval.expires_at,
    )


def _held(user: User) -> QuerySet[Execution] | None:
    if not access.can(user, "run_commands"):
        return None
    since = Now() - timedelta(seconds=IDLE_S)
    idle = Q(acted_at__lt=since) | Q(acted_at=None, started_at__lt=since)
    left = Q(paused_at__isnull=False) | idle | Exists(_waiting())
    return visible_executions(user).filter(left, holder=user, status=ExecutionStatus.ACTIVE)


def _waiting() -> QuerySet[BatonRequest]:
    return BatonRequest.objects.filter(execution=OuterRef("pk"), status=BatonStatus.WAITING)


def _batons(user: User, rows: QuerySet[Execution], now: datetime) -> list[Need]:
    walks = rows.select_related("version__runbook", "incident", "environment").annotate(
        asked_by=Subquery(_waiting().values("by__username")[:1]),
        asked_at=Subquery(_waiting().values("asked_at")[:1]),
    )
    return [_of_walk(walk) for walk in walks.defer("version__text", "version__findings", "version__compiled")[:MOST]]


def _of_walk(walk: Any) -> Need:
    title, url = walk.version.runbook.title, addresses.of_walk(walk, "walk_step", position=walk.position)
    if walk.asked_by:
        asks = f"{walk.asked_by} asks for the baton of {title}"
        return Need(_ASKED, "Answer", asks, url, detail=_where(walk), since=walk.asked_at)
    paused = f"Paused at step {walk.position + 1} · {_where(walk)}"
    return Need(_LEFT, "Go on", title, url, detail=paused, since=walk.paused_at or walk.acted_at or walk.started_at)


def _where(walk: Execution) -> str:
    return (
        f"{walk.reference} {walk.incident.title}" if walk.incident else f"{walk.reference} on {walk.environment.label}"
    )


# Questions for leads, and the person's own approvals that are ready.
APPROVALS = Provider(_answerable, _approvals)
# Walks that I hold: somebody asks for the baton, or I have left them, or not touched them for a while.
BATONS = Provider(_held, _batons)
