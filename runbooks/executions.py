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

from erpops import audit, clock
from erpops.clock import Now
from erpops.transitions import Machine
from incidents import lifecycle, pictures, timeline
from incidents.access import may_operate
from incidents.models import Environment, Incident, TimelineEvent
from runbooks import journal, library, secret_values, walk
from runbooks.choices import TERMINAL_RUNS, ExecutionStatus, RunStatus, StepStatus
from runbooks.compiler.contract import Parameter
from runbooks.models import CommandRun, Execution, Runbook, StepRun
from runbooks.parameters import validate
from runbooks.refusals import Refused

E, S, R = ExecutionStatus, StepStatus, RunStatus
EXECUTION = Machine({E.ACTIVE: {E.COMPLETED, E.ABANDONED}})
_OPEN: set[str] = {S.CURRENT, S.RUNNING, S.PASSED, S.FAILED, S.SKIPPED}
STEP = Machine(
    {
        S.PENDING: _OPEN,
        S.CURRENT: {S.PENDING, S.RUNNING, S.PASSED, S.FAILED, S.SKIPPED},
        S.RUNNING: {S.CURRENT, S.PASSED, S.FAILED},
        S.FAILED: {S.CURRENT, S.RUNNING, S.PASSED, S.SKIPPED},
        S.PASSED: {S.CURRENT, S.RUNNING, S.FAILED},
        S.SKIPPED: {S.CURRENT, S.RUNNING, S.PASSED, S.FAILED},
    }
)
LIVE_RUNS = set(RunStatus) - TERMINAL_RUNS


def start(*, runbook: Runbook, incident: Incident | None, environment: Environment, by: User) -> Execution:
    """Begin to walk the published version, for an incident or as a procedure.

    An active walk of this runbook for the incident, or as a procedure in the environment, is returned as it is.
    """
    if not may_operate(by, environment):
        raise Refused(f"Running commands in {environment.label} is not among your permissions.", code="permission")
    with transaction.atomic():
        # Two clicks queue here, so the second finds what the first has made.
        runbook = Runbook.objects.select_for_update().get(pk=runbook.pk)
        version = runbook.current
        if version is None or runbook.archived:
            raise Refused("This runbook has no published version yet: an admin has to publish one.")
        running = Execution.objects.filter(incident=incident, version__runbook=runbook, status=E.ACTIVE)
        if incident is None:
            running = running.filter(environment=environment)
        if found := running.order_by("-id").first():
            return found
        places = walk.places(version.compiled)
        if not places:
            raise Refused("There are no steps in this runbook that could be walked: read it in the library.")
        now = clock.now()
        execution = Execution.objects.create(
            version=version,
            incident=incident,
            environment=environment,
            started_at=now,
            started_by=by,
            holder=by,
            acted_at=now,
        )
        StepRun.objects.bulk_create(
            StepRun(
                execution=execution,
                position=position,
                phase=phase,
                step=step,
                status=S.PENDING if position else S.CURRENT,
            )
            for position, (phase, step) in enumerate(places)
        )
        data: dict[str, Any] = {"runbook": runbook.slug, "version": version.number, "steps": len(places)}
        tell(execution, "execution.started", f"started the runbook {runbook.title}", by, **data)
    return execution


def go_to(*, step_run: StepRun, by: User) -> None:
    """The holder looks at this step now; others may follow."""
    execution = step_run.execution
    with transaction.atomic():
        require_baton(execution, by)
        lock(step_run)
        _point_at(execution, step_run)


def tick(*, step_run: StepRun, item: int, ticked: bool, by: User) -> None:
    """Tick one item of the step's list, or take the tick away; twice is once."""
    items = compiled_step(step_run).get("items", [])
    if not 0 <= item < len(items):
        raise Refused("This step has no such item.")
    with transaction.atomic():
        require_baton(step_run.execution, by)
        lock(step_run)
        before = set(step_run.ticked)
        after = before | {item} if ticked else before - {item}
        if after == before:
            return
        step_run.ticked, step_run.changed_at, step_run.changed_by = sorted(after), Now(), by
        step_run.save(update_fields=["ticked", "changed_at", "changed_by"])
        said = f"{'ticked' if ticked else 'took the tick from'} “{walk.plain(items[item]['text'])[:160]}”"
        tell_step(step_run, "step.ticked", said, by, noise=True, item=item, ticked=ticked)


