"""What walks tell the receiver of a handover: what was done, what runs, what is in doubt, what comes next."""

from collections import defaultdict
from collections.abc import Mapping

from incidents.models import Incident
from incidents.queries import name_of
from runbooks import executions, runner
from runbooks.choices import ApprovalState, ExecutionStatus, RunStatus, StepStatus
from runbooks.models import Approval, CommandRun, Execution, StepRun

_OPEN = (ApprovalState.ASKED, ApprovalState.APPROVED)
_DOUBTFUL = {
    RunStatus.OUTCOME_UNKNOWN: "nobody knows how it ended",
    RunStatus.STOP_UNCONFIRMED: "it was told to stop and may still run",
    RunStatus.FAILED: "it failed",
    RunStatus.TIMED_OUT: "it took too long",
}


def facts(incident: Incident) -> Mapping[str, list[str]]:
    """Lines for the parts of a handover, of all walks of the incident."""
    found: dict[str, list[str]] = defaultdict(list)
    walks = Execution.objects.filter(incident=incident).exclude(status=ExecutionStatus.ABANDONED)
    for execution in walks.select_related("version__runbook", "holder").order_by("pk"):
        steps = list(execution.steps.order_by("position"))
        for step in steps:
            # The steps share the one walk: each would fetch its compiled text again.
            step.execution = execution
        found["done"].append(_done(execution, steps))
        for step in steps:
            if execution.status == ExecutionStatus.ACTIVE and step.position == execution.position:
                found["next_step"].append(f"{execution.version.runbook.title}, {_step(step)}")
    runs = CommandRun.objects.filter(step_run__execution__incident=incident).select_related("requested_by", "step_run")
    for run in runs.filter(status__in=executions.LIVE_RUNS).order_by("pk"):
        since = f" since {run.started_at:%H:%M} UTC" if run.started_at else ", not started yet"
        found["running"].append(f"`{runner.short(run.text)}`{since}, asked for by {name_of(run.requested_by)}")
    found["running"] = found["running"] or ["None."]
    waiting = Approval.objects.filter(step_run__execution__incident=incident, status__in=_OPEN)
    for approval in waiting.select_related("requested_by").order_by("pk"):
        said = f"{approval.doing}: {approval.get_status_display().lower()}, asked for by "
        found["approvals"].append(said + f"{name_of(approval.requested_by)} at {approval.asked_at:%H:%M} UTC")
    found["approvals"] = found["approvals"] or ["None."]
    latest = {(run.step_run_id, run.command): run for run in runs.order_by("pk")}
    for run in latest.values():
        if word := _DOUBTFUL.get(RunStatus(run.status)):
            found["risks"].append(f"`{runner.short(run.text)}`, step {run.step_run.position + 1}: {word}.")
    return found


def _done(execution: Execution, steps: list[StepRun]) -> str:
    words = []
    for status, word in ((StepStatus.PASSED, "passed"), (StepStatus.FAILED, "failed"), (StepStatus.SKIPPED, "skipped")):
        if numbers := [str(step.position + 1) for step in steps if step.status == status]:
            words.append(f"{word} {', '.join(numbers)}")
    told = "; ".join(words) or "nothing yet"
    state = "" if execution.status == ExecutionStatus.ACTIVE else f" ({execution.get_status_display().lower()})"
    return f"{execution.version.runbook.title}{state}: {told} of {len(steps)} steps."


def _step(step: StepRun) -> str:
    return f"step {step.position + 1}: {executions.step_title(step)}"
