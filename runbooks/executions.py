"""Walking a runbook: the only writer of Execution and StepRun.

One person holds the baton and acts; others read along. Every act commits with its timeline event and
its audit entry. A step's status follows its commands, or a person's word where nothing runs.

Rows are locked in one order, here and in `runbooks.runner`: runbook, run, execution, its steps,
incident. So whatever else an act changes, it changes before it tells.
"""

from collections.abc import Mapping
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction

from erpops.clock import Now
from erpops.transitions import Machine
from incidents import lifecycle, pictures
from incidents.access import may_operate
from incidents.models import Environment, Incident
from runbooks import answers, budgets, decisions, library, observing, secret_values, waits, walk
from runbooks.acts import (
    LIVE_RUNS,
    STEP,
    advance,
    begin,
    commands_of,
    compiled_step,
    latest_runs,
    lock,
    point_at,
    progressed,
    require_baton,
    require_baton_as_read,
    require_open_incident,
    require_operator,
    step_title,
    tell,
    tell_step,
)
from runbooks.choices import ExecutionPurpose, ExecutionStatus, RunStatus, StepStatus
from runbooks.compiler.contract import Parameter
from runbooks.models import CommandRun, Execution, Runbook, StepRun
from runbooks.parameters import validate
from runbooks.refusals import Refused

# What others ask of a walk beside the acts below.
__all__ = [
    "LIVE_RUNS",
    "STEP",
    "commands_of",
    "compiled_step",
    "latest_runs",
    "lock",
    "require_baton",
    "require_baton_as_read",
    "require_open_incident",
    "require_operator",
    "step_title",
    "tell",
    "tell_step",
]

E, S, R = ExecutionStatus, StepStatus, RunStatus
EXECUTION = Machine({E.ACTIVE: {E.COMPLETED, E.ABANDONED}})


def start(
    *,
    runbook: Runbook,
    incident: Incident | None,
    environment: Environment,
    by: User,
    parent: StepRun | None = None,
) -> Execution:
    """Begin to walk the published version, for an incident or as a procedure.

    An active walk of this runbook for the incident, or as a procedure in the environment, is returned as it is.
    `parent` is the step of another walk that refers to the runbook; the values given there are taken along.
    """
    if not may_operate(by, environment):
        raise Refused(f"Running commands in {environment.label} is not among your permissions.", code="permission")
    with transaction.atomic():
        if parent is not None:
            _require_new(parent, runbook, by)
        # Two clicks queue here, so the second finds what the first has made.
        runbook = Runbook.objects.select_for_update().get(pk=runbook.pk)
        version = runbook.current
        if version is None or runbook.archived:
            raise Refused("This runbook has no published version yet: an admin has to publish one.")
        walks = Execution.objects.filter(purpose=ExecutionPurpose.WALK)
        running = walks.filter(incident=incident, version__runbook=runbook, status=E.ACTIVE)
        if incident is None:
            running = running.filter(environment=environment)
        if found := running.order_by("-id").first():
            return found
        places = walk.places(version.compiled)
        if not places:
            raise Refused("There are no steps in this runbook that could be walked: read it in the library.")
        execution = begin(version, environment, by, incident=incident, holder=by, parent=parent, **_taken_along(parent))
        data: dict[str, Any] = {"runbook": runbook.slug, "version": version.number, "steps": len(places)}
        said = f"started the runbook {runbook.title}"
        if parent is not None:
            said += f" from step {parent.position + 1} of {parent.execution.version.runbook.title}"
            data["parent"] = parent.execution_id
        tell(execution, "execution.started", said, by, **data)
        budgets.begin(execution.steps.get(position=0))
    return execution


def _taken_along(parent: StepRun | None) -> dict[str, Any]:
    """The values of the walk that a runbook is started from, and that they come from there."""
    if parent is None:
        return {}
    values = parent.execution.values
    origin = {"from": "walk", "detail": parent.execution.version.runbook.title}
    return {"values": values, "origins": dict.fromkeys(values, origin)}