def mark_done(*, step_run: StepRun, note: str, by: User) -> None:
    """A person says that the step is done; the note says what was seen."""
    note = note.strip()
    with transaction.atomic():
        require_baton(step_run.execution, by)
        lock(step_run)
        if step_run.status == S.PASSED:
            return
        _require_settled(step_run)
        _require_ticked(step_run)
        take_option(step_run)
        STEP.require(step_run, to=S.PASSED, note=note, reason="", changed_at=Now(), changed_by=by)
        _advance(step_run)
        said = f"did step {step_run.position + 1}, {step_title(step_run)}"
        tell_step(step_run, "step.done", f"{said}: {note}" if note else said, by, note=note)
        _progressed(step_run)


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
        _advance(step_run)
        said = f"skipped step {step_run.position + 1}, {step_title(step_run)}: {reason}"
        tell_step(step_run, "step.skipped", said, by, reason=reason)


def set_values(*, execution: Execution, values: Mapping[str, str], by: User) -> None:
    """Keep parameter values for the rest of the walk; an empty one forgets. Refused with a sentence per bad value."""
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
        execution.save(update_fields=["values"])
        changed = sorted(name for name, value in values.items() if kept.get(name, "") != value)
        if changed:
            tell(execution, "execution.values", f"set {', '.join(changed)}", by, noise=True, names=changed)


def keep_note(*, execution: Execution, text: str, by: User) -> None:
    """A note in Markdown on the incident's timeline, or in the procedure's journal."""
    if execution.incident is not None:
        lifecycle.add_note(incident=execution.incident, text=text, by=by)
        return
    with transaction.atomic():
        tell(execution, "note", text, by)
        pictures.use(text)


def complete(*, execution: Execution, by: User) -> None:
    """End the walk; its event lists what was skipped, failed or left out."""
    with transaction.atomic():
        require_baton(execution, by)
        _require_quiet(execution)
        steps = list(execution.steps.all())
        left = {
            status: [step.position + 1 for step in steps if step.status == status] for status in (S.SKIPPED, S.FAILED)
        }
        undone = [step.position + 1 for step in steps if step.status in {S.PENDING, S.CURRENT}]
        if not left[S.FAILED] and any(step.status == S.PASSED for step in steps):
            library.verified(runbook_id=execution.version.runbook_id)
        EXECUTION.require(execution, to=E.COMPLETED, ended_at=Now())
        told: dict[str, Any] = {"skipped": left[S.SKIPPED], "failed": left[S.FAILED], "not_done": undone}
        names = {"skipped": "skipped", "failed": "failed", "not_done": "not done"}
        parts = [f"{names[kind]}: {', '.join(map(str, found))}" for kind, found in told.items() if found]
        text = f"completed the runbook {execution.version.runbook.title}"
        tell(execution, "execution.completed", f"{text} ({'; '.join(parts)})" if parts else text, by, **told)


def abandon(*, execution: Execution, reason: str, by: User) -> None:
    """Give the walk up, with a reason. Commands that still run are stopped first, by a person."""
    if not reason.strip():
        raise Refused("Say why this runbook is given up: the reason stands in the timeline.", code="confirmation")
    with transaction.atomic():
        require_baton(execution, by)
        _require_quiet(execution)
        EXECUTION.require(execution, to=E.ABANDONED, ended_at=Now())
        text = f"gave up the runbook {execution.version.runbook.title}: {reason.strip()}"
        tell(execution, "execution.abandoned", text, by, reason=reason.strip())


def take_over(*, execution: Execution, by: User) -> None:
    """The baton moves to `by`; whoever had it reads along from now on. `runbooks.baton` says when that may be."""
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


