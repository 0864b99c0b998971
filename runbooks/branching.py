"""Where a runbook forks: neighbouring steps with conditions, options of which one is taken, go or no-go. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks import durations, walk

# Kinds of forks.
BRANCHES, OPTIONS, GO_NO_GO = "branches", "options", "go"
# Choices beside the steps themselves.
NONE, UNSURE, GO, NO_GO = "none", "unsure", "go", "no_go"
_ROLLING_OUT = {"pre_deployment", "deployment", "post_deployment"}


@dataclass(frozen=True)
class Branch:
    """One way of a fork: the step at `position` is done if `condition` holds, or if it is the option taken."""

    position: int
    title: str
    condition: str

    @property
    def number(self) -> int:
        return self.position + 1

    @property
    def words(self) -> str:
        """What a person decides about: the condition, else the title."""
        return self.condition or self.title


@dataclass(frozen=True)
class Fork:
    """Ways of which a person takes one. `rejoins` is the step behind them all, None at the end of the walk."""

    kind: str
    branches: tuple[Branch, ...]
    rejoins: int | None

    @property
    def position(self) -> int:
        return self.branches[0].position

    @property
    def question(self) -> str:
        if self.kind == OPTIONS:
            return "Which way is taken?"
        return "Does this apply?" if len(self.branches) == 1 else "Which of these applies?"

    def branch_at(self, position: int) -> Branch | None:
        """The branch that is the step at `position`."""
        return next((branch for branch in self.branches if branch.position == position), None)


@dataclass(frozen=True)
class Gate:
    """A point of a rollout at which people say go or no-go; `back` is the first step of the way back, if any."""

    position: int
    criteria: tuple[str, ...]
    back: int | None


def fork_at(compiled: Mapping[str, Any], position: int) -> Fork | None:
    """The fork that the step at `position` is a branch of."""
    return next((fork for fork in forks(compiled) if fork.branch_at(position)), None)


def forks(compiled: Mapping[str, Any]) -> list[Fork]:
    """Every fork in order: conditions that follow one another in a phase are one, so are the steps of a group."""
    places = walk.places(compiled)
    found: list[Fork] = []
    mark: tuple[int, str] | None = None
    for position, (phase, index) in enumerate(places):
        steps = compiled["phases"][phase]["steps"]
        step = steps[index] if index < len(steps) else {}
        group = step.get("option_group") or (BRANCHES if step.get("condition") else "")
        if not group:
            mark = None
            continue
        branch = Branch(position, walk.plain(step["title"]), walk.plain(step.get("condition") or ""))
        rejoins = position + 1 if position + 1 < len(places) else None
        if mark == (phase, group):
            found[-1] = Fork(found[-1].kind, (*found[-1].branches, branch), rejoins)
        else:
            found.append(Fork(OPTIONS if step.get("option_group") else BRANCHES, (branch,), rejoins))
        mark = (phase, group)
    return found


def gate_at(compiled: Mapping[str, Any], position: int) -> Gate | None:
    """Go or no-go: before a deployment begins, after each watch in it, and at its end."""
    places = walk.places(compiled)
    kinds = [compiled["phases"][phase]["phase"] for phase, _ in places]
    if "deployment" not in kinds or kinds[position] not in _ROLLING_OUT:
        return None
    step = _step(compiled, places, position)
    following = kinds[position + 1] if position + 1 < len(kinds) else ""
    begins = kinds[position] == "pre_deployment" and following == "deployment"
    ends = kinds[position] == "deployment" and following != "deployment"
    watched = kinds[position] == "deployment" and any(wait.watch for wait in durations.waits_of(step))
    if not (begins or ends or watched):
        return None
    back = next((at for at, kind in enumerate(kinds) if kind == "rollback"), None)
    return Gate(position, tuple(_criteria(step)), back)


def _step(compiled: Mapping[str, Any], places: Sequence[tuple[int, int]], position: int) -> Mapping[str, Any]:
    phase, index = places[position]
    steps = compiled["phases"][phase]["steps"]
    step: Mapping[str, Any] = steps[index] if index < len(steps) else {**compiled["phases"][phase], "title": ""}
    return step


def _criteria(step: Mapping[str, Any]) -> list[str]:
    """What the text says has to hold: expected results, and remarks that compare."""
    found = [walk.plain(item["text"]) for command in step.get("commands", []) for item in command["expected"]]
    notes = [note["text"] for command in step.get("commands", []) for note in command.get("notes", [])]
    compared = [walk.plain(text).lstrip("- ") for text in notes if any(sign in text for sign in "<>≤≥")]
    return list(dict.fromkeys(found + compared))
