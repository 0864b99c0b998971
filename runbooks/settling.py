"""After an end that is in doubt: what people found, what turned up late, and what is done once more.

With `runner`, the only writer of CommandRun.
"""

from collections.abc import Sequence
from functools import partial

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from erpops.clock import Now
from erpops.nudges import nudge
from runbooks import executions, output, runner, tasks
from runbooks.choices import ExecutionStatus, RunStatus
from runbooks.models import CommandRun, OutputChunk

R = RunStatus
# An attempt that takes its worker along each time is left to a person after these.
MOST_ATTEMPTS = 3
VERDICTS = {"done": "done", "not_done": "not done", "again": "to be run again, whatever happened"}


def settle_unknown(*, run: CommandRun, verdict: str, by: User, note: str = "") -> None:
    """A person says how an attempt of unknown outcome ended: `done`, `not_done`, or that it is run `again` anyway."""
    if verdict not in VERDICTS:
        raise ValueError(f"The verdict is one of {', '.join(VERDICTS)}, not {verdict!r}.")
    word = VERDICTS[verdict]
    to = R.SUCCEEDED if verdict == "done" else R.FAILED
    with transaction.atomic():
        reason = f"Outcome unknown; {by.get_username()} checked: {word}. {note}".strip()[:300]
        moved = runner.RUN.move(run, to=to, only_from={R.OUTCOME_UNKNOWN}, reason=reason)
        # The attempt's row before its walk's, as everywhere; a refusal takes the change back.
        executions.require_baton(run.step_run.execution, by)
        if not moved:
            return
        executions.lock(run.step_run)
        said = f"marked `{runner.short(run.text)}` as {word}"
        executions.tell_step(run.step_run, "command.settled", said, by, run=run.pk, verdict=verdict)
        executions.follow_runs(step_run=run.step_run)
        nudge(f"run:{run.pk}")


def confirm_stopped(*, run: CommandRun, by: User) -> None:
    """A person has looked: nothing of an attempt with an unconfirmed stop runs any more."""
    with transaction.atomic():
        reason = f"{by.get_username()} checked that nothing of it runs any more."
        moved = runner.RUN.move(run, to=R.STOPPED, only_from={R.STOP_UNCONFIRMED}, reason=reason)
        executions.require_baton(run.step_run.execution, by)
        if moved:
            executions.lock(run.step_run)
            said = f"confirmed that `{runner.short(run.text)}` has stopped"
            executions.tell_step(run.step_run, "command.settled", said, by, run=run.pk, verdict="stopped")
            executions.follow_runs(step_run=run.step_run)


def record_late(*, run: CommandRun, chunks: Sequence[OutputChunk], output_bytes: int, dropped_bytes: int) -> None:
    """What an attempt of unknown outcome had written, found in its spool when its claim was over."""
    with transaction.atomic():
        rows = CommandRun.objects.filter(pk=run.pk, status=R.OUTCOME_UNKNOWN, output_seq__lt=chunks[-1].seq)
        if rows.update(output_seq=chunks[-1].seq, output_bytes=output_bytes, dropped_bytes=dropped_bytes):
            output.store(chunks=chunks)
            nudge(f"run:{run.pk}")


def learn(*, run: CommandRun, outcome: runner.Outcome) -> bool:
    """The end of an attempt that was called unknown has turned up in its supervisor's own record."""
    if outcome.status not in runner.RUN.moves[R.OUTCOME_UNKNOWN]:
        return False
    with transaction.atomic():
        values = {"exit_code": outcome.exit_code, "reason": outcome.reason[:300], "ended_at": outcome.ended_at}
        if not runner.RUN.move(run, to=outcome.status, only_from={R.OUTCOME_UNKNOWN}, **values):
            return False
        runner.told_end(run)
    return True


def repeat_lost(limit: int = 50) -> int:
    """Ask once more for repeatable commands whose outcome nobody knows; how many. A person may have been faster."""
    return sum(_repeat(run) for run in _lost().order_by("pk")[:limit])


def _lost() -> QuerySet[CommandRun]:
    later = CommandRun.objects.filter(
        step_run=OuterRef("step_run"), command=OuterRef("command"), attempt__gt=OuterRef("attempt")
    )
    return CommandRun.objects.filter(
        ~Exists(later),
        status=R.OUTCOME_UNKNOWN,
        repeatable=True,
        attempt__lt=MOST_ATTEMPTS,
        step_run__execution__status=ExecutionStatus.ACTIVE,
    )


def _repeat(lost: CommandRun) -> bool:
    """The same script, values and target in a new attempt, in the name of the person who asked for the first."""
    try:
        with transaction.atomic():
            executions.lock(lost.step_run)
            if not _lost().filter(pk=lost.pk).exists():
                return False
            again = CommandRun.objects.get(pk=lost.pk)
            again.pk, again.attempt, again.status = None, lost.attempt + 1, R.QUEUED
            again.queued_at = again.nudged_at = Now()
            again.started_at = again.ended_at = again.stop_requested_at = again.exit_code = again.lease_until = None
            again.host = again.containment = again.reason = ""
            again.output_seq = again.output_bytes = again.dropped_bytes = 0
            again.save(force_insert=True)
            said = f"runs `{runner.short(lost.text)}` once more, because it may be repeated"
            executions.tell_step(
                lost.step_run, "command.repeated", said, None, run=again.pk, attempt=again.attempt, digest=lost.digest
            )
            executions.follow_runs(step_run=lost.step_run)
            transaction.on_commit(partial(tasks.ring, again.pk, lost.queue), robust=True)
    except IntegrityError:
        return False
    return True
