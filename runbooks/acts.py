"""What every act on a walk shares: who may act, the lock, the states of a step, the pointer, the telling.

Rows are locked in one order, here and in `runbooks.runner`: runbook, run, execution, its steps,
incident. So whatever else an act changes, it changes before it tells.
"""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

from erpops import audit, clock
from erpops.clock import Now
from erpops.transitions import Machine
from incidents import lifecycle, timeline
from incidents.access import may_operate
from incidents.choices import IncidentStatus
from incidents.models import Environment, TimelineEvent
from runbooks import budgets, journal, walk
from runbooks.choices import TERMINAL_RUNS, ExecutionStatus, RunStatus, StepStatus
from runbooks.models import CommandRun, Execution, StepRun, Version
from runbooks.refusals import Refused

E, S = ExecutionStatus, StepStatus
_OPEN: set[str] = {S.CURRENT, S.RUNNING, S.PASSED, S.FAILED, S.SKIPPED}
STEP = Machine(
    {
        S.PENDING: _OPEN,
        S.CURRENT: {S.PENDING, S.RUNNING, S.PASSED, S.FAILED, S.SKIPPED},
        S.RUNNING: {S.CURRENT, S.PASSED, S.FAILED},
        S.FAILED: {S.CURRENT, S.RUNNING, S.PASSED, S.SKIPPED},
        S.PASSED: {S.CURRENT, S.RUNNING, S.FAILED},
        S.SKIPPED: {S.PENDING, S.CURRENT, S.RUNNING, S.PASSED, S.FAILED},
    }
)
LIVE_RUNS = set(RunStatus) - TERMINAL_RUNS


def require_baton(execution: Execution, by: User) -> None:
    """Refuse unless the walk goes on, `by` holds the baton and may act in its environment.

    The UPDATE that notes the holder's latest act locks the walk: called in the transaction of an act, nobody can
    take the baton or end the walk before that act has committed.
    """
    mine = Execution.objects.filter(pk=execution.pk, status=E.ACTIVE, holder=by)
    held = not execution.is_rehearsal and mine.update(acted_at=Now(), paused_at=None)
    execution.refresh_from_db(fields=["status", "holder"])
    _require_held(execution, by, held=bool(held))


def require_baton_as_read(execution: Execution, by: User) -> None:
    """The same by the row as it was read, for a refusal before anything is prepared: `require_baton` still decides."""
    _require_held(execution, by, held=execution.status == E.ACTIVE and execution.holder_id == by.pk)


def _require_held(execution: Execution, by: User, *, held: bool) -> None:
    if execution.is_rehearsal:
        raise Refused("A rehearsal runs by itself: start the runbook to act in it.", code="baton")
    if not held:
        if execution.status != E.ACTIVE:
            raise Refused(f"This walk is {E(execution.status).label.lower()}; start the runbook again to go on.")
        holder = execution.holder.get_username() if execution.holder else "Nobody"
        raise Refused(f"{holder} has the baton here. Take over to act yourself.", code="baton")
    require_operator(execution, by)


def closed(execution: Execution) -> str:
    """Why no command of the walk runs any more though its last steps may be dealt with; empty while they run."""
    incident = execution.incident
    if incident is None or incident.status != IncidentStatus.RESOLVED:
        return ""
    return f"{incident.reference} is resolved. Reopen it to run commands."


def require_open_incident(execution: Execution) -> None:
    """Refuse with that sentence."""
    if said := closed(execution):
        raise Refused(said)


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


def latest_runs(step_run: StepRun) -> dict[int, CommandRun]:
    """The latest attempt of each command that was ever asked for, by the command's index."""
    newest = step_run.runs.order_by("command", "-attempt").distinct("command")
    return {run.command: run for run in newest.defer("script")}


def point_at(execution: Execution, step_run: StepRun) -> None:
    """The holder looks at this step from now on; the clock of its phase runs, what was looked at before stays so."""
    budgets.begin(step_run)
    STEP.move(step_run, to=S.CURRENT, only_from={S.PENDING})
    Execution.objects.filter(pk=execution.pk).update(position=step_run.position)
    execution.position = step_run.position


def advance(step_run: StepRun) -> None:
    """Point at the next step that nobody has dealt with; at the end the pointer stays."""
    budgets.settle(step_run)
    execution = step_run.execution
    following = execution.steps.filter(position__gt=step_run.position, status__in=[S.PENDING, S.CURRENT, S.FAILED])
    if step := following.order_by("position").first():
        point_at(execution, step)


def lock(step_run: StepRun) -> None:
    """Acts on one walk queue; the instance carries the step's status that counts."""
    Execution.objects.select_for_update(no_key=True).values_list("pk").get(pk=step_run.execution_id)
    step_run.refresh_from_db(fields=["status", "ticked", "observed"])


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


def progressed(step_run: StepRun) -> None:
    """A step passed: the incident's second escalation clock begins again."""
    if incident := step_run.execution.incident:
        lifecycle.progressed(incident=incident)


def begin(version: Version, environment: Environment, by: User, **more: Any) -> Execution:
    """A new execution with all its steps; whoever holds it looks at the first."""
    execution = Execution.objects.create(
        version=version, environment=environment, started_at=clock.now(), started_by=by, **more
    )
    first = S.CURRENT if execution.holder_id else S.PENDING
    StepRun.objects.bulk_create(
        StepRun(execution=execution, position=position, phase=phase, step=step, status=S.PENDING if position else first)
        for position, (phase, step) in enumerate(walk.places(version.compiled))
    )
    return execution
