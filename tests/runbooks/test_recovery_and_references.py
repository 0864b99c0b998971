"""Verification before the end, runbooks that refer to runbooks, results from before, what the end leaves."""

from typing import Any

import pytest
from django.test import Client

from incidents import lifecycle
from incidents.models import Incident
from runbooks import addresses, answers, executions, observing, runner, walk
from runbooks.models import Execution
from runbooks.page_queries import steps
from runbooks.refusals import Refused
from tests.runbooks.builders import Walk, command, compiled, person, phase, publish, step, walk_of
from tests.runbooks.running import run_now

pytestmark = pytest.mark.django_db

CHECKED = compiled(
    "Checked",
    phase("diagnosis", step("Look", command("true"))),
    phase("verification", items=["Health check returns 200"]),
)


def verify(place: Walk, text: str = "200", *, holds: bool = True) -> None:
    observing.observe(step_run=place.step(1), about="item:0", text=text, holds=holds, by=place.user)


def status(place: Walk) -> str:
    return Incident.objects.get(pk=place.incident.pk).status


def test_an_incident_whose_verification_passed_is_resolved_without_a_word() -> None:
    place = walk_of(CHECKED)
    verify(place)
    executions.mark_done(step_run=place.step(1), note="", by=place.user)
    lifecycle.resolve(incident=place.incident, resolution="fixed", by=place.user)
    assert status(place) == "resolved"


@pytest.mark.parametrize("how", ["open", "skipped", "failed", "completed"])
def test_resolving_without_verification_is_refused_and_takes_a_reason(how: str) -> None:
    place = walk_of(CHECKED)
    if how == "skipped":
        executions.skip(step_run=place.step(1), reason="no access", by=place.user)
    if how == "failed":
        verify(place, "503", holds=False)
    if how == "completed":
        executions.complete(execution=place.execution, by=place.user)
    with pytest.raises(lifecycle.Unverified, match="step 2 of Checked, Verification"):
        lifecycle.resolve(incident=place.incident, resolution="fixed", by=place.user)
    assert status(place) != "resolved"
    lifecycle.resolve(incident=place.incident, resolution="fixed", by=place.user, unverified="customers confirm it")
    event = place.incident.events.get(kind="incident.resolved")
    assert "not verified: step 2 of Checked, Verification; customers confirm it" in event.text
    assert event.data["why"] == "customers confirm it"


def test_a_runbook_that_was_given_up_asks_for_no_verification() -> None:
    place = walk_of(CHECKED)
    executions.abandon(execution=place.execution, reason="wrong one", by=place.user)
    lifecycle.resolve(incident=place.incident, resolution="fixed", by=place.user)
    assert status(place) == "resolved"


@pytest.mark.django_db(transaction=True)
def test_what_passed_before_an_earlier_step_ran_again_is_from_before() -> None:
    place = walk_of(CHECKED)
    run_now(place)
    verify(place)
    executions.mark_done(step_run=place.step(1), note="", by=place.user)
    assert walk.from_before(steps(place.execution)) == {}
    run_now(place)
    assert walk.from_before(steps(place.execution)) == {1: 0}
    with pytest.raises(lifecycle.Unverified):
        lifecycle.resolve(incident=place.incident, resolution="fixed", by=place.user)
    executions.resume(step_run=place.step(1), by=place.user)
    executions.mark_done(step_run=place.step(1), note="200 again", by=place.user)
    assert walk.from_before(steps(place.execution)) == {}


def test_a_verification_whose_commands_succeed_still_asks_for_what_its_list_expects() -> None:
    listed = phase("verification", items=["Answers"])
    listed["items"][0]["commands"] = [command("true")]
    place = walk_of(compiled("Listed", listed))
    assert not observing.complete(place.step(0))
    with pytest.raises(Refused, match="not verified yet"):
        executions.mark_done(step_run=place.step(0), note="fine", by=place.user)


def test_a_verification_by_hand_is_answered_with_what_was_seen() -> None:
    place = walk_of(compiled("By hand", phase("verification", step("Look at the dashboard"))))
    with pytest.raises(Refused, match="Say what you saw"):
        executions.mark_done(step_run=place.step(0), note=" ", by=place.user)
    executions.mark_done(step_run=place.step(0), note="errors at 0.1 %", by=place.user)


def test_what_does_not_hold_fails_the_verification_until_it_holds() -> None:
    place = walk_of(CHECKED)
    verify(place, "503", holds=False)
    assert place.statuses()[1] == "failed"
    verify(place, "200")
    assert place.statuses()[1] == "current"
    executions.mark_done(step_run=place.step(1), note="", by=place.user)
    assert place.step(1).observed["item:0"]["text"] == "200"


@pytest.mark.django_db(transaction=True)
def test_a_verification_passes_by_what_its_commands_print_not_by_their_exit_status() -> None:
    expected = [{"text": "PONG", "line": 2, "assertion": {"op": "contains", "value": "PONG"}}]
    asked = phase("verification", step("Ping", command("echo $ANSWER", expected=expected)))
    place = walk_of(compiled("Ping", asked))
    run_now(place)
    assert place.statuses() == ["failed"]
    assert place.step().observed["command:0:0"]["holds"] is False
    with pytest.raises(Refused, match="“PONG” does not hold"):
        executions.mark_done(step_run=place.step(), note="fine", by=place.user)
    place.execution.environment.variables = {"ANSWER": "PONG"}
    place.execution.environment.save(update_fields=["variables"])
    run_now(place)
    assert place.statuses() == ["passed"]