def _require_new(parent: StepRun, runbook: Runbook, by: User) -> None:
    """Refuse to start a runbook from a walk that it has led to itself."""
    require_baton(parent.execution, by)
    above: Execution | None = parent.execution
    while above is not None:
        if above.version.runbook_id == runbook.pk:
            raise Refused(f"This walk came from {runbook.title} itself: go back to it.")
        above = above.parent.execution if above.parent else None


def go_to(*, step_run: StepRun, by: User) -> None:
    """The holder looks at this step now; others may follow."""
    execution = step_run.execution
    with transaction.atomic():
        require_baton(execution, by)
        lock(step_run)
        point_at(execution, step_run)


def resume(*, step_run: StepRun, by: User) -> None:
    """Take up a step again that was done, skipped or left out; what it came to before stays written."""
    with transaction.atomic():
        require_baton(step_run.execution, by)
        lock(step_run)
        if not STEP.move(
            step_run, to=S.CURRENT, only_from={S.PASSED, S.FAILED, S.SKIPPED}, reason="", changed_at=Now()
        ):
            return
        point_at(step_run.execution, step_run)
        said = f"took up step {step_run.position + 1}, {step_title(step_run)}, again"
        tell_step(step_run, "step.resumed", said, by)


def mark_done(*, step_run: StepRun, note: str, by: User) -> None:
    """A person says that the step is done; the note says what was seen."""
    note = note.strip()
    with transaction.atomic():
        require_baton(step_run.execution, by)
        lock(step_run)
        if step_run.status == S.PASSED:
            return
        _require_settled(step_run)
        waits.require_over(step_run)
        observing.require_answers(step_run, note)
        decisions.begun(step_run, by)
        STEP.require(step_run, to=S.PASSED, note=note, reason="", changed_at=Now(), changed_by=by)
        advance(step_run)
        said = f"did step {step_run.position + 1}, {step_title(step_run)}"
        tell_step(step_run, "step.done", f"{said}: {note}" if note else said, by, note=note)
        progressed(step_run)


def skip(*, step_run: StepRun, reason: str, by: User) -> None:
    """Pass over a step, with the reason that stands in the timeline."""
    reason = reason.strip()[:200]
    if not reason:
        raise Refused("Say why this step is skipped: the reason stands in the timeline.", code="confirmation")
    with transaction.atomic():
        require_baton(step_run.execution, by)
        lock(step_run)
        if step_run.status == S.SKIPPED:
            return
        _require_settled(step_run)
        STEP.require(step_run, to=S.SKIPPED, reason=reason, changed_at=Now(), changed_by=by)
        advance(step_run)
        said = f"skipped step {step_run.position + 1}, {step_title(step_run)}: {reason}"
        tell_step(step_run, "step.skipped", said, by, reason=reason)


def set_values(
    *, execution: Execution, values: Mapping[str, str], by: User, origin: Mapping[str, Any] | None = None
) -> None:
    """Keep parameter values for the rest of the walk; an empty one forgets. Refused with a sentence per bad value.

    `origin` says where what changes was taken from, in the words of `runbooks.answers`; typed if it is not given.
    """
    wanted = parameters_of(execution)
    unknown = [name for name in values if name not in wanted]
    if unknown:
        raise Refused(f"No command of this runbook asks for {', '.join(sorted(unknown))}.", code="parameters")
    wrong = {name: validate(cast("Parameter", wanted[name]), value) for name, value in values.items() if value}
    if faults := {name: sentence for name, sentence in wrong.items() if sentence}:
        said = " ".join(f"{name}: {sentence}" for name, sentence in faults.items())
        raise Refused(said, code="parameters", names=tuple(faults))
    with transaction.atomic():
        require_baton(execution, by)
        locked = Execution.objects.select_for_update().get(pk=execution.pk)
        kept = secret_values.opened(locked.values)
        values = secret_values.restored(values, kept)
        merged = {**kept, **values}
        execution.values = secret_values.sealed({name: value for name, value in merged.items() if value})
        changed = sorted(name for name, value in values.items() if kept.get(name, "") != value)
        told = {"from": "given", **(origin or {}), "by": by.get_username()}
        origins = locked.origins | dict.fromkeys(changed, told)
        execution.origins = {name: told for name, told in origins.items() if name in execution.values}
        execution.save(update_fields=["values", "origins"])
        if changed:
            said = " ".join(filter(None, (f"set {', '.join(changed)}", answers.words(told))))
            tell(execution, "execution.values", said, by, noise=True, names=changed)


