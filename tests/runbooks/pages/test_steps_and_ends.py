"""How steps and walks end, through HTTP."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from incidents.models import TimelineEvent
from runbooks.models import Execution, StepRun
from tests.runbooks.pages.conftest import HTMX, at, status


def test_done_moves_on_and_the_note_stays(browser: Client, execution: Execution) -> None:
    answer = browser.post(at(execution, 5, "step_done"), {"note": "data team says yes"}, headers=HTMX)
    assert status(execution, 5) == "passed"
    assert answer.headers["HX-Push-Url"] == at(execution, 6)
    assert "Step 7 of 8" in answer.content.decode()
    assert "data team says yes" in browser.get(at(execution, 5), headers=HTMX).content.decode()


def see(browser: Client, execution: Execution, item: str, text: str = "200 OK", holds: str = "1") -> Any:
    given = {"about": f"item:{item}", "observed": text, "holds": holds}
    return browser.post(at(execution, 7, "step_observe"), given, headers=HTMX)


def test_a_verification_is_done_when_every_item_was_seen_to_hold(browser: Client, execution: Execution) -> None:
    see(browser, execution, "0", "61 %")
    refused = browser.post(at(execution, 7, "step_done"), headers=HTMX)
    assert refused.status_code == 409
    assert "One item is not verified yet" in refused.content.decode()
    see(browser, execution, "1", "wrote a file")
    page = browser.get(at(execution, 7), headers=HTMX).content.decode()
    assert "wrote a file" in page
    browser.post(at(execution, 7, "step_done"), headers=HTMX)
    assert status(execution, 7) == "passed"


def test_what_was_seen_is_kept_and_told_once_and_a_bare_tick_is_refused(browser: Client, execution: Execution) -> None:
    for _ in range(2):
        see(browser, execution, "1", "disk is read-only", "0")
    step_run = StepRun.objects.get(execution=execution, position=7)
    assert (step_run.status, step_run.ticked, step_run.observed["item:1"]["text"]) == (
        "failed",
        [],
        "disk is read-only",
    )
    said = TimelineEvent.objects.filter(kind="step.observed").values_list("text", flat=True)
    assert list(said) == ["saw “disk is read-only” where “Writes work” is expected, which does not hold"]
    bare = browser.post(at(execution, 7, "step_tick"), {"item": "1", "ticked": "1"}, headers=HTMX)
    assert "Say what you saw" in bare.content.decode()
    assert "Say what you saw" in see(browser, execution, "1", " ").content.decode()


@pytest.mark.parametrize("item", ["2", "-1", "x", "", "9" * 40])
def test_an_item_that_is_not_there_is_refused(browser: Client, execution: Execution, item: str) -> None:
    assert see(browser, execution, item).status_code == 409
    ticked = {"item": item, "ticked": "1"}
    assert browser.post(at(execution, 7, "step_tick"), ticked, headers=HTMX).status_code == 409


def test_skipping_needs_a_reason_of_the_list(browser: Client, execution: Execution) -> None:
    url = at(execution, 3, "step_skip")
    assert browser.post(url, {}, headers=HTMX).status_code == 422
    assert browser.post(url, {"reason": "other"}, headers=HTMX).status_code == 422
    assert browser.post(url, {"reason": "mood"}, headers=HTMX).status_code == 422
    browser.post(url, {"reason": "too risky now", "words": "payday"})
    skipped = StepRun.objects.get(execution=execution, position=3)
    assert (skipped.status, skipped.reason) == ("skipped", "too risky now: payday")


def test_a_branch_that_does_not_apply_says_so_in_the_rail(browser: Client, execution: Execution) -> None:
    assert "Does this apply?" in browser.get(at(execution, 2), headers=HTMX).content.decode()
    browser.post(at(execution, 2, "step_decide"), {"choice": "none"})
    page = browser.get(at(execution, 2), headers=HTMX).content.decode()
    assert 'data-state="not_taken"' in page
    assert "This branch was not taken" in page


def test_completing_lists_what_did_not_pass(browser: Client, execution: Execution) -> None:
    browser.post(at(execution, 3, "step_skip"), {"reason": "no access"})
    url = reverse("walk_complete", args=[execution.incident_id, execution.pk])
    listed = browser.get(url, headers=HTMX).content.decode()
    assert "(no access)" in listed
    assert "3 If logs fill it" in listed
    refused = browser.post(url, {"position": "3"}, headers=HTMX)
    assert "Say what becomes of" in refused.content.decode()
    browser.post(url, {"position": "3", "note": "the rest tomorrow"})
    page = browser.get(at(execution, 3), headers=HTMX).content.decode()
    assert "Completed" in page
    assert "4 Restart the writer" in page
    assert "(no access)" in page
    assert at(execution, 0, "command_run", 0) not in browser.get(at(execution, 0), headers=HTMX).content.decode()


def test_giving_up_needs_a_reason(browser: Client, execution: Execution) -> None:
    url = reverse("walk_abandon", args=[execution.incident_id, execution.pk])
    assert browser.post(url, {"reason": ""}, headers=HTMX).status_code == 422
    assert "HX-Redirect" in browser.post(url, {"reason": "wrong one"}, headers=HTMX).headers
    execution.refresh_from_db()
    assert execution.status == "abandoned"
