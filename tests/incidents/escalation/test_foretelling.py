"""What the page foretells is what the engine does."""

from datetime import UTC, datetime, timedelta

import pytest

from incidents import escalation, lifecycle, matrix, oncall, policy
from incidents.models import Contact, Message
from incidents.oncall import Ladder, Person
from tests.clock import Clock
from tests.incidents.escalation.conftest import Team

START = datetime(2026, 3, 14, 3, 10, tzinfo=UTC)
ANNA, BERT, GONE = Person(1, "Anna", channel="email"), Person(2, "Bert", channel="email"), Person(3, "Gone", "is gone")
PEOPLE = {person.pk: person for person in (ANNA, BERT, GONE)}


def minutes(ladder: Ladder, *, acknowledged: bool = False) -> list[tuple[int, int]]:
    calls = oncall.foretell(ladder, PEOPLE, start=START, acknowledged_at_once=acknowledged)
    return [(int(call.after / timedelta(minutes=1)), call.level) for call in calls]


def test_an_unanswered_ladder_is_walked_three_times() -> None:
    ladder = Ladder(300, 1800, ((1,), (2,)))
    assert minutes(ladder) == [(0, 1), (5, 2), (10, 1), (15, 2), (20, 1), (25, 2)]


def test_a_second_clock_that_is_shorter_than_the_walk_adds_no_call() -> None:
    assert minutes(Ladder(600, 600, ((1,), (2,)))) == [(0, 1), (10, 2), (20, 1), (30, 2), (40, 1), (50, 2)]


def test_a_level_without_anyone_is_skipped_at_once() -> None:
    calls = oncall.foretell(Ladder(300, 1800, ((1,), (3,), (2,))), PEOPLE, start=START)
    assert [(call.level, call.skipped) for call in calls[:3]] == [(1, ()), (3, (2,)), (1, ())]


def test_once_acknowledged_each_further_level_is_called_once() -> None:
    assert minutes(Ladder(300, 1800, ((1,), (2,))), acknowledged=True) == [(0, 1), (30, 2)]


def test_a_single_level_is_reminded_once_when_it_is_not_over() -> None:
    assert minutes(Ladder(300, 1800, ((1,),)), acknowledged=True) == [(0, 1), (30, 1)]


@pytest.mark.parametrize("levels", [(), ((3,),)])
def test_nobody_at_all_is_nobody(levels: tuple[tuple[int, ...], ...]) -> None:
    assert minutes(Ladder(300, 1800, levels)) == []


@pytest.mark.parametrize("acknowledged", [False, True])
def test_the_engine_does_what_the_page_foretold(team: Team, clock: Clock, acknowledged: bool) -> None:
    silent = policy.save_contact(contact=None, name="Silent", role="", user=None, by=team.admin)
    team.rule([[team.first], [silent], [team.second, silent], [Contact.objects.get(pk=team.first.pk)]], escalate=12)
    (row,) = matrix.matrix(team.policy)
    unanswered, taken = matrix.foretold(row)
    foretold = taken if acknowledged else unanswered
    incident = team.open()
    if acknowledged:
        lifecycle.acknowledge(incident=incident, by=team.operator)
    passed = timedelta()
    for call in foretold[1:]:
        clock.advance(seconds=(call.after - passed).total_seconds() - 2)
        assert escalation.tick() == 0
        clock.advance(seconds=2.5)
        assert escalation.tick() == 1
        passed = call.after + timedelta(seconds=0.5)
    clock.advance(days=0.5)
    escalation.tick()
    pages = Message.objects.order_by("id").values_list("level", "contact_name")
    assert list(pages) == [(call.level, person.name) for call in foretold for person in call.people]