def test_a_person_may_say_that_it_holds_all_the_same() -> None:
    expected = [{"text": "PONG", "line": 2, "assertion": {"op": "contains", "value": "PONG"}}]
    place = walk_of(compiled("Ping", phase("verification", step("Ping", command("true", expected=expected)))))
    executions.mark_done(step_run=place.step(), note="PONG by hand", by=place.user)
    assert place.statuses() == ["passed"]


def child_of(place: Walk, position: int = 0, name: str = "Restore") -> Execution:
    [runbook] = publish(compiled(name, phase("resolution", step("Restore it"), step("Check it"))), path=f"{name}.md")
    return executions.start(
        runbook=runbook,
        incident=place.incident,
        environment=place.execution.environment,
        by=place.user,
        parent=place.step(position),
    )


def test_a_runbook_started_from_a_step_takes_the_values_along_and_comes_back_with_its_outcome() -> None:
    asked = [{"name": "pod"}]
    place = walk_of(compiled("Corrupt", phase("resolution", step("Restore", command("x <pod>", parameters=asked)))))
    executions.set_values(execution=place.execution, values={"pod": "db-0"}, by=place.user)
    child = child_of(place)
    assert child_of(place) == child
    assert (child.parent, child.values) == (place.step(0), {"pod": "db-0"})
    assert answers.words(child.origins["pod"]) == "from Corrupt"
    with pytest.raises(Refused, match="Restore, which was started from here, is still in progress"):
        executions.complete(execution=place.execution, by=place.user)
    executions.skip(step_run=child.steps.get(position=1), reason="no access", by=place.user)
    executions.mark_done(step_run=child.steps.get(position=0), note="", by=place.user)
    executions.complete(execution=child, by=place.user)
    [said] = place.incident.events.filter(kind="execution.returned").values_list("text", flat=True)
    assert said == "came back to step 1 from Restore, completed (skipped: 2)"
    executions.complete(execution=place.execution, by=place.user)


def test_a_runbook_is_not_started_from_itself_nor_by_who_has_no_baton() -> None:
    place = walk_of(compiled("Corrupt", phase("resolution", step("Restore"))))
    child = child_of(place)
    with pytest.raises(Refused, match="came from Corrupt itself"):
        executions.start(
            runbook=place.execution.version.runbook,
            incident=place.incident,
            environment=place.execution.environment,
            by=place.user,
            parent=child.steps.get(position=0),
        )
    with pytest.raises(Refused, match="has the baton"):
        executions.start(
            runbook=child.version.runbook,
            incident=place.incident,
            environment=place.execution.environment,
            by=person("other", "operator"),
            parent=place.step(0),
        )


def test_a_step_is_taken_up_again_and_its_past_stays_told() -> None:
    place = walk_of(CHECKED)
    executions.skip(step_run=place.step(0), reason="no access", by=place.user)
    executions.resume(step_run=place.step(0), by=place.user)
    assert place.statuses() == ["current", "current"]
    assert place.events()[-2:] == ["step.skipped", "step.resumed"]


def test_the_end_keeps_what_becomes_of_the_rest() -> None:
    place = walk_of(CHECKED)
    executions.complete(execution=place.execution, by=place.user, note="verified by the night shift")
    event = place.incident.events.get(kind="execution.completed")
    assert event.text.endswith("(not done: 1, 2): verified by the night shift")
    assert event.data["note"] == "verified by the night shift"


def _look(*commands: Any) -> Walk:
    return walk_of(compiled("Look", phase("diagnosis", step("Look", *commands))))


def test_after_the_incident_is_resolved_steps_are_dealt_with_but_no_command_runs() -> None:
    place = _look(command("echo one"))
    lifecycle.resolve(incident=place.incident, resolution="fixed", by=place.user)
    with pytest.raises(Refused, match=r"is resolved\. Reopen it to run commands"):
        runner.request(step_run=place.step(), command=0, by=place.user)
    executions.mark_done(step_run=place.step(), note="by hand", by=place.user)
    lifecycle.reopen(incident=place.incident, reason="It is back.", by=place.user)
    assert runner.request(step_run=place.step(), command=0, by=place.user).status == "queued"


def test_a_resolved_incident_is_noticed_by_who_waited_for_the_lock() -> None:
    place = _look(command("echo one"))
    step = place.step()
    assert step.execution.incident is not None
    lifecycle.resolve(incident=place.incident, resolution="fixed", by=place.user)
    # The instance still says what it was when it was read.
    with pytest.raises(Refused, match="is resolved"):
        runner.request(step_run=step, command=0, by=place.user)


def test_the_page_of_a_resolved_incident_says_why_nothing_runs(client: Client) -> None:
    place = _look(command("echo one"), command("echo two"))
    lifecycle.resolve(incident=place.incident, resolution="fixed", by=place.user)
    client.force_login(place.user)
    page = client.get(addresses.of_walk(place.execution, "walk_step", position=0)).content.decode()
    assert page.count(f"{place.incident.reference} is resolved. Reopen it to run commands.") >= 2
    assert "run-reads" not in page
    assert "command/0/run" not in page
