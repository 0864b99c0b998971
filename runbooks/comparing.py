"""Two runbooks beside each other: where they first part, what each says, and who else claims an alert. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from runbooks import walk
from runbooks.models import Runbook
from runbooks.platforms import of_compiled
from runbooks.weighing import words

# From which likeness on two steps stand beside each other.
_ALIKE = 0.3


@dataclass(frozen=True)
class Side:
    """A step as one of the two says it."""

    number: int
    title: str
    phase: str
    condition: str
    commands: Sequence[Mapping[str, Any]]
    prose: list[str]

    @property
    def gist(self) -> tuple[object, ...]:
        """What it comes to; where nothing is run, the words count."""
        lines = tuple(" ".join(command["text"].split()) for command in self.commands)
        return (lines, self.condition.lower()) if lines else (self.title.lower(), tuple(self.prose))


@dataclass(frozen=True)
class Row:
    """Two steps that mean the same thing, or, not `paired`, what only one side or each for itself has at that place."""

    left: Side | None
    right: Side | None
    paired: bool = False

    @property
    def same(self) -> bool:
        return self.paired and self.left is not None and self.right is not None and self.left.gist == self.right.gist


@dataclass(frozen=True)
class Rival:
    """Another runbook for the same alert. `step` is where they part, None if they do the same.

    `variant` names what the other one is written for, where that is something else: then it is no contradiction.
    """

    alert: str
    runbook: Runbook
    step: int | None
    variant: str


def rows(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Row]:
    """The steps of two compiled runbooks beside each other, in order of both."""
    a, b = list(_sides(left)), list(_sides(right))
    found: list[Row] = []
    i = j = 0
    for first, second in [*_paired(a, b), (len(a), len(b))]:
        found += [Row(*sides) for sides in zip_longest(a[i:first], b[j:second])]
        if first < len(a):
            found.append(Row(a[first], b[second], paired=True))
        i, j = first + 1, second + 1
    return found


def first_difference(left: Mapping[str, Any], right: Mapping[str, Any]) -> int | None:
    """The number of the first step in which they part, as the left one counts; None if they do the same."""
    number = 1
    for row in rows(left, right):
        if not row.same:
            return row.left.number if row.left else number
        number = row.left.number + 1 if row.left else number
    return None


def rivals(runbooks: Sequence[Runbook], alerts: Sequence[str]) -> dict[int, list[Rival]]:
    """By runbook: which others among `runbooks` claim an alert of `alerts`, too. Needs their current versions."""
    found: dict[int, list[Rival]] = {}
    fired = {alert.casefold(): alert for alert in alerts}
    claimed = {r.pk: {name.casefold() for name in r.alerts} & set(fired) for r in runbooks}
    for runbook in runbooks:
        for other in runbooks:
            if other is not runbook and (shared := claimed[runbook.pk] & claimed[other.pk]):
                found.setdefault(runbook.pk, []).append(_rival(fired[min(shared)], runbook, other))
    return found


def _rival(alert: str, runbook: Runbook, other: Runbook) -> Rival:
    own, theirs = _compiled(runbook), _compiled(other)
    platforms, their_platforms = of_compiled(own), of_compiled(theirs)
    apart = bool(platforms and their_platforms) and not platforms & their_platforms
    return Rival(alert, other, first_difference(own, theirs), " and ".join(sorted(their_platforms)) if apart else "")


def _compiled(runbook: Runbook) -> Mapping[str, Any]:
    assert runbook.current is not None
    compiled: Mapping[str, Any] = runbook.current.compiled
    return compiled


def _sides(compiled: Mapping[str, Any]) -> Iterator[Side]:
    for position, (phase, step) in enumerate(walk.places(compiled)):
        here, part = walk.step_at(compiled, phase, step), compiled["phases"][phase]
        yield Side(
            number=position + 1,
            title=walk.plain(here["title"]),
            phase=part["heading"] or walk.PHASES.get(part["phase"], ""),
            condition=walk.plain(here.get("condition") or ""),
            commands=walk.commands_of(here),
            prose=[walk.plain(item["text"]) for item in (*walk.prose_of(here), *here.get("items", []))],
        )


def _paired(a: Sequence[Side], b: Sequence[Side]) -> list[tuple[int, int]]:
    """Pairs of indexes, rising on both sides, with the greatest likeness in all."""
    bags_a, bags_b = [_bag(side) for side in a], [_bag(side) for side in b]
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in reversed(range(len(a))):
        for j in reversed(range(len(b))):
            like = _likeness(bags_a[i], bags_b[j])
            together = like + best[i + 1][j + 1] if like >= _ALIKE else 0.0
            best[i][j] = max(together, best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return pairs


def _bag(side: Side) -> set[str]:
    said = side.title if not side.commands else f"{side.title} {' '.join(c['text'] for c in side.commands)}"
    return words(said) | {side.phase.lower()}


def _likeness(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0
