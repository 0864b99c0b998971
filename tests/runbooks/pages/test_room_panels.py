"""The runbook part of the incident room, through HTTP."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from checks.models import Target
from erpops import clock
from incidents import lifecycle
from incidents.models import Environment, Incident, TimelineEvent
from runbooks import addresses, clocks, executions
from runbooks.models import Approval, CommandRun, Execution, Match, Matching, PhaseClock, Runbook, StepRun
from tests.runbooks.pages.conftest import DISK, HTMX, at, command, compiled, phase, shelve, step

SignIn = Callable[[User], Client]


@pytest.fixture
def browser(operator: User, signed_in: SignIn) -> Client:
    return signed_in(operator)


def status(execution: Execution, position: int) -> str:
    return StepRun.objects.get(execution=execution, position=position).status


def ended(execution: Execution, position: int, how: str, command: int = 0) -> CommandRun:
    """An attempt that a worker has finished."""
    step_run = StepRun.objects.get(execution=execution, position=position)
    now = clock.now()
    attempt = 1 + step_run.runs.filter(command=command).count()
    run = CommandRun.objects.create(
        step_run=step_run, command=command, attempt=attempt, kind="shell", text="df -h", script="df -h", risk="read",
        digest="d", queue="env.production", status=how, requested_by=execution.started_by, queued_at=now,
        started_at=now, ended_at=now, exit_code=0 if how == "succeeded" else 1, host="db-1",
    )  # fmt: skip
    executions.follow_runs(step_run=step_run)
    return run


def walked_by(user: User, incident: Incident, runbook: Runbook) -> Execution:
    return executions.start(runbook=runbook, incident=incident, environment=incident.environment, by=user)


def test_matches_are_shown_with_their_reasons_and_a_start_button(
    browser: Client, incident: Incident, match: Match
) -> None:
    page = browser.get(reverse("room", args=[incident.pk])).content.decode()
    assert "Exact" in page
    assert "Alert name equals DiskFull" in page
    assert reverse("walk_start", args=[incident.pk, match.runbook.slug]) in page
    assert "never run" in page


def test_until_runbooks_were_looked_for_nothing_else_is_offered(browser: Client, incident: Incident) -> None:
    room = reverse("room", args=[incident.pk])
    young = browser.get(room).content.decode()
    assert "Looking for a runbook" in young and "General diagnostics" not in young
    Matching.objects.create(incident=incident, at=incident.opened_at)
    assert "No runbook matches" in browser.get(room).content.decode()


def test_an_engine_that_does_not_look_is_not_waited_for(browser: Client, incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(opened_at=incident.opened_at - timedelta(seconds=20))
    assert "No runbook matches" in browser.get(reverse("room", args=[incident.pk])).content.decode()


def test_without_a_match_the_room_offers_a_search(browser: Client, incident: Incident, runbook: Runbook) -> None:
    found = browser.get(
        reverse("walk_finder", args=[incident.pk]), {"q": "space DISKFULL"}, headers=HTMX
    ).content.decode()
    assert "Disk is full" in found
    none = browser.get(reverse("walk_finder", args=[incident.pk]), {"q": "kangaroo"}, headers=HTMX).content.decode()
    assert "Nothing found for “kangaroo”" in none


def test_the_finder_leads_back_to_what_is_walked(browser: Client, execution: Execution) -> None:
    page = browser.get(reverse("room", args=[execution.incident_id]), {"runbooks": "1"}).content.decode()
    assert "In this incident" in page
    assert at(execution, 0) in page


def test_starting_twice_walks_once(browser: Client, incident: Incident, runbook: Runbook) -> None:
    url = reverse("walk_start", args=[incident.pk, runbook.slug])
    first = browser.post(url)
    second = browser.post(url)
    execution = Execution.objects.get()
    assert first.url == second.url == at(execution, 0)  # type: ignore[attr-defined]


def test_htmx_starts_in_place_and_the_address_follows(browser: Client, incident: Incident, runbook: Runbook) -> None:
    answer = browser.post(reverse("walk_start", args=[incident.pk, runbook.slug]), headers=HTMX)
    assert answer.headers["HX-Push-Url"] == at(Execution.objects.get(), 0)
    assert "Step 1 of 8 — Look at the disks" in answer.content.decode()
    assert "<html" not in answer.content.decode()


def test_the_address_of_a_step_opens_the_room_at_it(browser: Client, execution: Execution) -> None:
    page = browser.get(at(execution, 3)).content.decode()
    assert "<html" in page
    assert "Step 4 of 8 — Restart the writer" in page
    assert browser.get(at(execution, 99)).status_code == 404


def test_a_read_runs_with_one_click_and_a_second_click_finds_it(browser: Client, execution: Execution) -> None:
    url = at(execution, 0, "command_run", 0)
    assert browser.post(url).url == at(execution, 0)  # type: ignore[attr-defined]
    answer = browser.post(url, headers=HTMX).content.decode()
    assert CommandRun.objects.count() == 1
    assert 'id="act-0" hx-swap-oob="true"' in answer
    assert "Stop" in answer


def test_what_reads_and_can_be_judged_can_be_waited_for(browser: Client, operator: User, incident: Incident) -> None:
    expected = {"text": "Running", "line": 2, "assertion": {"op": "contains", "value": "Running"}}
    look = step("Look", command("kubectl get pods", expected=[expected]), command("df -h"))
    execution = walked_by(operator, incident, shelve(compiled(phase("diagnosis", look)), slug="pods"))
    page = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert 'id="wait-0" name="until" value="holds"' in page
    assert 'id="wait-1"' not in page
    refused = browser.post(at(execution, 0, "command_run", 1), {"until": "holds"}, headers=HTMX)
    assert refused.status_code == 409 and "can be waited for" in refused.content.decode()
    browser.post(at(execution, 0, "command_run", 0), {"until": "holds"}, headers=HTMX)
    run = CommandRun.objects.get()
    assert run.waits and run.timeout_s > 300
    CommandRun.objects.update(status="succeeded", exit_code=0)
    shown = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert "it held at the last try" in shown


def test_a_command_without_its_target_says_which_to_register(
    browser: Client, operator: User, incident: Incident
) -> None:
    look = step("Look", command("up == 0", kind="promql"), command("GET /health", kind="request"))
    execution = walked_by(operator, incident, shelve(compiled(phase("diagnosis", look)), slug="metrics"))
    page = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert "no Prometheus target" in page and "no HTTP service target" in page
    Target.objects.create(
        name="metrics", kind="prometheus", address="http://127.0.0.1:9090", environment=execution.environment
    )
    page = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert "no Prometheus target" not in page and at(execution, 0, "command_run", 0) in page


def test_a_change_is_asked_about_first(browser: Client, execution: Execution) -> None:
    assert browser.post(at(execution, 2, "command_run", 0), headers=HTMX).status_code == 409
    strip = browser.get(at(execution, 2, "command_confirm", 0), headers=HTMX)
    assert "sync" in strip.content.decode()
    assert strip.context["shown"]
    browser.post(at(execution, 2, "command_run", 0), {"confirm": "yes", "shown": strip.context["shown"]})
    assert CommandRun.objects.get().risk == "change"


def test_a_confirmation_of_another_text_is_refused(browser: Client, execution: Execution) -> None:
    answer = browser.post(at(execution, 2, "command_run", 0), {"confirm": "yes", "shown": "0" * 32}, headers=HTMX)
    assert answer.status_code == 409
    assert "changed since you looked" in answer.content.decode()
    assert not CommandRun.objects.exists()


def test_a_disruption_needs_a_reason(browser: Client, execution: Execution) -> None:
    url = at(execution, 3, "command_run", 0)
    sheet = browser.get(at(execution, 3, "command_confirm", 0), headers=HTMX)
    assert "Restart 1 service on Production" in sheet.content.decode()
    given = {"confirm": "yes", "shown": sheet.context["shown"]}
    refused = browser.post(url, given, headers=HTMX)
    assert refused.status_code == 422
    assert "say why" in refused.content.decode()
    done = browser.post(url, given | {"reason": "it hangs"}, headers=HTMX)
    assert done.headers["HX-Trigger"] == "sheet:close"
    assert CommandRun.objects.get().risk == "disrupt"


def test_destroying_is_asked_for_with_the_name_typed(browser: Client, lead: User, execution: Execution) -> None:
    run, ask = at(execution, 4, "command_run", 0), at(execution, 4, "command_ask", 0)
    sheet = browser.get(at(execution, 4, "command_confirm", 0), headers=HTMX)
    given = {"confirm": "yes", "shown": sheet.context["shown"], "reason": "disk", "target": "/var/old"}
    assert "Type <code>/var/old</code>" in sheet.content.decode()
    assert browser.post(run, given, headers=HTMX).status_code == 422
    assert browser.post(ask, given | {"target": "production"}, headers=HTMX).status_code == 422
    assert browser.post(ask, given, headers=HTMX).headers["HX-Trigger"] == "sheet:close"
    assert Approval.objects.get().requested_by == execution.holder
    assert not CommandRun.objects.exists()


def test_a_blocked_command_takes_a_pasted_result(browser: Client, execution: Execution) -> None:
    page = browser.get(at(execution, 6), headers=HTMX).content.decode()
    assert "cannot run as it is written" in page
    assert at(execution, 6, "command_run", 0) not in page
    browser.post(at(execution, 6, "step_paste"), {"command": "0", "text": "load ``` 9.4"})
    note = TimelineEvent.objects.get(kind="note")
    assert "htop" in note.text
    assert "````\nload ``` 9.4\n````" in note.text


def test_a_command_waits_for_its_values(browser: Client, execution: Execution) -> None:
    page = browser.get(at(execution, 1), headers=HTMX).content.decode()
    assert "needs pid" in page
    assert browser.post(at(execution, 1, "command_run", 0), headers=HTMX).status_code == 409
    wrong = browser.post(at(execution, 1, "step_values"), {"value:pid": "x; rm -rf /"}, headers=HTMX)
    assert wrong.status_code == 422
    assert 'value="x; rm -rf /"' in wrong.content.decode()
    saved = browser.post(at(execution, 1, "step_values"), {"value:pid": "4711"}, headers=HTMX).content.decode()
    assert '<mark title="pid">4711</mark>' in saved
    browser.post(at(execution, 1, "command_run", 0))
    assert CommandRun.objects.get().values == {"pid": "4711"}


def test_values_are_prefilled_from_the_alert(browser: Client, execution: Execution) -> None:
    _alert(execution.incident, {"pid": "4242"})
    page = browser.get(at(execution, 1), headers=HTMX).content.decode()
    assert "From the alert" in page
    browser.post(at(execution, 1, "command_run", 0))
    assert CommandRun.objects.get().values == {"pid": "4242"}


def _alert(incident: Incident | None, labels: dict[str, str]) -> None:
    from incidents.models import Alert, Source

    now = clock.now()
    source = Source.objects.create(name="am", kind="alertmanager", token="t", token_sha256="s")
    Alert.objects.create(
        source=source, fingerprint="f", name="DiskFull", status="firing", severity="SEV2", labels=labels,
        starts_at=now, first_seen_at=now, last_seen_at=now, incident=incident,
    )  # fmt: skip


def test_all_reads_run_one_after_the_other(browser: Client, execution: Execution) -> None:
    url = at(execution, 0, "step_reads")
    answer = browser.post(url, headers=HTMX).content.decode()
    assert CommandRun.objects.count() == 1
    assert '{"after": "0", "attempts": "0:1' in answer
    assert browser.post(url, {"after": "0"}, headers=HTMX).status_code == 204
    CommandRun.objects.update(status="succeeded")
    browser.post(url, {"after": "0"}, headers=HTMX)
    assert list(CommandRun.objects.order_by("command").values_list("command", flat=True)) == [0, 1]


def test_the_first_failure_ends_all_reads(browser: Client, execution: Execution) -> None:
    ended(execution, 0, "failed")
    answer = browser.post(at(execution, 0, "step_reads"), {"after": "0"}, headers=HTMX).content.decode()
    assert "Command 1 did not succeed" in answer
    assert CommandRun.objects.count() == 1


def test_two_pages_that_run_all_reads_run_nothing_twice(browser: Client, execution: Execution) -> None:
    url = at(execution, 0, "step_reads")
    shown = browser.get(at(execution, 0), headers=HTMX).content.decode()
    both = {"attempts": re.findall(r'name="attempts" value="([^"]+)"', shown)[0]}
    browser.post(url, both, headers=HTMX)
    CommandRun.objects.update(status="succeeded")
    browser.post(url, both | {"after": "0"}, headers=HTMX)
    CommandRun.objects.filter(command=1).update(status="failed")
    # The other tab, which was loaded before any of it: it follows what the first one did.
    answer = browser.post(url, both, headers=HTMX).content.decode()
    assert '{"after": "1", "attempts": "0:1' in answer
    answer = browser.post(url, both | {"after": "1"}, headers=HTMX).content.decode()
    assert "Command 2 did not succeed" in answer
    assert list(CommandRun.objects.order_by("command").values_list("command", "attempt")) == [(0, 1), (1, 1)]
    # Who has seen that attempt fail means another one.
    browser.post(url, {"attempts": "1:2"}, headers=HTMX)
    assert list(CommandRun.objects.filter(command=1).order_by("pk").values_list("attempt", flat=True)) == [1, 2]


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


def test_an_unknown_outcome_is_settled_by_a_person(browser: Client, execution: Execution) -> None:
    run = ended(execution, 0, "outcome_unknown")
    page = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert "Nobody knows how this ended" in page
    assert at(execution, 0, "command_run", 0) not in page
    settle = addresses.of_run(execution, "run_settle", run.pk)
    assert browser.post(settle, {"verdict": "maybe"}).status_code == 400
    browser.post(settle, {"verdict": "not_done"})
    run.refresh_from_db()
    assert run.status == "failed"
    assert at(execution, 0, "command_run", 0) in browser.get(at(execution, 0), headers=HTMX).content.decode()


def test_stop_is_asked_for_once(browser: Client, execution: Execution) -> None:
    browser.post(at(execution, 0, "command_run", 0))
    run = CommandRun.objects.get()
    stop = addresses.of_run(execution, "run_stop", run.pk)
    browser.post(stop)
    browser.post(stop)
    run.refresh_from_db()
    assert run.status == "stopped"


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


def test_a_run_of_another_incident_is_not_found(browser: Client, execution: Execution, production: Environment) -> None:
    other = lifecycle.open_incident(title="Other", severity="SEV4", environment=production)
    run = ended(execution, 0, "succeeded")
    assert browser.get(reverse("walk_step", args=[other.pk, execution.pk, 0])).status_code == 404
    assert browser.get(reverse("run_output", kwargs={"number": other.pk, "run": run.pk})).status_code == 404


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
