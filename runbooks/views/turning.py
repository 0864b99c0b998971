"""Where an opened step asks for more than its commands: forks, go or no-go, waits, other runbooks, earlier results."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from runbooks import addresses, branching, crossings, durations, fork_views, observing, page_queries, walk
from runbooks.access import visible_runbooks
from runbooks.choices import ExecutionStatus
from runbooks.models import Decision, Execution, PhaseClock, Runbook, Wait

if TYPE_CHECKING:
    from runbooks.views.walking import Walk


@dataclass(frozen=True)
class WaitView:
    """A wait that the text asks for, and the latest one that was begun."""

    asked: durations.Asked
    begun: Wait | None

    @property
    def running(self) -> bool:
        return self.begun is not None and self.begun.ended_at is None

    @property
    def goes_on(self) -> bool | None:
        """None as long as nobody has begun it."""
        return self.running if self.begun else None


@dataclass(frozen=True)
class Reference:
    """Another runbook that the step refers to, and the walk that was started for it from here."""

    runbook: Runbook
    child: Execution | None

    @property
    def outcome(self) -> str:
        """What came of it, in a line."""
        if self.child is None:
            return ""
        runs = list(self.child.steps.all())
        left = walk.left(runs)
        passed = sum(run.status == "passed" for run in runs)
        parts = [f"{passed} of {len(runs)} steps passed"]
        parts += [f"{len(found)} {name.replace('_', ' ')}" for name, found in left.items() if found]
        return ", ".join(parts)

    @property
    def going_on(self) -> bool:
        return self.child is not None and self.child.status == ExecutionStatus.ACTIVE


class Turns:
    """What the opened step of a walk asks a person to turn to."""

    def __init__(self, opened: "Walk") -> None:
        self._opened = opened

    def _address(self, position: int) -> str:
        return addresses.of_walk(self._opened.execution, "walk_step", position=position)

    @cached_property
    def decided(self) -> list[Decision]:
        """The decisions of the whole walk, the latest first."""
        return page_queries.decisions(self._opened.execution)

    @cached_property
    def fork(self) -> fork_views.ForkView | None:
        opened = self._opened
        return fork_views.fork_view(opened.execution, opened.runs, opened.position, self._address, self.decided)

    @cached_property
    def gate(self) -> fork_views.GateView | None:
        return fork_views.gate_view(self._opened.execution, self._opened.position, self._address, self.decided)

    @cached_property
    def waits(self) -> list[WaitView]:
        opened = self._opened
        run = opened.runs[opened.position]
        asked = durations.waits_of(walk.step_of(opened.execution.version.compiled, run))
        begun = page_queries.waits(run) if asked else {}
        return [WaitView(each, begun.get(each.index)) for each in asked]

    @cached_property
    def references(self) -> list[Reference]:
        """The runbooks that the step's text leads to, with what was started for each from here."""
        opened = self._opened
        run = opened.runs[opened.position]
        step = walk.step_of(opened.execution.version.compiled, run)
        texts = [step["title"], *(item["text"] for item in [*step.get("prose", []), *step.get("items", [])])]
        texts += [note["text"] for command in step.get("commands", []) for note in command.get("notes", [])]
        slugs = crossings.referred(opened.execution, texts)
        if not slugs:
            return []
        children: dict[int, Execution] = {}
        for child in page_queries.children(opened.execution):
            if child.parent_id == run.pk:
                children.setdefault(child.version.runbook_id, child)
        found = {book.slug: book for book in visible_runbooks(opened.user).filter(slug__in=slugs)}
        return [Reference(found[slug], children.get(found[slug].pk)) for slug in slugs if slug in found]

    @cached_property
    def parent(self) -> Execution | None:
        """The walk that referred to this runbook."""
        above = self._opened.execution.parent
        return above.execution if above else None

    @property
    def parent_url(self) -> str:
        above = self._opened.execution.parent
        return addresses.of_walk(above.execution, "walk_step", position=above.position) if above else ""

    @cached_property
    def from_before(self) -> int | None:
        """The number of the earlier step that was run again after this step's result."""
        earlier = walk.from_before(self._opened.runs).get(self._opened.position)
        return None if earlier is None else earlier + 1

    @cached_property
    def last_fork(self) -> str:
        """Where the latest fork before this step is decided: the way back when a verification does not hold."""
        opened = self._opened
        before = [f for f in branching.forks(opened.execution.version.compiled) if f.position < opened.position]
        return self._address(before[-1].position) if before else ""

    @cached_property
    def unsettled(self) -> list[walk.Unsettled]:
        """What has to be settled before the runbook can be completed."""
        return page_queries.unsettled(self._opened.execution)

    @property
    def verifying(self) -> bool:
        """Whether the step belongs to the verification."""
        return observing.verifies(self._opened.runs[self._opened.position])

    @cached_property
    def left(self) -> dict[str, list[walk.Leftover]]:
        """What completing would leave, by kind."""
        return walk.left_in_words(self._opened.runs, self._opened.execution.version.compiled)

    @cached_property
    def clocks(self) -> dict[int, PhaseClock]:
        """The clocks of the walk's phases."""
        return page_queries.clocks(self._opened.execution)

    @property
    def marks(self) -> Mapping[str, object]:
        """What tells whether a part would look different, by the part."""
        return {
            "rail": [phase for phase, clock in self.clocks.items() if clock.over_at],
            "decided": [decision.pk for decision in self.decided],
            "waits": [(w.begun.pk, w.begun.ended_at is not None) for w in self.waits if w.begun],
            "refs": [(r.child.pk, r.child.status, r.outcome) for r in self.references if r.child],
        }
