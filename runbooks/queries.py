"""Reads about executions and runs that more than one page needs."""

from dataclasses import dataclass

from django.db.models import Count, Q

from incidents.models import Incident
from runbooks.choices import ExecutionStatus, RunStatus, StepStatus
from runbooks.models import CommandRun, Execution, Match

_DEALT_WITH = [StepStatus.PASSED, StepStatus.SKIPPED, StepStatus.FAILED]


@dataclass(frozen=True)
class Progress:
    """How far a walk has come: counts of steps."""

    total: int
    done: int
    skipped: int
    failed: int

    @property
    def percent(self) -> int:
        return round(100 * self.done / self.total) if self.total else 0


def progress(execution: Execution) -> Progress:
    """The steps of a walk by what became of them; `done` counts passed, skipped and failed ones."""
    counted = execution.steps.aggregate(
        total=Count("pk"),
        done=Count("pk", filter=Q(status__in=_DEALT_WITH)),
        skipped=Count("pk", filter=Q(status=StepStatus.SKIPPED)),
        failed=Count("pk", filter=Q(status=StepStatus.FAILED)),
    )
    return Progress(**counted)


def active_executions(incident: Incident) -> list[Execution]:
    """The walks that go on for an incident, oldest first."""
    found = Execution.objects.filter(incident=incident, status=ExecutionStatus.ACTIVE)
    return list(found.select_related("version__runbook", "environment", "holder").order_by("id"))


def matches(incident: Incident) -> list[Match]:
    """The runbooks suggested for an incident, best first."""
    found = Match.objects.filter(incident=incident, runbook__archived=False, runbook__current__isnull=False)
    return list(found.select_related("runbook__current"))


def undecided_runs(incident: Incident) -> list[CommandRun]:
    """Attempts whose outcome nobody knows and that a person has to settle."""
    found = CommandRun.objects.filter(step_run__execution__incident=incident, status=RunStatus.OUTCOME_UNKNOWN)
    return list(found.select_related("step_run__execution").order_by("id"))
