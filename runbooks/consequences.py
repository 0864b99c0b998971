"""What a person reads before they confirm something: what it acts on, its effect, the way back, what came before."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from checks.models import Check
from erpops import clock
from runbooks import gate, occupied, output, walk
from runbooks.choices import Risk, StepStatus
from runbooks.models import CommandRun, Execution, StepRun
from runbooks.touched import Touched

EFFECTS: dict[str, str] = {
    Risk.CHANGE: "Narrow and reversible; users should not notice.",
    Risk.DISRUPT: "Users may notice: something stops, restarts or behaves differently.",
    Risk.DESTROY: "Data, files, sessions or processes are gone afterwards.",
}
_BACK = re.compile(r"\b(?:roll(?:ing)?[ -]?back|undo|revert|restore|back to the previous)\b", re.IGNORECASE)
_RECENT, _LINES = 3, 6


@dataclass(frozen=True)
class Place:
    """A step of the same walk, to be linked."""

    position: int
    title: str

    @property
    def number(self) -> int:
        return self.position + 1


@dataclass(frozen=True)
class Printed:
    """The end of what an earlier command of the walk printed."""

    run: CommandRun
    lines: list[str]


@dataclass(frozen=True)
class Consequences:
    """All of it for one command. `in_use` is the sentence of what stands in the way; `word` is what is typed."""

    doing: str
    targets: list[str]
    word: str
    effect: str
    ways_back: list[Place]
    in_use: str
    undone: list[Place] = field(default_factory=list)
    backups: list[Check] = field(default_factory=list)
    printed: list[Printed] = field(default_factory=list)


def of(execution: Execution, steps: Sequence[StepRun], position: int, *, risk: str, touched: Touched) -> Consequences:
    """What there is to know about a command of the step at `position`; more of it where something is destroyed."""
    place = execution.environment
    held = occupied.holder(environment=place, names=touched.names)
    found = Consequences(
        doing=touched.said(place.label),
        targets=touched.listed(place.label),
        word=gate.word(environment=place, touched=touched),
        effect=EFFECTS.get(risk, ""),
        ways_back=ways_back(execution.version.compiled, steps, position),
        in_use=occupied.sentence(held, clock.now()) if held else "",
    )
    if risk != Risk.DESTROY:
        return found
    compiled = execution.version.compiled
    undone = [run for run in steps[:position] if run.status not in {StepStatus.PASSED, StepStatus.SKIPPED}]
    named = Q(name__icontains="backup") | Q(label__icontains="backup")
    backups = Check.objects.filter(named, target__environment=place, enabled=True).order_by("name")[:3]
    return Consequences(
        **{name: getattr(found, name) for name in ("doing", "targets", "word", "effect", "ways_back", "in_use")},
        undone=[_place(compiled, run) for run in undone],
        backups=list(backups),
        printed=_printed(execution),
    )


def ways_back(compiled: Mapping[str, Any], steps: Sequence[StepRun], position: int) -> list[Place]:
    """The steps that undo: those of a rollback phase, else those whose title says so; three at most."""
    others = [run for run in steps if run.position != position]
    found = [run for run in others if compiled["phases"][run.phase]["phase"] == "rollback"]
    found = found or [run for run in others if _BACK.search(walk.step_of(compiled, run)["title"])]
    return [_place(compiled, run) for run in found[:3]]


def _place(compiled: Mapping[str, Any], run: StepRun) -> Place:
    return Place(run.position, walk.plain(walk.step_of(compiled, run)["title"]))


def _printed(execution: Execution) -> list[Printed]:
    runs = CommandRun.objects.filter(step_run__execution=execution).exclude(output_seq=0)
    recent = runs.select_related("step_run", "requested_by").order_by("-pk")[:_RECENT]
    return [Printed(run, _end_of(run)) for run in recent]


def _end_of(run: CommandRun) -> list[str]:
    shown = output.page(run=run, limit=_LINES)
    return [line.text for line in output.lines(run=run, first=shown.first, last=shown.last)] if shown.last else []
