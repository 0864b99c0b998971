"""Rehearsals: does what a runbook reads still work? The only writer of Rehearsal and RehearsalResult.

A rehearsal tries the reading commands of a published version in an environment, one after the other, as runs of
an execution that nobody holds; nothing else of the version is ever started. It runs in the name of one person and
with what that person may do at each moment. The engine carries it on: each has a due time.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from erpops.clock import Now, seconds
from incidents.models import Environment
from runbooks import executions, library, output, runner, secret_values, starts, units, walk
from runbooks.choices import TERMINAL_RUNS, ExecutionPurpose, ExecutionStatus, RehearsalVerdict, Risk, RunStatus
from runbooks.compiler.assertions import judge
from runbooks.models import CommandRun, Execution, Rehearsal, RehearsalPlan, RehearsalResult, Runbook, Version
from runbooks.refusals import Refused

logger = logging.getLogger(__name__)

V = RehearsalVerdict
BATCH = 20
LOOK_S, AFTER_FAILURE_S = 0.4, 60.0
JUDGED_BYTES = 65_536
# In how many earlier walks a value is looked for.
WALKS = 20
# What is left to a person although it only reads, by the compiler's flag.
_LEFT = {
    "interactive": "It asks questions while it runs.",
    "secret": "It may print a secret, so it is left to a person.",
    "outage": "Users may notice it, so it is left to a person.",
    "opaque": "What it does cannot be seen from here, so it is left to a person.",
}
_STOPPED = "The rehearsal was stopped before it came to this."


def start(*, runbook: Runbook, environment: Environment, by: User, plan: RehearsalPlan | None = None) -> Rehearsal:
    """Begin to rehearse the published version there; one that goes on is answered as it is."""
    with transaction.atomic():
        # Two clicks queue here, so the second finds what the first has made.
        runbook = Runbook.objects.select_for_update().get(pk=runbook.pk)
        version = runbook.current
        if version is None or runbook.archived:
            raise Refused("This runbook has no published version yet: an admin has to publish one.")
        going_on = Rehearsal.objects.filter(
            execution__version=version, execution__environment=environment, execution__status=ExecutionStatus.ACTIVE
        )
        if found := going_on.first():
            return found
        if not any(command["risk"] == Risk.READ for command in walk.all_commands(version.compiled)):
            raise Refused("Nothing in this runbook only reads, so there is nothing to rehearse.")
        values = last_values(runbook, environment)
        execution = starts.start_rehearsal(version=version, environment=environment, values=values, by=by)
        rehearsal = Rehearsal.objects.create(execution=execution, plan=plan, due_at=Now())
        RehearsalResult.objects.bulk_create(_foreseen(rehearsal, version))
    return rehearsal


def stop(*, rehearsal: Rehearsal, by: User) -> None:
    """End it early: what runs is stopped, what waits is not started."""
    starts.require_rehearsing(rehearsal.execution, by)
    with transaction.atomic():
        locked = Rehearsal.objects.select_for_update().get(pk=rehearsal.pk)
        if locked.due_at is None:
            return
        locked.stopped_by, locked.due_at = by, Now()
        locked.save(update_fields=["stopped_by", "due_at"])
        locked.results.filter(verdict=V.WAITING).update(verdict=V.NOT_HERE, reason=_STOPPED)
        for result in locked.results.filter(verdict=V.RUNNING).select_related("run__step_run__execution"):
            assert result.run is not None
            runner.end_early(run=result.run, by=by)


def tick() -> int:
    """Carry on the rehearsals that are due; how many commands were started or judged."""
    due = Rehearsal.objects.filter(due_at__lte=Now()).order_by("due_at")
    return sum(_carry_on(pk) for pk in due.values_list("pk", flat=True)[:BATCH])


def _carry_on(pk: int) -> int:
    try:
        with transaction.atomic():
            rows = Rehearsal.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk, due_at__lte=Now())
            rehearsal = rows.select_related("execution__version__runbook", "execution__environment").first()
            return _advance(rehearsal) if rehearsal else 0
    except Exception:
        logger.exception("Rehearsal %s could not be carried on; trying again later", pk)
        Rehearsal.objects.filter(pk=pk).exclude(due_at=None).update(due_at=Now() + seconds(AFTER_FAILURE_S))
        return 0


def _advance(rehearsal: Rehearsal) -> int:
    """Judge what has ended, then start what comes next: one command at a time."""
    acted = 0
    running = rehearsal.results.filter(verdict=V.RUNNING).select_related("run__step_run__execution__version").first()
    if running is not None and running.run is not None:
        if running.run.status not in TERMINAL_RUNS:
            return _look_again(rehearsal, acted)
        _settle(running, *_judged(running.run))
        acted += 1
    for result in rehearsal.results.filter(verdict=V.WAITING):
        acted += 1
        if _try(rehearsal, result):
            return _look_again(rehearsal, acted)
    _end(rehearsal)
    return acted


def _look_again(rehearsal: Rehearsal, acted: int) -> int:
    Rehearsal.objects.filter(pk=rehearsal.pk).update(due_at=Now() + seconds(LOOK_S))
    return acted


def _try(rehearsal: Rehearsal, result: RehearsalResult) -> bool:
    """Start the command; False if it cannot be, which is its verdict."""
    execution = rehearsal.execution
    step_run = execution.steps.get(position=result.position)
    step_run.execution = execution
    missing = runner.missing_names(step_run=step_run, command=result.command, values=_with_defaults(execution))
    if missing:
        _settle(result, V.NEEDS_VALUE, f"Nobody has given a value for {', '.join(missing)} here yet.")
        return False
    try:
        run = runner.rehearse(
            step_run=step_run, command=result.command, by=execution.started_by, values=execution.values
        )
    except Refused as refusal:
        _settle(result, V.NEEDS_VALUE if refusal.code == "parameters" else V.NOT_HERE, str(refusal))
        return False
    result.run = run
    result.save(update_fields=["run"])
    _settle(result, V.RUNNING, "")
    return True


def _settle(result: RehearsalResult, verdict: RehearsalVerdict, reason: str) -> None:
    RehearsalResult.objects.filter(pk=result.pk).update(verdict=verdict, reason=reason[:300])


def _end(rehearsal: Rehearsal) -> None:
    counts = Counter(rehearsal.results.values_list("verdict", flat=True))
    Rehearsal.objects.filter(pk=rehearsal.pk).update(due_at=None)
    stopped = rehearsal.stopped_by_id is not None
    told = {verdict.value: counts[verdict] for verdict in V if verdict not in {V.WAITING, V.RUNNING}}
    unproven = counts[V.FAILED] + counts[V.NEEDS_VALUE] + counts[V.NOT_HERE]
    if counts[V.PASSED] and not unproven and not stopped:
        library.verified(runbook_id=rehearsal.execution.version.runbook_id)
    starts.end_rehearsal(execution=rehearsal.execution, stopped=stopped, counts=told)


def _judged(run: CommandRun) -> tuple[RehearsalVerdict, str]:
    """What the end of an attempt says, with the reason in words."""
    if run.status in {RunStatus.NOT_STARTED, RunStatus.STOPPED}:
        return V.NOT_HERE, run.reason or "It was stopped."
    if run.status != RunStatus.SUCCEEDED:
        said = runner.in_words(run)
        last = _last_line(run)
        return V.FAILED, f"It {said}: {last}" if last and run.status == RunStatus.FAILED else f"It {said}."
    printed = output.beginning(run=run, limit=JUDGED_BYTES)
    for assertion in runner.expected_of(run):
        verdict = judge(assertion, printed, run.exit_code)
        if verdict.ok is False:
            return V.FAILED, f"It ran, but not as expected: {verdict.reason}."
    used = [f"{name} = {value}" for name, value in run.values.items()]
    return V.PASSED, f"With {', '.join(used)}." if used else ""


def _last_line(run: CommandRun) -> str:
    lines = [line.strip() for line in output.beginning(run=run, limit=JUDGED_BYTES).splitlines() if line.strip()]
    return lines[-1][:160] if lines else ""


def _foreseen(rehearsal: Rehearsal, version: Version) -> list[RehearsalResult]:
    """A result per command; the verdict of those that will not be tried is known already."""
    found = []
    for position, (phase, step) in enumerate(walk.places(version.compiled)):
        for index, command in enumerate(walk.commands_of(walk.step_at(version.compiled, phase, step))):
            verdict, reason = _before(units.as_run(version.compiled, command))
            found.append(
                RehearsalResult(
                    rehearsal=rehearsal, position=position, command=index, verdict=verdict, reason=reason[:300]
                )
            )
    return found


def _before(command: Mapping[str, Any]) -> tuple[RehearsalVerdict, str]:
    if command["because"]:
        return V.NOT_HERE, str(command["because"])
    if command["risk"] == Risk.BLOCKED:
        return V.NOT_HERE, "It cannot run as it is written."
    if command["risk"] != Risk.READ:
        return V.NOT_READ, ""
    for flag, reason in _LEFT.items():
        if flag in command["flags"]:
            return V.NOT_HERE, reason
    return V.WAITING, ""


def last_values(runbook: Runbook, environment: Environment) -> dict[str, Any]:
    """The values that people gave last in walks of the runbook there. Secrets are nobody else's to use again."""
    walks = Execution.objects.filter(
        version__runbook=runbook, environment=environment, purpose=ExecutionPurpose.WALK
    ).exclude(values={})
    found: dict[str, Any] = {}
    for values in walks.order_by("-id").values_list("values", flat=True)[:WALKS]:
        for name, value in values.items():
            if value and not secret_values.is_secret(name):
                found.setdefault(name, value)
    return found


def _with_defaults(execution: Execution) -> dict[str, str]:
    """The values of the execution, and where it has none what the text itself gives."""
    wanted = executions.parameters_of(execution)
    given = {name: str(item["default"]) for name, item in wanted.items() if item.get("default")}
    return given | {name: str(value) for name, value in execution.values.items()}
