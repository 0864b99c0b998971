"""Running commands: with `settling`, the only writer of CommandRun.

A request checks the gate and freezes script, values and target under a digest; from then on the row
is the truth and every message about it only a doorbell. The claim is committed before anything
starts, and each later write of the claimant names its fence, so one attempt runs at most once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q

from erpops import claims
from erpops.clock import Now, seconds
from erpops.failpoints import failpoint
from erpops.nudges import nudge
from erpops.transitions import Machine
from incidents.models import Environment
from runbooks import (
    approvals,
    decisions,
    executions,
    exit_words,
    gate,
    intent,
    occupied,
    output,
    starts,
    tasks,
    units,
    variables,
)
from runbooks.choices import TERMINAL_RUNS, Risk, RunStatus
from runbooks.executors import waiting
from runbooks.intent import Intent
from runbooks.models import CommandRun, Execution, OutputChunk, StepRun
from runbooks.parameters import Bound
from runbooks.refusals import Refused

R = RunStatus
_ENDS: set[str] = {R.SUCCEEDED, R.FAILED, R.TIMED_OUT, R.STOPPED, R.STOP_UNCONFIRMED, R.NOT_STARTED, R.OUTCOME_UNKNOWN}
RUN = Machine(
    {
        R.QUEUED: {R.CLAIMED, R.STOPPED},
        R.CLAIMED: {R.RUNNING, R.NOT_STARTED, R.STOPPED, R.OUTCOME_UNKNOWN},
        R.RUNNING: _ENDS,
        # A person has looked and says how it ended, or the supervisor's own record turned up.
        R.OUTCOME_UNKNOWN: {R.SUCCEEDED, R.FAILED, R.TIMED_OUT, R.STOPPED, R.NOT_STARTED},
        R.STOP_UNCONFIRMED: {R.STOPPED},
    }
)
# With the reaper's grace, what nobody renews is known as lost within 30 s.
LEASE_S = 22.0
READ_LIMIT_S, LIMIT_S, SAMPLE_S = 60, 300, 15
queue_of = intent.queue_of
# A step with all that decides what its commands do.
STEPS = StepRun.objects.select_related("execution__environment", "execution__version__runbook")
_COLUMNS = ("seq", "stream", "at", "line", "cont", "style", "data")
# One statement, because the first line on a screen waits for it. A commit whose answer was lost is tried again.
_RECORD = """
WITH held AS (
    UPDATE runbooks_commandrun SET output_seq = %s, output_bytes = %s, dropped_bytes = %s
    WHERE id = %s AND fence = %s AND status = %s AND output_seq <= %s
    RETURNING id
), kept AS (
    INSERT INTO runbooks_outputchunk (run_id, seq, stream, at, line, cont, style, data)
    SELECT held.id, chunk.* FROM held, unnest(
        %s::bigint[], %s::text[], %s::timestamptz[], %s::bigint[], %s::boolean[], %s::text[], %s::bytea[]
    ) AS chunk
    ON CONFLICT DO NOTHING
)
SELECT id FROM held
"""


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. `reason` is a sentence for a person; `ended_at` None means now."""

    status: RunStatus
    exit_code: int | None = None
    reason: str = ""
    ended_at: datetime | None = None


def request(
    *,
    step_run: StepRun,
    command: int,
    by: User,
    values: Mapping[str, str] | None = None,
    confirmation: gate.Confirmation | Mapping[str, Any] | str | None = None,
    waits: bool = False,
    attempt: int | None = None,
) -> CommandRun:
    """Ask for one command of a step to be run; answers the attempt, which may be one that already goes on.

    Without `values` those of the execution count. With `waits` it is tried again until its expected result
    holds. `attempt` is the number that the asker wants it to have: said again, because the answer was lost, it finds
    the attempt of that number, also when that one is over. Raises `Refused` with a sentence and a code.
    """
    execution = step_run.execution
    executions.require_baton_as_read(execution, by)
    executions.require_open_incident(execution)
    compiled = intent.command_of(step_run, command)
    if (before := _asked_before(step_run, command, attempt)) is not None:
        return before
    given = gate.confirmation_of(confirmation)
    if compiled["because"]:
        raise Refused(compiled["because"], code="risk")
    approved = gate.needs_approval(risk=compiled["risk"], environment=execution.environment)
    gate.require(risk=compiled["risk"], environment=execution.environment, given=given, approved=approved)
    if waits and not units.may_wait(compiled):
        raise Refused("Only what reads, ends, and says what to expect can be waited for.", code="risk")
    meant = intent.of(step_run=step_run, command=command, values=values, waits=waits)
    if not approved:
        gate.require_word(risk=compiled["risk"], environment=execution.environment, given=given, touched=meant.touched)
    intent.require_runnable(meant)
    try:
        with transaction.atomic():
            return _insert(step_run, command, meant, by=by, given=given, attempt=attempt)
    except IntegrityError as error:
        # The other click was faster: its attempt is the one.
        if (before := _asked_before(step_run, command, attempt)) is not None:
            return before
        if refusal := approvals.refusal_of(error):
            raise refusal from error
        raise


