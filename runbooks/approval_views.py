"""Approvals as pages show them: where one stands, and what this person may do about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from erpops import access, clock
from erpops.clock import Now, seconds
from incidents.choices import Severity
from runbooks import approvals
from runbooks.access import in_visible_executions
from runbooks.choices import ApprovalState, ApprovalWay, ExecutionStatus
from runbooks.models import Approval, Execution, StepRun


@dataclass(frozen=True)
class Standing:
    """One approval for one person. `state` counts what is over its time as expired.

    `void`: a value was changed since it was asked for, so it can neither be answered nor used any more.
    """

    approval: Approval
    state: str
    own: bool
    may_answer: bool
    # When this person may go ahead by themselves; None for never.
    glass_at: datetime | None = None
    solo_at: datetime | None = None
    void: bool = False

    @property
    def waiting(self) -> bool:
        return self.state == ApprovalState.ASKED and not self.void

    @property
    def ready(self) -> bool:
        """It may be used, by whoever asked."""
        return self.own and (self.approved or (self.waiting and self.solo_at is not None))

    @property
    def approved(self) -> bool:
        return self.state == ApprovalState.APPROVED and not self.void

    @property
    def open(self) -> bool:
        return self.state in approvals.OPEN and not self.void

    @property
    def asker(self) -> str:
        return _name(self.approval.requested_by)

    @property
    def decider(self) -> str:
        return _name(self.approval.decided_by) if self.approval.decided_by else ""

    @property
    def by_glass(self) -> bool:
        return self.approval.way == ApprovalWay.BREAK_GLASS

    @property
    def mark(self) -> tuple[Any, ...]:
        """Another one whenever it would look different."""
        return (self.approval.pk, self.state, self.own, self.may_answer, self.solo_at is not None, self.void)


def of_step(step_run: StepRun, user: User) -> dict[int, Standing]:
    """The latest approval of each command of a step that has one; outside production none is ever asked for."""
    if not step_run.execution.environment.is_production:
        return {}
    rows = Approval.objects.filter(step_run=step_run).select_related("requested_by", "decided_by")
    rows = rows.order_by("command", "-pk").distinct("command")
    return {row.command: standing(row, step_run.execution, user) for row in rows}


def standing(approval: Approval, execution: Execution, user: User) -> Standing:
    """Where `approval` stands for `user`."""
    late = approval.expires_at <= clock.now() and approval.status in approvals.OPEN
    state = ApprovalState.EXPIRED if late else approval.status
    void = state in approvals.OPEN and approvals.means_other_values(execution, approval.values)
    own = approval.requested_by_id == user.pk
    leads = access.can(user, "approve_destroy")
    waits = state == ApprovalState.ASKED and not void
    incident = execution.incident
    solo = own and waits and approvals.alone(user)
    glass = own and waits and leads and not solo and incident is not None and incident.severity == Severity.SEV1
    return Standing(
        approval=approval,
        state=state,
        own=own,
        may_answer=waits and leads and user.pk not in {approval.requested_by_id, *approval.authors},
        glass_at=approval.asked_at + seconds(approvals.GLASS_S) if glass else None,
        solo_at=approval.asked_at + seconds(approvals.COOL_S) if solo else None,
        void=void,
    )


def waiting(user: User) -> QuerySet[Approval]:
    """Questions that this person could answer as a lead, and approvals that they may use; some may be `void`."""
    mine = Q(status=ApprovalState.APPROVED, requested_by=user)
    asked = Q(status=ApprovalState.ASKED) & ~Q(requested_by=user) & ~Q(authors__contains=[user.pk])
    wanted = mine | asked if access.can(user, "approve_destroy") else mine
    rows = Approval.objects.filter(wanted, expires_at__gt=Now(), step_run__execution__status=ExecutionStatus.ACTIVE)
    return in_visible_executions(user, rows, "step_run__execution")


def void(approval: Approval) -> bool:
    """Whether a value was changed since it was asked for: it can neither be answered nor used any more."""
    return approvals.means_other_values(approval.step_run.execution, approval.values)


def _name(user: User) -> str:
    return user.get_full_name() or user.get_username()
