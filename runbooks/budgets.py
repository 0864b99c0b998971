"""The clocks of phases: a phase with a time budget has one from the first look at a step of it. Their end is told by
`runbooks.clocks`."""

from django.db.models import F

from erpops import clock
from erpops.clock import Now, seconds
from runbooks.choices import StepStatus
from runbooks.models import PhaseClock, StepRun


def begin(step_run: StepRun) -> None:
    """Start the clock of the step's phase if it has a budget and no clock yet; one that had ended runs on.

    Called in the transaction of what begins the step, with the execution locked.
    """
    phase = step_run.execution.version.compiled["phases"][step_run.phase]
    budget = phase["time_box_s"]
    if not budget:
        return
    now = clock.now()
    mine, fresh = PhaseClock.objects.get_or_create(
        execution_id=step_run.execution_id,
        phase=step_run.phase,
        defaults={"started_at": now, "due_at": now + seconds(budget)},
    )
    if not fresh and mine.ended_at is not None:
        # What it stood still for does not count.
        pause = now - mine.ended_at
        PhaseClock.objects.filter(pk=mine.pk).update(ended_at=None, due_at=F("due_at") + pause)


def settle(step_run: StepRun) -> None:
    """Stop the clock of the step's phase once all its steps have been dealt with."""
    open_steps = StepRun.objects.filter(execution_id=step_run.execution_id, phase=step_run.phase).filter(
        status__in=[StepStatus.PENDING, StepStatus.CURRENT, StepStatus.RUNNING, StepStatus.FAILED]
    )
    if not open_steps.exists():
        clocks = PhaseClock.objects.filter(execution_id=step_run.execution_id, phase=step_run.phase, ended_at=None)
        clocks.update(ended_at=Now())


def stop_all(execution_id: int) -> None:
    """The walk has ended: its clocks stand still."""
    PhaseClock.objects.filter(execution_id=execution_id, ended_at=None).update(ended_at=Now())
