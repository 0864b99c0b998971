"""What the pages of rehearsals read: one with its results by step, those of a runbook, its plans."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import Http404

from runbooks import walk
from runbooks.access import in_visible_executions
from runbooks.choices import RehearsalVerdict
from runbooks.models import CommandRun, Rehearsal, RehearsalPlan, RehearsalResult, Runbook

V = RehearsalVerdict
LATEST = 20
# Which verdict of its commands a step has: the first of these that occurs.
_WORST = (V.FAILED, V.RUNNING, V.WAITING, V.NEEDS_VALUE, V.NOT_HERE, V.PASSED, V.NOT_READ)
_RELATED = ("execution__version__runbook", "execution__environment", "execution__started_by", "plan", "stopped_by")


@dataclass(frozen=True)
class TriedCommand:
    """A command with its verdict; `run` is the attempt that shows it."""

    number: int
    text: str
    risk: str
    verdict: str
    label: str
    reason: str
    run: CommandRun | None


@dataclass(frozen=True)
class TriedStep:
    """A step of a rehearsal: its verdict is the worst of its commands'."""

    number: int
    title: str
    verdict: str
    label: str
    commands: list[TriedCommand]


def visible_rehearsals(user: Any) -> QuerySet[Rehearsal]:
    """Those in environments that the person sees."""
    return in_visible_executions(user, Rehearsal.objects.all(), "execution")


def get_rehearsal_for(user: Any, execution: int) -> Rehearsal:
    """The rehearsal, or 404."""
    found = visible_rehearsals(user).select_related(*_RELATED).filter(execution=execution).first()
    if found is None:
        raise Http404("There is no such rehearsal, or it is not yours to see.")
    return found


def steps(rehearsal: Rehearsal) -> list[TriedStep]:
    """Its results by step, steps without commands left out."""
    compiled = rehearsal.execution.version.compiled
    places = walk.places(compiled)
    by_step: dict[int, list[RehearsalResult]] = {}
    for result in rehearsal.results.select_related("run").order_by("position", "command"):
        by_step.setdefault(result.position, []).append(result)
    return [_step(compiled, *places[position], position, results) for position, results in by_step.items()]


def _step(
    compiled: dict[str, Any], phase: int, step: int, position: int, results: Iterable[RehearsalResult]
) -> TriedStep:
    here = walk.step_at(compiled, phase, step)
    commands = walk.commands_of(here)
    tried = [
        TriedCommand(
            number=result.command + 1,
            text=commands[result.command]["text"],
            risk=commands[result.command]["risk"],
            verdict=result.verdict,
            label=result.get_verdict_display(),
            reason=result.reason,
            run=result.run,
        )
        for result in results
    ]
    present = {command.verdict for command in tried}
    worst = next(verdict for verdict in _WORST if verdict in present)
    return TriedStep(position + 1, walk.plain(here["title"]), worst, worst.label, tried)


def tally(found: Iterable[TriedStep]) -> list[tuple[str, str, int]]:
    """How many commands there are of each verdict, as (verdict, label, count), the ones that occur."""
    counts = Counter(command.verdict for step in found for command in step.commands)
    return [(verdict.value, verdict.label, counts[verdict]) for verdict in V if counts[verdict]]


def history(user: Any, runbook: Runbook) -> list[Rehearsal]:
    """The latest of a runbook with counts: `works`, `failed`, and `reads`, the commands that only read."""
    counted = visible_rehearsals(user).annotate(
        works=Count("results", filter=Q(results__verdict=V.PASSED)),
        failed=Count("results", filter=Q(results__verdict=V.FAILED)),
        reads=Count("results", filter=~Q(results__verdict=V.NOT_READ)),
    )
    found = counted.filter(execution__version__runbook=runbook).select_related(*_RELATED)
    return list(found.defer("execution__version__text", "execution__version__compiled").order_by("-id")[:LATEST])


def plans(places: Iterable[Any], runbook: Runbook) -> dict[int, RehearsalPlan]:
    """What is planned for a runbook, by environment."""
    found = RehearsalPlan.objects.filter(runbook=runbook, environment__in=list(places), due_at__isnull=False)
    return {plan.environment_id: plan for plan in found.select_related("owner", "environment")}