def keep_note(*, execution: Execution, text: str, by: User) -> None:
    """A note in Markdown on the incident's timeline, or in the procedure's journal."""
    if execution.incident is not None:
        lifecycle.add_note(incident=execution.incident, text=text, by=by)
        return
    with transaction.atomic():
        tell(execution, "note", text, by)
        pictures.use(text)


def complete(*, execution: Execution, by: User, note: str = "") -> None:
    """End the walk; its event lists what was skipped, failed or left out, and the `note` on what becomes of that."""
    note = note.strip()[:500]
    with transaction.atomic():
        require_baton(execution, by)
        _require_quiet(execution)
        steps = list(execution.steps.all())
        told: dict[str, Any] = {kind: [step.position + 1 for step in found] for kind, found in walk.left(steps).items()}
        if not told["failed"] and any(step.status == S.PASSED for step in steps):
            library.verified(runbook_id=execution.version.runbook_id)
        EXECUTION.require(execution, to=E.COMPLETED, ended_at=Now())
        _stop_clocks(execution)
        names = {"skipped": "skipped", "failed": "failed", "not_done": "not done"}
        parts = [f"{names[kind]}: {', '.join(map(str, found))}" for kind, found in told.items() if found]
        text = f"completed the runbook {execution.version.runbook.title}"
        text += f" ({'; '.join(parts)})" if parts else ""
        tell(execution, "execution.completed", f"{text}: {note}" if note else text, by, note=note, **told)
        _come_back(execution, "completed", parts, by)


def abandon(*, execution: Execution, reason: str, by: User) -> None:
    """Give the walk up, with a reason. Commands that still run are stopped first, by a person."""
    if not reason.strip():
        raise Refused("Say why this runbook is given up: the reason stands in the timeline.", code="confirmation")
    with transaction.atomic():
        require_baton(execution, by)
        _require_quiet(execution)
        EXECUTION.require(execution, to=E.ABANDONED, ended_at=Now())
        _stop_clocks(execution)
        text = f"gave up the runbook {execution.version.runbook.title}: {reason.strip()}"
        tell(execution, "execution.abandoned", text, by, reason=reason.strip())
        _come_back(execution, "given up", [reason.strip()], by)


def _stop_clocks(execution: Execution) -> None:
    budgets.stop_all(execution.pk)
    waits.stop_all(execution.pk)


def _come_back(execution: Execution, outcome: str, parts: list[str], by: User) -> None:
    """Tell the walk that referred to this runbook what came of it."""
    if execution.parent is not None and execution.parent.execution.status == E.ACTIVE:
        title = execution.version.runbook.title
        said = f"came back to step {execution.parent.position + 1} from {title}, {outcome}"
        said += f" ({'; '.join(parts)})" if parts else ""
        tell_step(execution.parent, "execution.returned", said, by, noise=True, child=execution.pk, outcome=outcome)


def take_over(*, execution: Execution, by: User) -> None:
    """The baton moves to `by`; whoever had it reads along from now on. `runbooks.baton` says when that may be."""
    if execution.is_rehearsal:
        raise Refused("A rehearsal runs by itself: start the runbook to act in it.", code="baton")
    require_operator(execution, by)
    with transaction.atomic():
        locked = Execution.objects.select_for_update(of=("self",)).select_related("holder").get(pk=execution.pk)
        if locked.status != E.ACTIVE:
            raise Refused("This walk has ended, so there is no baton to take.")
        before = locked.holder
        Execution.objects.filter(pk=execution.pk).update(holder=by, acted_at=Now(), paused_at=None)
        execution.refresh_from_db(fields=["holder", "acted_at", "paused_at"])
        if before != by:
            text = f"took over the runbook {execution.version.runbook.title}"
            text += f" from {before.get_username()}" if before else ""
            tell(execution, "execution.taken_over", text, by)


