"""The baton of a walk: one person acts, others ask for it, and nobody acts after it has gone."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connections

from erpops import access
from erpops.needs import Need, needs_of
from runbooks import baton, executions, runner
from runbooks.models import BatonRequest, Execution
from runbooks.refusals import Refused
from tests.clock import Clock
from tests.runbooks.builders import Walk, command, person, walk


@pytest.fixture
def place(clock: Clock) -> Walk:
    return walk(command("df -h"))


@pytest.fixture
def other(place: Walk) -> User:
    return person("other", access.OPERATOR)


def batons(user: User) -> list[Need]:
    """What waits for `user` because of walks that they hold."""
    return [need for need in needs_of(user) if need.verb in {"Answer", "Go on"}]


def held_by(place: Walk) -> str:
    holder = Execution.objects.select_related("holder").get(pk=place.execution.pk).holder
    return holder.username if holder else ""


def ask(place: Walk, by: User) -> BatonRequest:
    assert not baton.take_over(execution=place.execution, by=by)
    return BatonRequest.objects.get(status="waiting")


def test_taking_over_from_somebody_who_acts_asks_them(place: Walk, other: User) -> None:
    request = ask(place, other)
    assert held_by(place) == "op"
    assert [need.verb for need in batons(place.user)] == ["Answer"]
    assert "other asks for the baton" in batons(place.user)[0].title
    with pytest.raises(Refused, match="op has the baton"):
        executions.mark_done(step_run=place.step(), note="", by=other)
    assert ask(place, other) == request, "asking twice is asking once"
    assert place.events().count("execution.baton_asked") == 1


def test_the_holder_hands_it_over(place: Walk, other: User) -> None:
    baton.give(request=ask(place, other), by=place.user)
    assert held_by(place) == "other"
    assert batons(place.user) == []
    executions.mark_done(step_run=place.step(), note="", by=other)
    assert place.events()[-2:] == ["execution.taken_over", "step.done"]


def test_the_holder_keeps_it_with_a_word_that_the_other_reads(place: Walk, other: User, clock: Clock) -> None:
    request = ask(place, other)
    baton.keep(request=request, word="still restarting", by=place.user)
    assert held_by(place) == "op"
    answer = baton.standing(place.execution, other).answer
    assert answer is not None and answer.word == "still restarting"
    assert place.incident.events.get(kind="execution.baton_kept").text.endswith("still restarting")
    clock.advance(minutes=3)
    assert baton.standing(place.execution, other).answer is None, "an old word is no answer"


def test_two_minutes_without_an_act_free_the_baton(place: Walk, other: User, clock: Clock) -> None:
    ask(place, other)
    clock.advance(seconds=90)
    ask(place, other)
    clock.advance(seconds=31)
    assert baton.take_over(execution=place.execution, by=other)
    assert held_by(place) == "other"
    assert BatonRequest.objects.get().status == "given"


def test_an_act_of_the_holder_starts_the_two_minutes_anew(place: Walk, other: User, clock: Clock) -> None:
    ask(place, other)
    clock.advance(seconds=70)
    executions.set_values(execution=place.execution, values={}, by=place.user)
    clock.advance(seconds=70)
    assert not baton.take_over(execution=place.execution, by=other)


@pytest.mark.parametrize("gone", ["left", "deactivated", "no operator any more"])
def test_who_has_gone_is_not_asked(place: Walk, other: User, gone: str) -> None:
    if gone == "left":
        executions.pause(execution=place.execution, by=place.user)
    elif gone == "deactivated":
        User.objects.filter(pk=place.user.pk).update(is_active=False)
    else:
        place.user.groups.clear()
    assert baton.take_over(execution=place.execution, by=other)
    assert held_by(place) == "other"


def test_leaving_drops_a_bookmark_that_the_next_act_takes_away(place: Walk) -> None:
    assert batons(place.user) == []
    executions.pause(execution=place.execution, by=place.user)
    [bookmark] = batons(place.user)
    assert bookmark.verb == "Go on"
    assert bookmark.detail.startswith("Paused at step 1")
    assert bookmark.url.endswith("/step/0/")
    assert place.incident.events.last().text == "paused the runbook Test at step 1"  # type: ignore[union-attr]
    executions.go_to(step_run=place.step(), by=place.user)
    assert batons(place.user) == []


def test_a_walk_that_nobody_touched_for_two_minutes_is_a_bookmark_too(place: Walk, clock: Clock) -> None:
    clock.advance(minutes=3)
    [bookmark] = batons(place.user)
    assert bookmark.since is not None


def test_one_person_asks_at_a_time_and_may_withdraw(place: Walk, other: User) -> None:
    request = ask(place, other)
    third = person("third", access.OPERATOR)
    with pytest.raises(Refused, match="other has asked"):
        baton.take_over(execution=place.execution, by=third)
    with pytest.raises(Refused, match="Only the person who asked"):
        baton.withdraw(request=request, by=third)
    baton.withdraw(request=request, by=other)
    assert ask(place, third).by == third
    with pytest.raises(Refused, match="Nobody waits"):
        baton.give(request=request, by=place.user)
    assert held_by(place) == "op"


def test_only_the_holder_answers(place: Walk, other: User) -> None:
    request = ask(place, other)
    for answer in (
        lambda: baton.give(request=request, by=other),
        lambda: baton.keep(request=request, word="", by=other),
    ):
        with pytest.raises(Refused, match="op has the baton"):
            answer()


def test_who_may_not_operate_asks_for_no_baton(place: Walk) -> None:
    with pytest.raises(Refused) as refused:
        baton.take_over(execution=place.execution, by=person("ada", access.ADMIN))
    assert refused.value.code == "permission"


def test_a_walk_that_ended_has_no_baton(place: Walk, other: User) -> None:
    executions.abandon(execution=place.execution, reason="wrong one", by=place.user)
    with pytest.raises(Refused, match="ended"):
        baton.take_over(execution=place.execution, by=other)


def test_an_act_and_a_take_over_at_once_leave_one_order(place: Walk, other: User) -> None:
    """Whatever the holder does is done before the baton goes, or refused."""
    for _ in range(15):
        executions.take_over(execution=place.execution, by=place.user)
        executions.pause(execution=place.execution, by=place.user)
        start = threading.Barrier(2)
        said: list[str] = []

        def act(start: threading.Barrier = start, said: list[str] = said) -> None:
            try:
                start.wait()
                runner.request(step_run=place.step(), command=0, by=place.user)
            except Refused as error:
                said.append(error.code)
            finally:
                connections.close_all()

        thread = threading.Thread(target=act)
        thread.start()
        start.wait()
        executions.take_over(execution=place.execution, by=other)
        thread.join()
        kinds = [
            event.kind
            for event in place.incident.events.order_by("seq")
            if event.kind == "execution.taken_over" or (event.kind == "command.requested" and event.actor == place.user)
        ]
        assert kinds[-1] == "execution.taken_over", "nothing of the old holder follows"
        run = place.step().runs.first()
        if run is not None and run.status == "queued":
            runner.stop(run=run, by=other)
