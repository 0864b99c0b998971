"""Deciding at forks: the only writer of Decision. The system shows what speaks for a branch; a person takes it.

Branches that are not taken are left out, stay readable, and can be taken later with a reason.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from erpops import clock
from erpops.clock import Now
from runbooks import branching, page_queries, suggesting, walk
from runbooks.acts import LIVE_RUNS, STEP, S, advance, lock, point_at, require_baton, step_title, tell_step
from runbooks.branching import BRANCHES, GO, NO_GO, NONE, OPTIONS, UNSURE, Fork
from runbooks.models import CommandRun, Decision, Execution, StepRun
from runbooks.refusals import Refused

_OPEN: set[str] = {S.PENDING, S.CURRENT}


def decide(*, step_run: StepRun, choice: str, reason: str, by: User) -> None:
    """Take the branch at position `choice`, none of them, or say that one is not sure; twice is once.

    `step_run` is any step of the fork. Deciding otherwise than before needs a reason.
    """
    fork = _fork_of(step_run)
    reason = reason.strip()[:300]
    if choice not in {NONE, UNSURE} and not (choice.isdecimal() and fork.branch_at(int(choice))):
        raise Refused("Choose one of the ways, none of them, or say that you are not sure.")
    with transaction.atomic():
        require_baton(step_run.execution, by)
        lock(step_run)
        before = latest(step_run.execution_id, fork.kind, fork.position)
        if before is not None and before.choice == choice:
            return
        if before is not None and before.choice != UNSURE and not reason:
            raise Refused("This was decided already: say why you decide otherwise.", code="confirmation")
        found = found_for(step_run.execution, fork)
        _require_quiet(step_run.execution, fork, choice)
        _follow(step_run.execution, fork, choice)
        _keep(step_run, fork, choice, found, reason=reason, by=by)


def begun(step_run: StepRun, by: User, *, reads: bool = False) -> None:
    """Beginning a branch takes it. Called in the transaction of what begins it, with the execution locked.

    Reading in a branch is looking, not taking; of options even the first look takes one. Refused while another
    option runs or has passed; after one that failed the next may be tried.
    """
    fork = branching.fork_at(step_run.execution.version.compiled, step_run.position)
    if fork is None or (reads and fork.kind == BRANCHES):
        return
    before = latest(step_run.execution_id, fork.kind, fork.position)
    if before is not None and before.choice == str(step_run.position):
        return
    others = _steps(step_run.execution, fork).exclude(pk=step_run.pk)
    for other in others if fork.kind == OPTIONS else ():
        if other.status in {S.RUNNING, S.PASSED}:
            raise Refused(f"Step {other.position + 1}, {step_title(other)}, was taken instead. Decide again first.")
    choice = str(step_run.position)
    _leave_out(others, walk.OTHER_OPTION if fork.kind == OPTIONS else walk.NOT_TAKEN)
    _keep(step_run, fork, choice, found_for(step_run.execution, fork), by=by, implied=True)


def go(*, step_run: StepRun, choice: str, reason: str, by: User) -> None:
    """Say go or no-go at a point of a rollout. No-go needs a reason; it starts nothing by itself."""
    gate = branching.gate_at(step_run.execution.version.compiled, step_run.position)
    reason = reason.strip()[:300]
    if gate is None or choice not in {GO, NO_GO}:
        raise Refused("Nobody is asked for go or no-go at this step.")
    if choice == NO_GO and not reason:
        raise Refused("Say what speaks against going on: the reason stands in the timeline.", code="confirmation")
    with transaction.atomic():
        require_baton(step_run.execution, by)
        lock(step_run)
        before = latest(step_run.execution_id, branching.GO_NO_GO, gate.position)
        if before is not None and before.choice == choice:
            return
        if before is not None and not reason:
            raise Refused("This was decided already: say why you decide otherwise.", code="confirmation")
        _write(step_run, branching.GO_NO_GO, gate.position, choice, {}, reason=reason, by=by)
        said = f"{'go' if choice == GO else 'no-go'} after step {step_run.position + 1}, {step_title(step_run)}"
        said = f"said {said}: {reason}" if reason else f"said {said}"
        tell_step(step_run, "step.decided", said, by, choice=choice, criteria=list(gate.criteria), reason=reason)


def latest(execution_id: int, kind: str, fork: int) -> Decision | None:
    """What counts at a fork by now."""
    return Decision.objects.filter(execution=execution_id, kind=kind, fork=fork).order_by("-id").first()


def found_for(execution: Execution, fork: Fork) -> dict[int, list[suggesting.Finding]]:
    """What the walk has found for each branch, by its position; options have no condition to speak for."""
    if fork.kind != BRANCHES:
        return {branch.position: [] for branch in fork.branches}
    runs = page_queries.steps(execution)
    seen = page_queries.seen_before(execution, runs, fork.position)
    labels = page_queries.alert_labels(execution.incident) if execution.incident else {}
    before = _before(execution, runs, fork)
    return {
        branch.position: suggesting.findings_for(branch.condition, seen=seen, labels=labels, before=before)
        for branch in fork.branches
    }


def _before(execution: Execution, runs: Sequence[StepRun], fork: Fork) -> suggesting.Before | None:
    """The step in front of the fork, if it belongs to the same phase."""
    if not fork.position or runs[fork.position - 1].phase != runs[fork.position].phase:
        return None
    run = runs[fork.position - 1]
    title = walk.plain(walk.step_of(execution.version.compiled, run)["title"])
    return suggesting.Before(run.position, title, run.status)


def _fork_of(step_run: StepRun) -> Fork:
    fork = branching.fork_at(step_run.execution.version.compiled, step_run.position)
    if fork is None:
        raise Refused("There is nothing to decide at this step.")
    return fork


def _steps(execution: Execution, fork: Fork) -> Any:
    positions = [branch.position for branch in fork.branches]
    return execution.steps.filter(position__in=positions).order_by("position")


def _require_quiet(execution: Execution, fork: Fork, choice: str) -> None:
    for step in _steps(execution, fork):
        live = CommandRun.objects.filter(step_run=step, status__in=LIVE_RUNS).exists()
        if live and choice != str(step.position):
            raise Refused(f"A command of step {step.position + 1} is still running: wait for it, or stop it.")


def _follow(execution: Execution, fork: Fork, choice: str) -> None:
    """Bring the branches in line with the choice, and point at what comes next."""
    steps = list(_steps(execution, fork))
    if choice == UNSURE:
        for step in steps:
            if walk.is_left_out(step):
                STEP.move(step, to=S.PENDING, only_from={S.SKIPPED}, reason="", changed_at=Now())
        return
    taken = next((step for step in steps if choice == str(step.position)), None)
    reason = walk.OTHER_OPTION if fork.kind == OPTIONS and taken else walk.NOT_TAKEN
    _leave_out([step for step in steps if step is not taken], reason)
    if taken is None:
        advance(steps[-1])
        return
    if walk.is_left_out(taken) or taken.status == S.SKIPPED:
        STEP.move(taken, to=S.PENDING, only_from={S.SKIPPED}, reason="", changed_at=Now())
    point_at(execution, taken)


def _leave_out(steps: Any, reason: str) -> None:
    """What nobody has dealt with yet is marked as not taken; it can be taken later."""
    for step in steps:
        if STEP.move(step, to=S.SKIPPED, only_from=_OPEN, reason=reason, changed_at=Now()):
            said = f"left out step {step.position + 1}, {step_title(step)}: {reason}"
            tell_step(step, "step.skipped", said, None, noise=True, reason=reason)


def _keep(
    step_run: StepRun,
    fork: Fork,
    choice: str,
    found: Mapping[int, list[suggesting.Finding]],
    *,
    by: User,
    reason: str = "",
    implied: bool = False,
) -> None:
    """Write the decision down with what it rests on, and tell it."""
    evidence = _write(step_run, fork.kind, fork.position, choice, found, reason=reason, by=by, implied=implied)
    branch = fork.branch_at(int(choice)) if choice.isdecimal() else None
    text = {NONE: "decided that none of it applies", UNSURE: "is not sure which applies"}.get(choice, "")
    if branch is not None:
        text = f"{'took' if fork.kind == OPTIONS else 'decided'} “{branch.words}” (step {branch.number})"
        text += ", by beginning it" if implied else ""
    elif len(fork.branches) == 1:
        words = fork.branches[0].words
        text = f"decided that “{words}” does not apply" if choice == NONE else f"is not sure whether “{words}” applies"
    because = [item["text"] for item in evidence if item["speaks"] and str(item["branch"]) == choice]
    text += f": {reason}" if reason else ""
    text += f" ({' '.join(because)[:300]})" if because else ""
    tell_step(step_run, "step.decided", text, by, fork=fork.position, choice=choice, reason=reason, evidence=evidence)


def _write(
    step_run: StepRun,
    kind: str,
    fork: int,
    choice: str,
    found: Mapping[int, list[suggesting.Finding]],
    *,
    reason: str,
    by: User,
    implied: bool = False,
) -> list[dict[str, Any]]:
    evidence = [{"branch": at, **finding.as_json()} for at, all_of in found.items() for finding in all_of]
    Decision.objects.create(
        execution=step_run.execution,
        kind=kind,
        fork=fork,
        choice=choice,
        reason=reason,
        evidence=evidence,
        suggested=[at for at, all_of in found.items() if suggesting.suggested(all_of)],
        implied=implied,
        at=clock.now(),
        by=by,
    )
    return evidence