def follow_runs(*, step_run: StepRun) -> None:
    """Bring the step's status in line with its attempts. Called in the transaction that changed one of them."""
    lock(step_run)
    latest = latest_runs(step_run)
    states = {run.status for run in latest.values()}
    commands = commands_of(step_run)
    if states & LIVE_RUNS:
        STEP.move(step_run, to=S.RUNNING, changed_at=Now())
    elif states & {R.FAILED, R.TIMED_OUT, R.STOP_UNCONFIRMED, R.OUTCOME_UNKNOWN}:
        STEP.move(step_run, to=S.FAILED, changed_at=Now())
    elif len(latest) == len(commands) and states == {R.SUCCEEDED}:
        if STEP.move(step_run, to=S.PASSED, only_from={S.RUNNING, S.CURRENT, S.FAILED}, changed_at=Now()):
            tell_step(step_run, "step.passed", f"Step {step_run.position + 1}, {step_title(step_run)}, passed", None)
            _progressed(step_run)
    else:
        STEP.move(step_run, to=S.CURRENT, only_from={S.RUNNING}, changed_at=Now())


def require_baton(execution: Execution, by: User) -> None:
    """Refuse unless the walk goes on, `by` holds the baton and may act in its environment.

    The UPDATE that notes the holder's latest act locks the walk: called in the transaction of an act, nobody can
    take the baton or end the walk before that act has committed.
    """
    mine = Execution.objects.filter(pk=execution.pk, status=E.ACTIVE, holder=by)
    held = mine.update(acted_at=Now(), paused_at=None)
    execution.refresh_from_db(fields=["status", "holder"])
    if not held:
        if execution.status != E.ACTIVE:
            raise Refused(f"This walk is {E(execution.status).label.lower()}; start the runbook again to go on.")
        holder = execution.holder.get_username() if execution.holder else "Nobody"
        raise Refused(f"{holder} has the baton here. Take over to act yourself.", code="baton")
    require_operator(execution, by)


def require_operator(execution: Execution, by: User) -> None:
    """Refuse unless `by` may run commands in the walk's environment."""
    if not may_operate(by, execution.environment):
        raise Refused(
            f"Running commands in {execution.environment.label} is not among your permissions.", code="permission"
        )


def compiled_step(step_run: StepRun) -> Mapping[str, Any]:
    """The compiled step behind a StepRun; a phase without steps is one itself."""
    return walk.step_of(step_run.execution.version.compiled, step_run)


def commands_of(step_run: StepRun) -> list[dict[str, Any]]:
    """The compiled commands of a step, in order, those of its checklist included."""
    return walk.commands_of(compiled_step(step_run))


def step_title(step_run: StepRun) -> str:
    """What the step is called; a checklist is called as its phase."""
    return walk.plain(str(compiled_step(step_run)["title"]))[:120] or "untitled"


def parameters_of(execution: Execution) -> dict[str, dict[str, Any]]:
    """Every parameter that a command of the walk asks for, by name, as first mentioned."""
    found: dict[str, dict[str, Any]] = {}
    for command in walk.all_commands(execution.version.compiled):
        for parameter in command["parameters"]:
            found.setdefault(parameter["name"], parameter)
    return found


def latest_runs(step_run: StepRun) -> dict[int, CommandRun]:
    """The latest attempt of each command that was ever asked for, by the command's index."""
    return {run.command: run for run in step_run.runs.order_by("command", "attempt")}


def _point_at(execution: Execution, step_run: StepRun) -> None:
    for other in execution.steps.filter(status=S.CURRENT).exclude(pk=step_run.pk):
        STEP.move(other, to=S.PENDING)
    STEP.move(step_run, to=S.CURRENT, only_from={S.PENDING})
    Execution.objects.filter(pk=execution.pk).update(position=step_run.position)
    execution.position = step_run.position


def _advance(step_run: StepRun) -> None:
    """Point at the next step that nobody has dealt with; at the end the pointer stays."""
    execution = step_run.execution
    following = execution.steps.filter(position__gt=step_run.position, status__in=[S.PENDING, S.CURRENT, S.FAILED])
    if step := following.order_by("position").first():
        _point_at(execution, step)