def rehearse(*, step_run: StepRun, command: int, by: User, values: Mapping[str, str]) -> CommandRun:
    """Ask for a reading command of a rehearsal, in the name of `by`. Raises `Refused` like `request`."""
    starts.require_rehearsing(step_run.execution, by)
    meant = intent.of(step_run=step_run, command=command, values=values)
    if meant.compiled["because"]:
        raise Refused(meant.compiled["because"], code="risk")
    _require_reading(step_run.execution, meant)
    intent.require_runnable(meant)
    with transaction.atomic():
        return _insert(step_run, command, meant, by=by, given=gate.Confirmation())


def _require_reading(execution: Execution, meant: Intent) -> None:
    if execution.is_rehearsal and meant.compiled["risk"] != Risk.READ:
        raise Refused("A rehearsal runs only what reads.", code="risk")


def stop(*, run: CommandRun, by: User) -> None:
    """Ask for an attempt to end, as who has the baton."""
    with transaction.atomic():
        end_early(run=run, by=by)
        # The attempt's row is locked before its walk's, as everywhere; a refusal takes the change back.
        executions.require_baton(run.step_run.execution, by)


def end_early(*, run: CommandRun, by: User) -> None:
    """What waits ends at once, what runs is told by its supervisor's next look. Who may ask is up to the caller."""
    with transaction.atomic():
        reason = f"Stopped by {by.get_username()} before it started."
        if RUN.move(run, to=R.STOPPED, only_from={R.QUEUED}, stop_requested_at=Now(), ended_at=Now(), reason=reason):
            told_end(run)
            return
        asked = CommandRun.objects.filter(pk=run.pk, status__in=[R.CLAIMED, R.RUNNING], stop_requested_at=None)
        if asked.update(stop_requested_at=Now()):
            run.refresh_from_db(fields=["stop_requested_at", "status"])
            executions.tell_step(run.step_run, "command.stopping", f"asked to stop `{short(run.text)}`", by, run=run.pk)
            nudge(f"run:{run.pk}")


def claim(*, run_id: int, host: str, owner: str) -> CommandRun | None:
    """Take a queued attempt; None when it is not queued (any more). Committed on return.

    `owner` is this try's own: asked again because the answer was lost, it finds the claim that it has made.
    """
    rows = CommandRun.objects.filter(pk=run_id)
    with transaction.atomic():
        claims.take(rows.filter(status=R.QUEUED), lease_s=LEASE_S, owner=owner, status=R.CLAIMED, host=host)
        failpoint("claim.before_commit")
    return rows.filter(status=R.CLAIMED, claimed_by=owner).first()


def recheck(run: CommandRun) -> Bound:
    """What is about to be executed, derived anew from the immutable version; refused if it is not what was asked."""
    # As they are now: what prepares the start reads from these same instances.
    run.step_run = STEPS.get(pk=run.step_run_id)
    if run.risk != Risk.READ:
        run.refresh_from_db(fields=["values"])
    meant = intent.of(step_run=run.step_run, command=run.command, values=run.values, waits=run.waits)
    _require_reading(run.step_run.execution, meant)
    same = (meant.digest, meant.bound.script, meant.queue, meant.compiled["risk"])
    if same != (run.digest, run.script, run.queue, run.risk) or not approvals.covers(run):
        raise Refused("What would be executed is not what was confirmed, so nothing was started.", code="digest")
    return meant.bound


def started(*, run: CommandRun, containment: str) -> bool:
    """From claimed to running, with a new lease, before the process exists; may be asked twice.

    False when the claim is lost or ran out, or a stop came first: `why_not_started` says which.
    """
    # Under our fence only an earlier try of ours, whose answer was lost, can have made it running.
    mine = claims.held(run).filter(status__in=[R.CLAIMED, R.RUNNING])
    now_running = mine.filter(stop_requested_at=None, lease_until__gt=Now())
    lease = Now() + seconds(LEASE_S)
    if not now_running.update(status=R.RUNNING, started_at=Now(), containment=containment, lease_until=lease):
        return False
    run.refresh_from_db(fields=["status", "started_at", "containment"])
    nudge(f"run:{run.pk}")
    return True


