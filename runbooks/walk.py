"""An execution as a page shows it: phases, steps and their states. Pure.

Built from the compiled runbook and the StepRuns; nothing here reads or writes the database, so the
same rows always give the same page. One opened step is `runbooks.step_views`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runbooks.choices import ExecutionStatus, StepStatus
from runbooks.models import Execution, PhaseClock, StepRun

PHASES = {
    "immediate": "Immediate",
    "diagnosis": "Diagnosis",
    "resolution": "Resolution",
    "verification": "Verification",
    "escalation": "Escalation",
    "prevention": "Prevention",
    "communication": "Communication",
    "pre_deployment": "Before deployment",
    "deployment": "Deployment",
    "post_deployment": "After deployment",
    "rollback": "Rollback",
    "post_incident": "Afterwards",
    "procedure": "Procedure",
    "other": "Other",
}
NOT_TAKEN = "branch not taken"
OTHER_OPTION = "another option was taken"
NOT_NEEDED = "not needed"
SKIP_REASONS = ("not applicable", "already done", "too risky now", "no access", "other")
SETTLED = {StepStatus.PASSED, StepStatus.FAILED, StepStatus.SKIPPED}


@dataclass(frozen=True)
class RailStep:
    """A line of the rail, in the words of components/step_rail.html."""

    position: int
    number: int
    title: str
    state: str
    label: str
    url: str
    depth: int
    current: bool
    from_before: bool = False


@dataclass(frozen=True)
class RailPhase:
    """A phase of the rail with its time budget; its clock runs from the first look to the last step dealt with."""

    name: str
    budget_s: int | None
    started_at: datetime | None
    ended_at: datetime | None
    steps: list[RailStep]
    over: bool = False


def places(compiled: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(phase, step) of every step to walk. A phase without steps is one itself, if it has items or says anything."""
    found = []
    for index, phase in enumerate(compiled["phases"]):
        count = len(phase["steps"]) or bool(phase["items"] or phase["prose"])
        found += [(index, step) for step in range(count)]
    return found


@dataclass(frozen=True)
class Decider:
    """The command that tells whether another one was done: its text, and where it is walked."""

    text: str
    position: int
    index: int

    @property
    def number(self) -> int:
        return self.index + 1

    @property
    def step_number(self) -> int:
        return self.position + 1


def decider_of(compiled: Mapping[str, Any], command: Mapping[str, Any]) -> Decider | None:
    """What the runbook names to find out how `command` ended, if it names anything."""
    if not command.get("decided_by"):
        return None
    for position, (phase, step) in enumerate(places(compiled)):
        steps = compiled["phases"][phase]["steps"]
        for index, other in enumerate(steps[step]["commands"] if step < len(steps) else ()):
            if other["line"] == command["decided_by"]:
                return Decider(other["text"], position, index)
    return None


def step_of(compiled: Mapping[str, Any], run: StepRun) -> Mapping[str, Any]:
    """The step that `run` walks; the items and the text of a phase without steps make one of their own."""
    return step_at(compiled, run.phase, run.step)


def step_at(compiled: Mapping[str, Any], phase_index: int, step_index: int) -> Mapping[str, Any]:
    """The compiled step of a place."""
    phase = compiled["phases"][phase_index]
    if step_index < len(phase["steps"]):
        step: Mapping[str, Any] = phase["steps"][step_index]
        return step
    title = phase["heading"] or PHASES.get(phase["phase"], "Checklist")
    return {"title": title, "items": phase["items"], "prose": phase["prose"]}