def lock(step_run: StepRun) -> None:
    """Acts on one walk queue; the instance carries the step's status that counts."""
    Execution.objects.select_for_update(no_key=True).values_list("pk").get(pk=step_run.execution_id)
    step_run.refresh_from_db(fields=["status", "ticked"])


def _require_settled(step_run: StepRun) -> None:
    states = {run.status for run in latest_runs(step_run).values()}
    if states & LIVE_RUNS:
        raise Refused("A command of this step is still running: wait for it, or stop it.")
    if R.OUTCOME_UNKNOWN in states:
        raise Refused("Nobody knows yet how a command of this step ended: check it, then mark it done or not done.")


def _require_ticked(step_run: StepRun) -> None:
    open_items = len(compiled_step(step_run).get("items", [])) - len(step_run.ticked)
    if open_items > 0:
        what = "One item is" if open_items == 1 else f"{open_items} items are"
        raise Refused(f"{what} not ticked yet. Tick what holds, or skip the step with a reason.")


def take_option(step_run: StepRun) -> None:
    """Of an option group exactly one is taken: the others that nobody has begun are left out.

    Called in the transaction of what begins it, with the execution locked. Refused while another one runs or
    has passed; after one that failed the next may be tried.
    """
    others = _other_options(step_run)
    for other in others:
        if other.status in {S.RUNNING, S.PASSED}:
            raise Refused(f"Step {other.position + 1}, {step_title(other)}, was taken instead. Skip that one first.")
    for other in others:
        if STEP.move(other, to=S.SKIPPED, only_from={S.PENDING, S.CURRENT}, reason=walk.OTHER_OPTION, changed_at=Now()):
            said = f"left out step {other.position + 1}, {step_title(other)}: {walk.OTHER_OPTION}"
            tell_step(other, "step.skipped", said, None, noise=True, reason=walk.OTHER_OPTION)


def _other_options(step_run: StepRun) -> list[StepRun]:
    group = compiled_step(step_run).get("option_group")
    if not group:
        return []
    phase = step_run.execution.version.compiled["phases"][step_run.phase]
    same = [index for index, step in enumerate(phase["steps"]) if step.get("option_group") == group]
    runs = step_run.execution.steps.filter(phase=step_run.phase, step__in=same).exclude(pk=step_run.pk)
    return list(runs.order_by("position"))


def _require_quiet(execution: Execution) -> None:
    runs = CommandRun.objects.filter(step_run__execution=execution)
    if runs.filter(status__in=LIVE_RUNS).exists():
        raise Refused("A command is still running: wait for it, or stop it.")
    for run in runs.filter(status=R.OUTCOME_UNKNOWN).select_related("step_run"):
        if not runs.filter(step_run=run.step_run, command=run.command, attempt__gt=run.attempt).exists():
            number = run.step_run.position + 1
            raise Refused(f"Nobody knows yet how a command of step {number} ended: mark it done or not done first.")


def _progressed(step_run: StepRun) -> None:
    if incident := step_run.execution.incident:
        lifecycle.progressed(incident=incident)


def tell_step(step_run: StepRun, kind: str, said: str, by: User | None, /, *, noise: bool = False, **data: Any) -> None:
    tell(step_run.execution, kind, said, by, noise=noise, step=step_run.position, **data)


def tell(
    execution: Execution, kind: str, said: str, by: User | None, /, *, noise: bool = False, **data: Any
) -> TimelineEvent | None:
    """One act, on the incident's timeline or in the procedure's journal, and in the audit chain."""
    event = None
    if execution.incident is not None:
        told = {"execution": execution.pk, **data}
        event = timeline.add(incident=execution.incident, kind=kind, text=said, by=by, data=told, noise=noise)
    else:
        journal.add(execution=execution, kind=kind, text=said, by=by, data=data, noise=noise)
    audit.record(action=kind, target=f"execution:{execution.pk}", by=by, **data)
    return event
