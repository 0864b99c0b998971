"""Whether the runbooks of an incident have verified that it is over."""

from incidents.models import Incident
from incidents.recovery import Unverified
from runbooks import addresses, page_queries, walk
from runbooks.choices import ExecutionStatus, StepStatus
from runbooks.models import Execution, StepRun

_STANDS = {
    StepStatus.FAILED: "does not hold",
    StepStatus.SKIPPED: "was skipped",
    StepStatus.RUNNING: "is running",
}


def unverified(incident: Incident) -> list[Unverified]:
    """The verification steps that have not passed, or not since an earlier step was run again.

    The latest walk of each runbook counts; one that was given up asks for nothing.
    """
    return [missing for execution in _latest(incident) for missing in _of(execution)]


def _latest(incident: Incident) -> list[Execution]:
    found: dict[int, Execution] = {}
    for execution in page_queries.walks(incident):
        if execution.status != ExecutionStatus.ABANDONED:
            found.setdefault(execution.version.runbook_id, execution)
    return list(found.values())


def _of(execution: Execution) -> list[Unverified]:
    phases = execution.version.compiled["phases"]
    if not any(phase["phase"] == "verification" for phase in phases):
        return []
    runs = page_queries.steps(execution)
    old = walk.from_before(runs)
    found = []
    for run in runs:
        if phases[run.phase]["phase"] != "verification" or walk.is_left_out(run):
            continue
        if run.status == StepStatus.PASSED and run.position not in old:
            continue
        title = walk.plain(walk.step_of(execution.version.compiled, run)["title"])
        text = f"step {run.position + 1} of {execution.version.runbook.title}, {title}"
        url = addresses.of_walk(execution, "walk_step", position=run.position)
        found.append(Unverified(text, _stands(run, old=run.position in old), url))
    return found


def _stands(run: StepRun, *, old: bool) -> str:
    if run.status == StepStatus.PASSED and old:
        return "is from before an earlier step was run again"
    return _STANDS.get(StepStatus(run.status), "is not done")