def prose_of(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The text of a step, without a first paragraph that only says its title again, or what its lists are called."""
    texts = list(step.get("prose", []))
    if texts and plain(texts[0]["text"]) == plain(step["title"]):
        texts = texts[1:]
    groups = {plain(item["group"]) for item in step.get("items", []) if item.get("group")}
    return [text for text in texts if plain(text["text"]) not in groups]


def all_commands(compiled: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every command that can be walked, in order of the phases."""
    for phase in compiled["phases"]:
        for step in [*phase["steps"], {"items": phase["items"]}]:
            yield from commands_of(step)


def commands_of(step: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The commands of a step in order, those of its items behind its own."""
    of_items = [command for item in step.get("items", []) for command in item.get("commands", [])]
    return [*step.get("commands", []), *of_items]


def is_left_out(run: StepRun) -> bool:
    """A branch that was not taken, as against a step that somebody skipped."""
    return run.status == StepStatus.SKIPPED and run.reason in {NOT_TAKEN, OTHER_OPTION}


def state_of(run: StepRun, *, viewed: bool) -> str:
    """The state in the words of the components: `current` is what is open, `incomplete` was left open."""
    if is_left_out(run):
        return "not_taken"
    if run.status in {StepStatus.PENDING, StepStatus.CURRENT}:
        return "current" if viewed else ("incomplete" if run.status == StepStatus.CURRENT else "pending")
    return run.status


_LABELS = {
    "pending": "Not viewed",
    "current": "Current",
    "incomplete": "Not finished",
    "not_taken": "Branch not taken",
}


def rail(
    execution: Execution, runs: Sequence[StepRun], *, viewed: int, url: str, clocks: Mapping[int, PhaseClock]
) -> list[RailPhase]:
    """The phases and their steps. `url` holds `{}` where a step's position goes; `clocks` are those of the phases."""
    compiled = execution.version.compiled
    phases: list[RailPhase] = []
    old = from_before(runs)
    for index, phase in enumerate(compiled["phases"]):
        own = [run for run in runs if run.phase == index]
        if not own:
            continue
        steps = [_rail_step(execution, run, viewed=viewed, url=url, old=run.position in old) for run in own]
        clock = clocks.get(index)
        name = PHASES.get(phase["phase"], "") if phase["phase"] != "other" else phase["heading"] or "Steps"
        phases.append(
            RailPhase(
                name=name,
                budget_s=phase["time_box_s"],
                # What a clock stood still for does not count.
                started_at=clock.due_at - timedelta(seconds=phase["time_box_s"]) if clock else None,
                ended_at=clock.ended_at if clock else None,
                steps=steps,
                over=clock is not None and clock.over_at is not None,
            )
        )
    return phases


def _rail_step(execution: Execution, run: StepRun, *, viewed: int, url: str, old: bool) -> RailStep:
    step, active = step_of(execution.version.compiled, run), execution.status == ExecutionStatus.ACTIVE
    # What has ended goes on at no step.
    state = state_of(run, viewed=run.position == viewed and active)
    return RailStep(
        position=run.position,
        number=run.position + 1,
        title=plain(step["title"]),
        state=state,
        label=_LABELS.get(state, state.capitalize()),
        url=url.format(run.position),
        depth=1 if step.get("condition") or step.get("option_group") else 0,
        current=run.position == viewed,
        from_before=old,
    )


def in_minutes(seconds: int) -> str:
    """A duration as people say it: whole minutes, or seconds below two of them."""
    return f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} min"


def plain(text: str) -> str:
    """A title without the marks of its Markdown."""
    return re.sub(r"(\*\*|__|`)", "", text).strip().rstrip(":").strip()


def from_before(runs: Sequence[StepRun]) -> dict[int, int]:
    """Steps whose result is older than the latest command of an earlier step, with that step, by position.

    `last_run_at` of a step is when a command of it was last asked for.
    """
    found: dict[int, int] = {}
    again_at: datetime | None = None
    again = 0
    for run in runs:
        ran_at: datetime | None = getattr(run, "last_run_at", None)
        result_at = max((at for at in (ran_at, run.changed_at) if at), default=None)
        dealt_with = run.status in {StepStatus.PASSED, StepStatus.FAILED} or ran_at is not None
        if dealt_with and result_at and again_at and again_at > result_at:
            found[run.position] = again
        if ran_at and (again_at is None or ran_at > again_at):
            again_at, again = ran_at, run.position
    return found


def open_steps(runs: Sequence[StepRun], *, after: int) -> list[int]:
    """Positions of the steps that are not settled: those behind `after` first, then from the top."""
    order = [*runs[after + 1 :], *runs[: after + 1]]
    return [run.position for run in order if run.status not in SETTLED]


def left(runs: Iterable[StepRun]) -> dict[str, list[StepRun]]:
    """What the end of a walk leaves: skipped (branches not taken included), failed, not done."""
    found: dict[str, list[StepRun]] = {"skipped": [], "failed": [], "not_done": []}
    for run in runs:
        if run.status == StepStatus.SKIPPED:
            found["skipped"].append(run)
        elif run.status == StepStatus.FAILED:
            found["failed"].append(run)
        elif run.status in {StepStatus.PENDING, StepStatus.CURRENT}:
            found["not_done"].append(run)
    return found


@dataclass(frozen=True)
class Leftover:
    """A step that did not pass, as the end of a walk lists it."""

    position: int
    title: str
    reason: str

    @property
    def number(self) -> int:
        return self.position + 1


@dataclass(frozen=True)
class Unsettled:
    """What keeps a walk from its end: a command, or a runbook that was started from it."""

    title: str
    stands: str
    url: str


def left_in_words(runs: Iterable[StepRun], compiled: Mapping[str, Any]) -> dict[str, list[Leftover]]:
    """What completing leaves, by kind; branches not taken apart from what was skipped, optional steps from the rest."""
    found: dict[str, list[Leftover]] = {}
    for kind, steps in left(runs).items():
        for run in steps:
            step = step_of(compiled, run)
            name = "not_taken" if is_left_out(run) else kind
            name = "optional" if name == "not_done" and step.get("optional") else name
            found.setdefault(name, []).append(Leftover(run.position, plain(step["title"]), run.reason))
    return found