def why_not_started(run: CommandRun) -> Outcome:
    """The end of an attempt that `started` refused, for `finish`, which writes nothing if the claim is lost."""
    run.refresh_from_db(fields=["stop_requested_at"])
    if run.stop_requested_at is not None:
        return Outcome(R.STOPPED, reason="Stopped before it started.")
    return Outcome(R.NOT_STARTED, reason="The worker was held up for longer than it may, so nothing was started.")


def record_output(*, run: CommandRun, chunks: Sequence[OutputChunk], output_bytes: int, dropped_bytes: int) -> bool:
    """Store chunks in order, once each; False when this claim is lost and nothing may be written."""
    last = chunks[-1].seq if chunks else run.output_seq
    figures = [last, output_bytes, dropped_bytes]
    columns = [[getattr(chunk, name) for chunk in chunks] for name in _COLUMNS]
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, [*figures, run.pk, run.fence, R.RUNNING, last, *columns])
        held = cursor.fetchone() is not None
    if held:
        nudge(f"run:{run.pk}")
    return held


def finish(*, run: CommandRun, outcome: Outcome) -> bool:
    """Write the end of an attempt with all that it means; False if the claim is lost. `run` stays as it was."""
    with transaction.atomic():
        sources = RUN.sources(outcome.status)
        rows = claims.held(run).filter(status__in=[s for s in sources if s not in TERMINAL_RUNS])
        ended_at: Any = outcome.ended_at or Now()
        values = {"exit_code": outcome.exit_code, "reason": outcome.reason[:300], "ended_at": ended_at}
        if not rows.update(status=outcome.status, lease_until=None, fence=F("fence") + 1, **values):
            return False
        # Another instance: if this does not commit, the caller's must keep the fence that it holds.
        told_end(CommandRun.objects.get(pk=run.pk))
        failpoint("end.before_commit")
    return True


def provided_names(environment: Environment) -> set[str]:
    """The variables that commands there receive anyway, so that nobody is asked for them."""
    return set(variables.of(environment).values)


def missing_names(*, step_run: StepRun, command: int, values: Mapping[str, str]) -> list[str]:
    """The parameters of a command that still have no value."""
    provided = provided_names(step_run.execution.environment)
    wanted = intent.asked(intent.command_of(step_run, command), provided)
    return list(dict.fromkeys(item["name"] for item in wanted if not values.get(item["name"])))


def limit_s(compiled: Mapping[str, Any]) -> int:
    """How long a command may run, in seconds. One that never ends by itself is sampled."""
    if "endless" in compiled["flags"]:
        return SAMPLE_S
    return READ_LIMIT_S if compiled["risk"] == "read" and "long" not in compiled["flags"] else LIMIT_S


def expected_of(run: CommandRun) -> list[dict[str, Any]]:
    """What the attempt's command should print, where a machine can tell."""
    return units.judged_by(intent.command_of(run.step_run, run.command))


def flags_of(run: CommandRun) -> set[str]:
    """What the compiler says of the attempt's command: endless, interactive, long…"""
    return set(intent.command_of(run.step_run, run.command)["flags"])


