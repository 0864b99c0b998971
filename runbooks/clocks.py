"""Clocks of walks that have run out: a phase over its budget, a wait that is over. Each is told once.

Nothing is blocked by them. A phase over its budget brings the second escalation clock forward.
"""

import logging
from collections.abc import Callable

from django.db import DatabaseError, transaction
from django.db.models import F

from erpops.clock import Now, seconds
from incidents import lifecycle
from runbooks import walk
from runbooks.acts import lock, step_title, tell, tell_step
from runbooks.choices import ExecutionStatus
from runbooks.models import Execution, PhaseClock, Wait

logger = logging.getLogger(__name__)
_BATCH = 200
_POISONED_S = 60


def tick() -> int:
    """Tell what has run out, the earliest first; how many."""
    waits = Wait.objects.filter(told_at=None, due_at__lte=Now()).order_by("due_at")
    phases = PhaseClock.objects.filter(over_at=None, ended_at=None, due_at__lte=Now()).order_by("due_at")
    told = 0
    for pk in list(waits.values_list("pk", flat=True)[:_BATCH]):
        told += _one(pk, _wait_over, Wait)
    for pk in list(phases.values_list("pk", flat=True)[:_BATCH]):
        told += _one(pk, _phase_over, PhaseClock)
    return told


def _one(pk: int, tell_it: Callable[[int], int], model: type[Wait] | type[PhaseClock]) -> int:
    """One row; what is wrong with it does not hold up the others."""
    try:
        with transaction.atomic():
            return tell_it(pk)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("%s %s could not be told; it is tried again in a minute", model.__name__, pk)
        model._default_manager.filter(pk=pk).update(due_at=F("due_at") + seconds(_POISONED_S))
        return 0


def _wait_over(pk: int) -> int:
    wait = Wait.objects.select_related("step_run__execution__version", "step_run__execution__incident").get(pk=pk)
    lock(wait.step_run)
    # Somebody ended it, or another engine told it, while this one waited for the lock.
    if not Wait.objects.filter(pk=pk, told_at=None).update(told_at=Now(), ended_at=F("due_at")):
        return 0
    where = f"step {wait.step_run.position + 1}, {step_title(wait.step_run)}"
    tell_step(wait.step_run, "wait.over", f"The wait of {where}, is over: {wait.text}", None, seconds=wait.seconds)
    return 1


def _phase_over(pk: int) -> int:
    found = PhaseClock.objects.select_related("execution__version__runbook", "execution__incident").get(pk=pk)
    locked = (
        Execution.objects.select_for_update(no_key=True).values_list("status", flat=True).get(pk=found.execution_id)
    )
    due = PhaseClock.objects.filter(pk=pk, over_at=None, ended_at=None, due_at__lte=Now())
    if locked != ExecutionStatus.ACTIVE or not due.update(over_at=Now()):
        return 0
    execution = found.execution
    phase = execution.version.compiled["phases"][found.phase]
    name = walk.plain(phase["heading"]) or walk.PHASES.get(phase["phase"], "A phase")
    budget = walk.in_minutes(phase["time_box_s"] or 0)
    text = f"{name} of {execution.version.runbook.title} takes longer than its {budget}"
    tell(execution, "phase.over", text, None, phase=found.phase, budget_s=phase["time_box_s"])
    if execution.incident is not None:
        lifecycle.overdue(incident=execution.incident)
    return 1
