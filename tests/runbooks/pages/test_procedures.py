"""Procedures: walked without an incident, with a journal of their own."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from erpops import access, clock
from erpops.models import AuditEntry
from incidents.models import Environment
from runbooks import addresses, executions, procedures
from runbooks.models import Execution, Runbook
from tests.runbooks.pages.conftest import HTMX, at, command, compiled, phase, shelve, step

SignIn = Callable[[User], Client]
START_UP = compiled(
    phase("procedure", step("Look at the disks", command("df -h")), step("Call the night shift")),
    phase("verification", items=[{"line": 9, "text": "Everybody knows", "checkbox": True}]),
    title="Daily start-up",
    alerts=(),
) | {
    "kind": "scheduled",
    "severity": [],
    "schedule": {"text": "06:00 daily", "cron": None, "owner": None, "duration_s": None},
}


@pytest.fixture
def routine(db: None) -> Runbook:
    return shelve(START_UP, slug="daily-start-up")


@pytest.fixture
def place(production: Environment) -> Environment:
    return production


@pytest.fixture
def walk(routine: Runbook, place: Environment, operator: User) -> Execution:
    return executions.start(runbook=routine, incident=None, environment=place, by=operator)


def test_a_routine_is_offered_with_its_schedule_and_an_answer_to_an_alert_is_not(
    browser: Client, routine: Runbook, runbook: Runbook, place: Environment
) -> None:
    page = browser.get(reverse("procedures")).content.decode()
    assert "Daily start-up" in page
    assert "06:00 daily" in page
    assert "never done" in page
    assert runbook.title not in page


def test_starting_twice_opens_the_same_walk(browser: Client, routine: Runbook, place: Environment) -> None:
    url = reverse("procedure_start", args=[routine.slug])
    first = browser.post(url, {"environment": place.pk}).url  # type: ignore[attr-defined]
    assert browser.post(url, {"environment": place.pk}).url == first  # type: ignore[attr-defined]
    assert Execution.objects.get().incident is None
    assert "Daily start-up" in browser.get(first).content.decode()


def test_the_database_itself_refuses_a_second_active_walk(walk: Execution, operator: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Execution.objects.create(
            version=walk.version, environment=walk.environment, started_at=clock.now(), started_by=operator
        )


def test_without_an_environment_nothing_starts(browser: Client, routine: Runbook) -> None:
    answer = browser.post(reverse("procedure_start", args=[routine.slug]), {"environment": "x"}, follow=True)
    assert "Choose the environment" in answer.content.decode()
    assert not Execution.objects.exists()


def test_it_is_walked_to_its_end_and_every_act_stands_in_the_journal(browser: Client, walk: Execution) -> None:
    browser.post(at(walk, 0, "step_skip"), {"reason": "other", "words": "no disks here"}, headers=HTMX)
    browser.post(at(walk, 1, "step_done"), {"note": "they know"}, headers=HTMX)
    seen = {"about": "item:0", "observed": "three answers", "holds": "1"}
    browser.post(at(walk, 2, "step_observe"), seen, headers=HTMX)
    browser.post(at(walk, 2, "step_done"), headers=HTMX)
    browser.post(addresses.of_walk(walk, "walk_complete"), {"position": "2"}, headers=HTMX)
    walk.refresh_from_db()
    assert walk.status == "completed"
    said = [row.text for row in procedures.journal(walk)]
    assert said[0].startswith("completed the runbook Daily start-up (skipped: 1)")
    assert "did step 2, Call the night shift: they know" in said
    assert said[-1] == "started the runbook Daily start-up"
    assert [entry.seq for entry in walk.journal.all()] == list(range(1, walk.event_seq + 1))
    assert AuditEntry.objects.filter(target=f"execution:{walk.pk}").count() == walk.event_seq
    assert "Completed" in browser.get(reverse("procedures")).content.decode()


def test_a_note_is_kept_and_an_empty_one_is_refused_with_a_sentence(browser: Client, walk: Execution) -> None:
    url = reverse("procedure_note", args=[walk.pk])
    refused = browser.post(url, {"text": "  "}, headers=HTMX)
    assert refused.status_code == 422
    assert "Write something first" in refused.content.decode()
    kept = browser.post(url, {"text": "The **pump** is loud"}, headers=HTMX).content.decode()
    assert "<strong>pump</strong>" in kept


def test_what_was_pasted_becomes_a_note_of_the_journal(browser: Client, walk: Execution) -> None:
    browser.post(at(walk, 0, "step_paste"), {"command": "0", "text": "/dev/sda 40%"}, headers=HTMX)
    assert any("/dev/sda 40%" in entry.text for entry in walk.journal.filter(kind="note"))


def test_its_pages_are_not_those_of_an_incident(browser: Client, walk: Execution, incident_walk: Execution) -> None:
    strange = addresses.of_walk(walk, "walk_step", position=0)
    assert browser.get(strange).status_code == 200
    assert browser.get(f"/p/{incident_walk.pk}/step/0/").status_code == 404
    assert browser.get(f"/i/{incident_walk.incident_id}/run/{walk.pk}/step/0/").status_code == 404


@pytest.fixture
def incident_walk(execution: Execution) -> Execution:
    return execution


def test_readers_see_it_and_only_operators_act(
    walk: Execution, person: Callable[..., User], signed_in: SignIn, place: Environment
) -> None:
    stakeholder = signed_in(person("stan", access.STAKEHOLDER))
    assert stakeholder.get(reverse("procedures")).status_code == 403
    reader = signed_in(person("adam", access.ADMIN))
    assert reader.get(reverse("procedure", args=[walk.pk])).status_code == 200
    assert reader.post(at(walk, 1, "step_done"), headers=HTMX).status_code == 403
    place.restricted = True
    place.save(update_fields=["restricted"])
    assert reader.get(reverse("procedure", args=[walk.pk])).status_code == 404
    assert not procedures.ProcedureFeed().allowed(person("ada", access.OPERATOR), str(walk.pk))


def test_the_live_topic_moves_with_every_act(walk: Execution, operator: User) -> None:
    feed = procedures.ProcedureFeed()
    before = walk.event_seq
    assert feed.after(str(walk.pk), before) == []
    executions.keep_note(execution=walk, text="look", by=operator)
    assert [frame.seq for frame in feed.after(str(walk.pk), before)] == [before + 1]
