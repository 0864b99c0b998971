"""A walk that several look at: who holds it, and what each page learns of the others."""

from collections.abc import Callable

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from erpops import clock
from runbooks import addresses, clocks, executions
from runbooks.models import CommandRun, Execution, PhaseClock
from tests.runbooks.pages.conftest import DISK, HTMX, at, ended, shelve, status

SignIn = Callable[[User], Client]


def test_only_the_holder_acts_until_someone_takes_over(execution: Execution, lead: User, signed_in: SignIn) -> None:
    other = signed_in(lead)
    page = other.get(at(execution, 0), headers=HTMX).content.decode()
    assert "olga works this runbook" in page
    assert at(execution, 0, "command_run", 0) not in page
    assert other.post(at(execution, 0, "command_run", 0), headers=HTMX).status_code == 409
    assert not CommandRun.objects.exists()
    executions.pause(execution=execution, by=execution.started_by)
    other.post(reverse("walk_take", args=[execution.incident_id, execution.pk]), {"position": "0"}, headers=HTMX)
    assert at(execution, 0, "command_run", 0) in other.get(at(execution, 0), headers=HTMX).content.decode()


def test_the_pulse_is_silent_until_something_changes(browser: Client, execution: Execution) -> None:
    url = at(execution, 0, "walk_pulse")
    opened = browser.get(at(execution, 0), headers=HTMX).context["walk"]
    asked = {"token": opened.token, "holder": execution.holder_id}
    assert browser.get(url, asked, headers=HTMX).status_code == 204
    run = ended(execution, 0, "succeeded")
    fresh = browser.get(url, asked, headers=HTMX).content.decode()
    assert 'id="out-0" hx-swap-oob="true"' in fresh
    known = browser.get(url, asked | {"have": str(run.pk)}, headers=HTMX).content.decode()
    assert 'id="out-0"' not in known
    assert f'id="run-{run.pk}-state"' in known


def test_a_change_elsewhere_leaves_what_is_typed_alone(browser: Client, execution: Execution) -> None:
    opened = browser.get(at(execution, 0), headers=HTMX).context["walk"]
    shown = {"token": opened.token, "holder": execution.holder_id}
    browser.post(at(execution, 5, "step_skip"), {"reason": "no access"})
    answer = browser.get(at(execution, 0, "walk_pulse"), shown, headers=HTMX).content.decode()
    assert 'id="walk-rail"' in answer
    assert 'id="act-0"' not in answer


def test_a_lost_baton_redraws_the_step(browser: Client, execution: Execution, lead: User) -> None:
    executions.take_over(execution=execution, by=lead)
    answer = browser.get(at(execution, 0, "walk_pulse"), {"token": "old", "holder": "1"}, headers=HTMX)
    assert answer.headers["HX-Retarget"] == "#walk"


def test_a_newer_version_is_announced(browser: Client, execution: Execution) -> None:
    shelve(DISK)
    page = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert "You are on version 1; version 2 is published by now" in page


def test_a_phase_over_its_budget_says_so_in_the_rail(browser: Client, execution: Execution) -> None:
    shown = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert "5 min, over" not in shown
    PhaseClock.objects.filter(execution=execution).update(due_at=clock.now() - clock.seconds(1))
    assert clocks.tick() == 1
    assert "5 min, over" in browser.get(at(execution, 0), headers=HTMX).content.decode()


def test_looking_at_a_step_marks_it_as_viewed_by_its_holder(browser: Client, execution: Execution) -> None:
    assert "step_viewed" not in browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert at(execution, 4, "step_viewed") in browser.get(at(execution, 4), headers=HTMX).content.decode()
    browser.post(at(execution, 4, "step_viewed"), headers=HTMX)
    assert status(execution, 4) == "current"


def test_the_panel_costs_the_same_whatever_the_length(
    browser: Client, execution: Execution, django_assert_max_num_queries: Callable[..., object]
) -> None:
    browser.get(at(execution, 0), headers=HTMX)
    ended(execution, 0, "failed")
    with django_assert_max_num_queries(20):  # type: ignore[attr-defined]
        browser.get(at(execution, 0), headers=HTMX)


def test_asking_for_the_baton_shows_on_both_screens(
    browser: Client, execution: Execution, lead: User, signed_in: Callable[[User], Client]
) -> None:
    other = signed_in(lead)
    mine = browser.get(at(execution, 0), headers=HTMX).context["walk"]
    answer = other.post(addresses.of_walk(execution, "walk_take"), {"position": "0"}, headers=HTMX)
    assert "You asked olga for the baton" in answer.content.decode()
    shown = {"token": mine.token, "holder": execution.holder_id}
    pulse = browser.get(at(execution, 0, "walk_pulse"), shown, headers=HTMX).content.decode()
    assert "lena asks for the baton" in pulse
    assert 'id="act-0"' not in pulse, "what else is on the page stays"
    request = execution.baton_requests.get()
    url = addresses.of_walk(execution, "walk_baton", asked=request.pk)
    kept = browser.post(url, {"position": "0", "answer": "keep", "word": "nearly done", "token": mine.token})
    assert kept.status_code == 302, "a plain form works too"
    assert "nearly done" in other.get(at(execution, 0), headers=HTMX).content.decode()
    other.post(addresses.of_walk(execution, "walk_take"), {"position": "0"})
    again = execution.baton_requests.get(status="waiting")
    url = addresses.of_walk(execution, "walk_baton", asked=again.pk)
    assert other.post(url, {"position": "0", "answer": "give"}, headers=HTMX).status_code == 409
    assert browser.post(url, {"position": "0", "answer": "give"}, headers=HTMX).status_code == 200
    execution.refresh_from_db()
    assert execution.holder == lead


def test_a_pause_is_a_bookmark_in_the_room(browser: Client, execution: Execution, lead: User) -> None:
    browser.post(addresses.of_walk(execution, "walk_pause"), {"position": "0"})
    assert "Paused at" in browser.get(at(execution, 0), headers=HTMX).content.decode()
    browser.post(at(execution, 0, "step_viewed"))
    assert "Paused at" not in browser.get(at(execution, 0), headers=HTMX).content.decode()
