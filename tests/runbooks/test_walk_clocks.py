"""Waits and the budgets of phases: they run by the database's clock, are told once, and block nothing."""

import pytest

from erpops.clock import now as clock_now
from incidents import escalation, lifecycle
from incidents.models import Escalation
from runbooks import clocks, durations, executions, waits
from runbooks.models import PhaseClock, Wait
from runbooks.refusals import Refused
from tests.clock import Clock
from tests.incidents.escalation.conftest import Team, team
from tests.runbooks.builders import Walk, command, compiled, phase, publish, step, walk_of

__all__ = ["team"]

WATCH = [{"line": 1, "kind": "wait", "text": "Monitor for 10 minutes"}]


@pytest.mark.parametrize(
    ("text", "seconds", "watch"),
    [
        ("Wait 30 seconds then verify", 30, False),
        ("Wait for 5 minutes", 300, False),
        ("Monitor for 1 Hour", 3600, True),
        ("Monitor canary for 10 minutes", 600, True),
        ("Watch the dashboards for 15 min", 900, True),
    ],
)
def test_the_text_tells_how_long_to_wait(text: str, seconds: int, watch: bool) -> None:
    [found] = durations.waits_of(step(text))
    assert (found.seconds, found.watch) == (seconds, watch)


@pytest.mark.parametrize("text", ["Lock wait time > 10 seconds", "kubectl wait --timeout=300s", "Monitor for spikes"])
def test_what_only_mentions_waiting_is_none(text: str) -> None:
    assert durations.waits_of(step(text)) == []


@pytest.fixture
def place(transactional_db: None) -> Walk:
    first = {**phase("immediate", step("Look", command("true")), step("Act")), "time_box_s": 300}
    return walk_of(compiled("Clocks", first, phase("resolution", step("Watch", command("true", notes=WATCH)))))


def kinds(place: Walk, *of: str) -> list[str]:
    return [kind for kind in place.events() if kind in of]


def test_a_wait_is_over_when_its_time_has_come_and_is_told_once(place: Walk, clock: Clock) -> None:
    for _ in range(2):
        waits.begin(step_run=place.step(2), wait=0, by=place.user)
    assert Wait.objects.count() == 1
    assert clocks.tick() == 0
    with pytest.raises(Refused, match="is not over"):
        executions.mark_done(step_run=place.step(2), note="", by=place.user)
    clock.advance(minutes=10, seconds=1)
    assert [clocks.tick(), clocks.tick()] == [2, 0]  # the wait, and the first phase
    assert kinds(place, "wait.over") == ["wait.over"]
    executions.mark_done(step_run=place.step(2), note="quiet", by=place.user)


def test_a_wait_ends_early_with_a_reason(place: Walk) -> None:
    waits.begin(step_run=place.step(2), wait=0, by=place.user)
    with pytest.raises(Refused, match="Say why"):
        waits.end(step_run=place.step(2), wait=0, reason=" ", by=place.user)
    waits.end(step_run=place.step(2), wait=0, reason="all green", by=place.user)
    ended = Wait.objects.get()
    assert (ended.reason, ended.ended_by) == ("all green", place.user)
    executions.mark_done(step_run=place.step(2), note="", by=place.user)
    with pytest.raises(Refused, match="not ask for such"):
        waits.begin(step_run=place.step(0), wait=0, by=place.user)


def on_the_ladder(team: Team) -> Walk:
    """A walk whose first phase may take five minutes, for an incident that somebody has acknowledged."""
    incident = team.open()
    lifecycle.acknowledge(incident=incident, by=team.operator)
    first = {**phase("immediate", step("Look"), step("Act")), "time_box_s": 300}
    [runbook] = publish(compiled("Budgets", first, phase("resolution", step("Repair"))))
    execution = executions.start(runbook=runbook, incident=incident, environment=team.environment, by=team.operator)
    return Walk(execution, team.operator, incident)


def left_s(place: Walk) -> float:
    """Seconds until the second escalation clock falls due."""
    row = Escalation.objects.get(incident=place.incident)
    assert row.escalate_due_at is not None
    return (row.escalate_due_at - clock_now()).total_seconds()


def test_a_phase_over_its_budget_is_told_once_and_brings_the_second_clock_forward(team: Team, clock: Clock) -> None:
    place = on_the_ladder(team)
    clock.advance(minutes=4)
    assert clocks.tick() == 0
    assert left_s(place) > 20 * 60
    clock.advance(minutes=1, seconds=1)
    assert [clocks.tick(), clocks.tick()] == [1, 0]
    [said] = place.incident.events.filter(kind="phase.over").values_list("text", flat=True)
    assert said == "Immediate of Budgets takes longer than its 5 min"
    assert 4 * 60 < left_s(place) <= 5 * 60
    assert place.statuses() == ["current", "pending", "pending"]
    executions.mark_done(step_run=place.step(0), note="late", by=place.user)
    assert left_s(place) > 25 * 60


def test_without_progress_the_next_level_is_called_for_a_phase_over_its_budget(team: Team, clock: Clock) -> None:
    place = on_the_ladder(team)
    clock.advance(minutes=5, seconds=1)
    clocks.tick()
    clock.advance(minutes=5, seconds=1)
    escalation.tick()
    called = place.incident.events.filter(kind="escalation.called").values_list("text", flat=True)
    assert "level 2" in called[len(called) - 1]


def test_a_phase_that_was_dealt_with_in_time_is_never_over(team: Team, clock: Clock) -> None:
    place = on_the_ladder(team)
    for position in (0, 1):
        executions.mark_done(step_run=place.step(position), note="", by=place.user)
    clock.advance(hours=1)
    assert clocks.tick() == 0
    assert PhaseClock.objects.get().ended_at is not None
    executions.resume(step_run=place.step(1), by=place.user)
    assert PhaseClock.objects.get().ended_at is None
    assert clocks.tick() == 0


def test_the_clocks_of_a_walk_that_ended_stand_still(team: Team, clock: Clock) -> None:
    place = on_the_ladder(team)
    executions.abandon(execution=place.execution, reason="wrong one", by=place.user)
    clock.advance(hours=1)
    assert clocks.tick() == 0
