"""Waits that the text asks for: the only writer of Wait. Their end is told by `runbooks.clocks`."""

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from erpops import clock
from erpops.clock import Now, seconds
from runbooks import durations
from runbooks.acts import compiled_step, lock, require_baton, tell_step
from runbooks.models import StepRun, Wait
from runbooks.refusals import Refused


def begin(*, step_run: StepRun, wait: int, by: User) -> Wait:
    """Start a wait of the step; one that runs already is answered as it is."""
    asked = durations.waits_of(compiled_step(step_run))
    if not 0 <= wait < len(asked):
        raise Refused("This step does not ask for such a wait.")
    with transaction.atomic():
        require_baton(step_run.execution, by)
        lock(step_run)
        if running := running_of(step_run).filter(wait=wait).first():
            return running
        now = clock.now()
        begun = Wait.objects.create(
            step_run=step_run,
            wait=wait,
            text=asked[wait].text[:200],
            seconds=asked[wait].seconds,
            started_at=now,
            started_by=by,
            due_at=now + seconds(asked[wait].seconds),
        )
        tell_step(step_run, "wait.begun", f"began to wait: {begun.text}", by, noise=True, seconds=begun.seconds)
    return begun


def end(*, step_run: StepRun, wait: int, reason: str, by: User) -> None:
    """End a wait before its time, with a reason; one that is over stays as it is."""
    reason = reason.strip()[:200]
    if not reason:
        raise Refused("Say why the wait ends early: the reason stands in the timeline.", code="confirmation")
    with transaction.atomic():
        require_baton(step_run.execution, by)
        lock(step_run)
        running = running_of(step_run).filter(wait=wait).first()
        if running is None:
            return
        now = clock.now()
        Wait.objects.filter(pk=running.pk).update(ended_at=now, ended_by=by, reason=reason, told_at=now)
        left = max(0, round((running.due_at - now).total_seconds()))
        said = f"ended “{running.text}” {left} s early: {reason}"
        tell_step(step_run, "wait.ended", said, by, reason=reason, left_s=left)


def running_of(step_run: StepRun) -> QuerySet[Wait]:
    """The waits of the step whose end nobody has told yet."""
    return Wait.objects.filter(step_run=step_run, told_at=None)


def require_over(step_run: StepRun) -> None:
    """Refuse while a wait of the step runs."""
    if running := Wait.objects.filter(step_run=step_run, ended_at=None, due_at__gt=Now()).first():
        raise Refused(f"“{running.text}” is not over: let it run out, or end it early with a reason.")


def stop_all(execution_id: int) -> None:
    """The walk has ended: nothing of it is waited for."""
    running = Wait.objects.filter(step_run__execution=execution_id, told_at=None)
    running.update(ended_at=Now(), told_at=Now(), reason="the runbook ended")
