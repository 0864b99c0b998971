"""A fork, and a go or no-go, as a page shows them: the ways, what speaks for each, what was decided and by whom."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks import branching, decisions, suggesting, walk
from runbooks.branching import Fork, Gate
from runbooks.models import Decision, Execution, StepRun

Address = Callable[[int], str]


@dataclass(frozen=True)
class Way:
    """One branch: what was found for it, how its step stands."""

    position: int
    words: str
    title: str
    url: str
    state: str
    findings: list[suggesting.Finding]

    @property
    def number(self) -> int:
        return self.position + 1

    @property
    def suggested(self) -> bool:
        return suggesting.suggested(self.findings)


@dataclass(frozen=True)
class Look:
    """A step in front of the fork that looks at things: where to look again when one is not sure."""

    number: int
    title: str
    url: str


@dataclass(frozen=True)
class ForkView:
    """A fork with its decisions, the latest first."""

    fork: Fork
    ways: list[Way]
    decided: list[Decision]
    looks: list[Look]
    rejoins: str

    @property
    def latest(self) -> Decision | None:
        return self.decided[0] if self.decided else None

    @property
    def choice(self) -> str:
        return self.latest.choice if self.latest else ""

    @property
    def unsure(self) -> bool:
        return self.choice == branching.UNSURE

    @property
    def open(self) -> bool:
        """Nobody has taken a way or refused them all."""
        return self.choice in {"", branching.UNSURE}

    @property
    def taken(self) -> Way | None:
        return next((way for way in self.ways if str(way.position) == self.choice), None)

    @property
    def single(self) -> bool:
        return len(self.ways) == 1

    @property
    def options(self) -> bool:
        return self.fork.kind == branching.OPTIONS

    @property
    def because(self) -> list[str]:
        """What spoke for the way that was taken, as it was known then."""
        evidence = self.latest.evidence if self.latest else []
        return [item["text"] for item in evidence if item["speaks"] and str(item["branch"]) == self.choice]


@dataclass(frozen=True)
class GateView:
    """A go or no-go with its decisions, the latest first; `back` is where the way back begins."""

    gate: Gate
    decided: list[Decision]
    back: str

    @property
    def latest(self) -> Decision | None:
        return self.decided[0] if self.decided else None

    @property
    def choice(self) -> str:
        return self.latest.choice if self.latest else ""


def fork_view(
    execution: Execution, runs: Sequence[StepRun], position: int, address: Address, decided: Sequence[Decision]
) -> ForkView | None:
    """The fork that the step at `position` belongs to; `decided` are the decisions of the walk, the latest first."""
    compiled = execution.version.compiled
    fork = branching.fork_at(compiled, position)
    if fork is None:
        return None
    found = decisions.found_for(execution, fork)
    ways = [
        Way(
            position=branch.position,
            words=branch.words,
            title=branch.title,
            url=address(branch.position),
            state=walk.state_of(runs[branch.position], viewed=branch.position == position),
            findings=found[branch.position],
        )
        for branch in fork.branches
    ]
    after = fork.rejoins
    rejoins = f"step {after + 1}, {_title(compiled, runs[after])}" if after is not None else ""
    looks = _looks(compiled, runs[: fork.position], address)
    return ForkView(fork, ways, at(decided, fork.kind, fork.position), looks, rejoins)


def gate_view(execution: Execution, position: int, address: Address, decided: Sequence[Decision]) -> GateView | None:
    """The go or no-go that follows the step at `position`."""
    gate = branching.gate_at(execution.version.compiled, position)
    if gate is None:
        return None
    back = address(gate.back) if gate.back is not None else ""
    return GateView(gate, at(decided, branching.GO_NO_GO, position), back)


def at(decided: Sequence[Decision], kind: str, fork: int) -> list[Decision]:
    """The decisions at one fork."""
    return [decision for decision in decided if (decision.kind, decision.fork) == (kind, fork)]


def _looks(compiled: Mapping[str, Any], before: Sequence[StepRun], address: Address) -> list[Look]:
    """The last three steps in front that have something to read."""
    reading = [
        run
        for run in before
        if any(command["risk"] == "read" for command in walk.commands_of(walk.step_of(compiled, run)))
    ]
    return [Look(run.position + 1, _title(compiled, run), address(run.position)) for run in reading[-3:]]


def _title(compiled: Mapping[str, Any], run: StepRun) -> str:
    return walk.plain(walk.step_of(compiled, run)["title"])