def pause(*, execution: Execution, by: User) -> None:
    """The holder leaves: a bookmark stays at their step, and anybody may take over at once. Their next act ends it."""
    with transaction.atomic():
        require_baton(execution, by)
        Execution.objects.filter(pk=execution.pk).update(paused_at=Now())
        execution.refresh_from_db(fields=["paused_at", "position"])
        said = f"paused the runbook {execution.version.runbook.title} at step {execution.position + 1}"
        tell(execution, "execution.paused", said, by, step=execution.position)


def follow_runs(*, step_run: StepRun, latest: Mapping[int, CommandRun] | None = None) -> None:
    """Bring the step's status in line with its attempts, whose `latest` ones are read unless the caller has them.

    Called in the transaction that changed one of them, with the execution locked.
    """
    latest = latest_runs(step_run) if latest is None else latest
    states = {run.status for run in latest.values()}
    commands = commands_of(step_run)
    if states & LIVE_RUNS:
        budgets.begin(step_run)
        STEP.move(step_run, to=S.RUNNING, changed_at=Now())
    elif states & {R.FAILED, R.TIMED_OUT, R.STOP_UNCONFIRMED, R.OUTCOME_UNKNOWN}:
        STEP.move(step_run, to=S.FAILED, changed_at=Now())
    elif len(latest) == len(commands) and states == {R.SUCCEEDED} and observing.complete(step_run):
        _passed(step_run, latest)
    else:
        STEP.move(step_run, to=S.CURRENT, only_from={S.RUNNING}, changed_at=Now())


def _passed(step_run: StepRun, latest: Mapping[int, CommandRun]) -> None:
    """Every command succeeded; a verification has passed only if what they printed holds, too."""
    where = f"Step {step_run.position + 1}, {step_title(step_run)}"
    if observing.verifies(step_run) and not observing.judge_runs(step_run, latest):
        if STEP.move(step_run, to=S.FAILED, only_from={S.RUNNING, S.CURRENT, S.PASSED}, changed_at=Now()):
            tell_step(step_run, "step.failed", f"{where}, does not show what is expected", None)
    elif STEP.move(step_run, to=S.PASSED, only_from={S.RUNNING, S.CURRENT, S.FAILED}, changed_at=Now()):
        tell_step(step_run, "step.passed", f"{where}, passed", None)
        budgets.settle(step_run)
        progressed(step_run)


def parameters_of(execution: Execution) -> dict[str, dict[str, Any]]:
    """Every parameter that a command of the walk asks for, by name, as first mentioned."""
    found: dict[str, dict[str, Any]] = {}
    for command in walk.all_commands(execution.version.compiled):
        for parameter in command["parameters"]:
            found.setdefault(parameter["name"], parameter)
    return found


def _require_settled(step_run: StepRun) -> None:
    states = {run.status for run in latest_runs(step_run).values()}
    if states & LIVE_RUNS:
        raise Refused("A command of this step is still running: wait for it, or stop it.")
    if R.OUTCOME_UNKNOWN in states:
        raise Refused("Nobody knows yet how a command of this step ended: check it, then mark it done or not done.")


def _require_quiet(execution: Execution) -> None:
    runs = CommandRun.objects.filter(step_run__execution=execution)
    if runs.filter(status__in=LIVE_RUNS).exists():
        raise Refused("A command is still running: wait for it, or stop it.")
    open_ends = runs.filter(status__in=[R.OUTCOME_UNKNOWN, R.STOP_UNCONFIRMED]).select_related("step_run")
    for run in open_ends:
        if not runs.filter(step_run=run.step_run, command=run.command, attempt__gt=run.attempt).exists():
            number = run.step_run.position + 1
            if run.status == R.STOP_UNCONFIRMED:
                raise Refused(f"A command of step {number} may still be running on {run.host}: check that it is gone.")
            raise Refused(f"Nobody knows yet how a command of step {number} ended: mark it done or not done first.")
    child = Execution.objects.filter(parent__execution=execution, status=E.ACTIVE).select_related("version__runbook")
    if going_on := child.first():
        title = going_on.version.runbook.title
        raise Refused(f"{title}, which was started from here, is still in progress: finish it or leave it first.")