def _insert(
    step_run: StepRun, command: int, meant: Intent, *, by: User, given: gate.Confirmation, attempt: int | None = None
) -> CommandRun:
    compiled, waits = meant.compiled, meant.waits
    touched = meant.touched.names
    # One at a time among what acts on things of the environment: before the lock of the walk, as everywhere.
    occupied.require_free(environment=step_run.execution.environment, names=touched)
    executions.lock(step_run)
    # Whoever had the lock may have asked for the same: to insert another one would wait for who ends that one.
    if (earlier := _asked_before(step_run, command, attempt)) is not None:
        return earlier
    # A rehearsal tries every way of several and takes none.
    if not step_run.execution.is_rehearsal:
        # Once more, now that nobody can take it.
        executions.require_baton(step_run.execution, by)
        if (incident := step_run.execution.incident) is not None:
            incident.refresh_from_db(fields=["status"])
        executions.require_open_incident(step_run.execution)
        decisions.begun(step_run, by, reads=compiled["risk"] == "read")
    latest = executions.latest_runs(step_run)
    before = _attempts_before(latest.get(command))
    approval = None
    if gate.needs_approval(risk=compiled["risk"], environment=step_run.execution.environment):
        approval = approvals.use(step_run=step_run, command=command, digest=meant.digest, by=by)
        given = gate.Confirmation(yes=True, reason=approval.reason, target=approval.target)
    run = CommandRun.objects.create(
        step_run=step_run,
        command=command,
        attempt=before + 1,
        kind=compiled["kind"],
        text=compiled["text"],
        script=meant.bound.script,
        values=meant.values,
        risk=compiled["risk"],
        digest=meant.digest,
        approval=approval,
        touches=list(touched),
        queue=meant.queue,
        timeout_s=int(waiting.LIMIT_S + waiting.MARGIN_S) if waits else limit_s(compiled),
        waits=waits,
        # A disturbance is repeated by nobody but a person.
        repeatable=bool(compiled.get("repeatable")) and compiled["risk"] in {"read", "change"},
        requested_by=by,
        queued_at=Now(),
        nudged_at=Now(),
    )
    run.refresh_from_db()
    executions.follow_runs(step_run=step_run, latest={**latest, command: run})
    details = {"run": run.pk, "risk": run.risk, "attempt": run.attempt, "digest": run.digest, "reason": given.reason}
    details |= {"approval": approval.pk} if approval else {}
    text = f"runs `{short(run.text)}`" + (" until it holds" if waits else "")
    text += f": {given.reason}" if given.reason else ""
    executions.tell_step(step_run, "command.requested", text, by, noise=not given.reason, **details)
    transaction.on_commit(lambda: tasks.ring(run.pk, run.queue), robust=True)
    failpoint("run.before_commit")
    return run


def _attempts_before(last: CommandRun | None) -> int:
    """How many attempts there have been; refused while the last one may still have effects nobody knows."""
    if last is not None and last.status == R.OUTCOME_UNKNOWN:
        raise Refused("Nobody knows how the last attempt ended: check it and mark it done or not done first.")
    if last is not None and last.status == R.STOP_UNCONFIRMED:
        raise Refused(f"The last attempt may still be running on {last.host}: check that it is gone first.")
    return last.attempt if last else 0


def told_end(run: CommandRun) -> None:
    """Write the end of an attempt into the timeline and its step; part of the transaction that ends it."""
    executions.lock(run.step_run)
    took = (run.ended_at - run.started_at).total_seconds() if run.ended_at and run.started_at else None
    data: dict[str, Any] = {
        "run": run.pk,
        "status": run.status,
        "exit_code": run.exit_code,
        "duration_s": took,
        "risk": run.risk,
        "text": run.text,
        "reason": run.reason,
        "command": run.command,
        "output_sha256": output.digest(run=run),
    }
    said = f"`{short(run.text)}` {in_words(run)}"
    executions.tell_step(run.step_run, "command.finished", said, run.requested_by, **data)
    executions.follow_runs(step_run=run.step_run)
    nudge(f"run:{run.pk}")


def in_words(run: CommandRun) -> str:
    """How an attempt ended, as people say it."""
    if run.status == R.SUCCEEDED:
        return "succeeded"
    if run.status == R.FAILED and run.reason:
        return f"failed: {run.reason}"
    if run.status == R.FAILED and run.exit_code is not None:
        if run.exit_code < 0:
            return f"was ended by signal {-run.exit_code}"
        said = exit_words.of(kind=run.kind, script=run.text, code=run.exit_code)
        return f"failed with exit status {run.exit_code}{f' ({said})' if said else ''}"
    words = {
        R.FAILED: "failed",
        R.TIMED_OUT: f"was stopped after its time limit of {run.timeout_s} s",
        R.STOPPED: "was stopped",
        R.STOP_UNCONFIRMED: f"was told to stop but may still run on {run.host}",
        R.NOT_STARTED: "was not started",
        R.OUTCOME_UNKNOWN: "ended in a way nobody knows",
    }
    return words.get(R(run.status), R(run.status).label.lower())


def _asked_before(step_run: StepRun, command: int, attempt: int | None) -> CommandRun | None:
    """The attempt that an earlier click has made: one that is alive, or the one of this number."""
    found = step_run.runs.filter(Q(status__in=executions.LIVE_RUNS) | Q(attempt=attempt), command=command)
    return found.order_by("-attempt").first()


def short(text: str) -> str:
    """A command in one line of a sentence."""
    line = " ".join(text.split())
    return line if len(line) <= 120 else line[:119] + "…"
