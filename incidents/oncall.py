"""Who is called when: the arithmetic of ladders and clocks, without a database.

The engine (`incidents.escalation`) and the simulation on the on-call page use the same functions, so
what the page foretells is what happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

# An unanswered ladder is called this often from the top before it gives up.
CYCLES = 3


@dataclass(frozen=True)
class Person:
    """A contact as a ladder sees it. `trouble` is why there is no way to reach it ("" if there is one)."""

    pk: int
    name: str
    trouble: str = ""
    channel: str = ""


@dataclass(frozen=True)
class Ladder:
    """The rule of one severity: two clocks in seconds, and contact ids by level (level 1 first)."""

    respond_within_s: int
    escalate_after_s: int
    levels: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, snapshot: Mapping[str, Any]) -> "Ladder":
        """The ladder of an escalation's snapshot."""
        levels = tuple(tuple(entry["id"] for entry in level) for level in snapshot["levels"])
        return cls(snapshot["respond_within_s"], snapshot["escalate_after_s"], levels)


@dataclass(frozen=True)
class Stand:
    """Where a ladder stands: who was called last (level 0: nobody), and when each clock elapses."""

    cycle: int = 0
    level: int = 0
    acknowledged: bool = False
    late_calls: int = 0
    respond_due: datetime | None = None
    escalate_due: datetime | None = None

    @property
    def next_due(self) -> datetime | None:
        """When to look again; None when nothing will happen by itself."""
        return min((due for due in (self.respond_due, self.escalate_due) if due), default=None)


@dataclass(frozen=True)
class Outcome:
    """What an elapsed clock led to. `called` is false when nobody is left; `skipped` are levels without anyone."""

    stand: Stand
    called: bool
    clock: str
    skipped: tuple[int, ...] = ()


@dataclass(frozen=True)
class Call:
    """One line of a foretold sequence, `after` its beginning."""

    after: timedelta
    cycle: int
    level: int
    people: tuple[Person, ...]
    skipped: tuple[int, ...] = ()


def reachable(ladder: Ladder, level: int, people: Mapping[int, Person]) -> tuple[Person, ...]:
    """The people of a level who can be reached."""
    return tuple(people[pk] for pk in ladder.levels[level - 1] if pk in people and not people[pk].trouble)


def begin(ladder: Ladder, now: datetime, people: Mapping[int, Person]) -> Outcome:
    """The first call of an incident."""
    start = Stand(escalate_due=now + timedelta(seconds=ladder.escalate_after_s))
    return _unanswered(ladder, start, now, people, clock="opened", cycles=CYCLES)


def elapse(ladder: Ladder, stand: Stand, now: datetime, people: Mapping[int, Person]) -> Outcome:
    """What happens at `now`, when at least one clock has elapsed. Each clock acts once, however late it is."""
    if stand.acknowledged:
        return _unresolved(ladder, stand, now, people)
    return _unanswered(ladder, stand, now, people, clock=_elapsed(stand, now), cycles=CYCLES)


def call_on(ladder: Ladder, stand: Stand, now: datetime, people: Mapping[int, Person]) -> Outcome:
    """The next call, because a person asked for it: begins again from the top as often as asked."""
    outcome = _unanswered(ladder, stand, now, people, clock="asked", cycles=stand.cycle + 2)
    if not (stand.acknowledged and outcome.called):
        return outcome
    return replace(outcome, stand=replace(outcome.stand, respond_due=None))


def _elapsed(stand: Stand, now: datetime) -> str:
    return "respond" if stand.respond_due and stand.respond_due <= now else "escalate"


def _unanswered(
    ladder: Ladder, stand: Stand, now: datetime, people: Mapping[int, Person], *, clock: str, cycles: int
) -> Outcome:
    cycle, level = stand.cycle, stand.level
    skipped: list[int] = []
    for _ in ladder.levels:
        if level < len(ladder.levels):
            level += 1
        elif cycle + 1 < cycles:
            cycle, level = cycle + 1, 1
        else:
            break
        if reachable(ladder, level, people):
            late = stand.escalate_due is None or stand.escalate_due <= now or clock == "asked"
            escalate_due = now + timedelta(seconds=ladder.escalate_after_s) if late else stand.escalate_due
            respond_due = now + timedelta(seconds=ladder.respond_within_s)
            called = replace(stand, cycle=cycle, level=level, respond_due=respond_due, escalate_due=escalate_due)
            return Outcome(called, True, clock, tuple(skipped))
        skipped.append(level)
    return Outcome(replace(stand, respond_due=None, escalate_due=None), False, clock, tuple(skipped))


def _unresolved(ladder: Ladder, stand: Stand, now: datetime, people: Mapping[int, Person]) -> Outcome:
    """The second clock of an acknowledged incident: the next levels, once each.

    When the first clock had already called the last level, that level is called once more: whoever saw
    that someone took it would otherwise never learn that it is not over.
    """
    due = now + timedelta(seconds=ladder.escalate_after_s)
    skipped: list[int] = []
    late_calls = stand.late_calls + 1
    for level in range(stand.level + 1, len(ladder.levels) + 1):
        if reachable(ladder, level, people):
            called = replace(stand, level=level, late_calls=late_calls, escalate_due=due)
            return Outcome(called, True, "escalate", tuple(skipped))
        skipped.append(level)
    last = next((n for n in range(len(ladder.levels), 0, -1) if reachable(ladder, n, people)), None)
    if stand.late_calls == 0 and last is not None:
        again = replace(stand, cycle=stand.cycle + 1, level=last, late_calls=late_calls, escalate_due=due)
        return Outcome(again, True, "escalate", tuple(skipped))
    return Outcome(replace(stand, escalate_due=None), False, "escalate", tuple(skipped))


def foretell(
    ladder: Ladder, people: Mapping[int, Person], *, start: datetime, acknowledged_at_once: bool = False
) -> list[Call]:
    """Everybody who will be called, in order, if nobody answers (or if someone does, and no more happens)."""
    outcome = begin(ladder, start, people)
    calls = []
    now = start
    while outcome.called:
        stand = outcome.stand
        calls.append(
            Call(now - start, stand.cycle, stand.level, reachable(ladder, stand.level, people), outcome.skipped)
        )
        if acknowledged_at_once:
            stand = replace(stand, acknowledged=True, respond_due=None)
        due = stand.next_due
        if due is None:
            break
        now = due
        outcome = elapse(ladder, stand, now, people)
    return calls


def upcoming(
    ladder: Ladder, stand: Stand, people: Mapping[int, Person]
) -> tuple[datetime, int, tuple[Person, ...]] | None:
    """When the next call falls due, its level and its people; None when nobody will be called."""
    due = stand.next_due
    if due is None:
        return None
    outcome = elapse(ladder, stand, due, people)
    if not outcome.called:
        return None
    return due, outcome.stand.level, reachable(ladder, outcome.stand.level, people)


def gaps(ladder: Ladder, people: Mapping[int, Person]) -> list[int]:
    """The levels at which nobody can be reached."""
    return [n for n in range(1, len(ladder.levels) + 1) if not reachable(ladder, n, people)]
