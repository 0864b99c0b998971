"""What of runbooks waits for a person: rank 15 to approve or refuse, 16 to use an approval while it is good."""

from django.contrib.auth.models import User
from django.urls import reverse

from erpops import access
from erpops.htmx import Need
from runbooks import addresses, approval_views
from runbooks.choices import ApprovalState
from runbooks.models import Approval

RANK_ANSWER, RANK_USE = 15, 16


def approvals(user: User) -> list[Need]:
    """Questions for leads, and the person's own approvals that are ready."""
    if not access.can(user, "run_commands"):
        return []
    return [_need(approval) for approval in approval_views.waiting(user)]


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
