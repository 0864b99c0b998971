"""Rehearsals on the pages: started and planned by plain forms, by who may run commands there; seen by all staff."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from erpops import access, beats
from incidents.models import Environment
from runbooks import addresses, rehearsal
from runbooks.models import Rehearsal, RehearsalPlan, Runbook

SignIn = Callable[[User], Client]


@pytest.fixture
def browser(operator: User, signed_in: SignIn, production: Environment) -> Client:
    beats.beat(role="worker", queues=[f"env.{production.name}"])
    return signed_in(operator)


def test_it_is_started_from_the_library_and_its_page_lists_every_command(
    browser: Client, runbook: Runbook, production: Environment
) -> None:
    address = reverse("rehearsals", args=[runbook.slug])
    assert address in browser.get(reverse("runbook", args=[runbook.slug])).content.decode()
    assert "Never rehearsed" in browser.get(address).content.decode()
    start = reverse("rehearsal_start", args=[runbook.slug])
    begun = browser.post(start, {"environment": production.pk})
    found = Rehearsal.objects.get()
    assert begun.headers["Location"] == reverse("rehearsal", args=[found.execution_id])
    assert browser.post(start, {"environment": production.pk}).headers["Location"] == begun.headers["Location"]
    rehearsal.tick()
    page = browser.get(begun.headers["Location"]).content.decode()
    for said in ("df -h", "is never rehearsed", "cannot run as it is written", "Going on", "Stop the rehearsal"):
        assert said in page
    fragment = browser.get(begun.headers["Location"], headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment and "df -h" in fragment
    assert "Going on" in browser.get(address).content.decode()


def test_the_pages_of_a_walk_lead_back_to_the_rehearsal(
    browser: Client, runbook: Runbook, production: Environment, operator: User
) -> None:
    execution = rehearsal.start(runbook=runbook, environment=production, by=operator).execution
    home = reverse("rehearsal", args=[execution.pk])
    for view in ("procedure",):
        assert browser.get(reverse(view, args=[execution.pk])).headers["Location"] == home
    assert browser.get(addresses.of_walk(execution, "walk_step", position=0)).headers["Location"] == home
    taken = browser.post(addresses.of_walk(execution, "walk_take"), {"position": "0"}, follow=True)
    assert "A rehearsal runs by itself" in taken.content.decode()
    assert execution.reference not in browser.get(reverse("procedures")).content.decode()


def test_a_plan_is_made_changed_and_taken_back(
    browser: Client, runbook: Runbook, production: Environment, operator: User
) -> None:
    address, plan = reverse("rehearsals", args=[runbook.slug]), reverse("rehearsal_plan", args=[runbook.slug])
    assert "Nothing is planned" in browser.get(address).content.decode()
    browser.post(plan, {"environment": production.pk, "every_h": "168"})
    assert "every week, in the name of" in browser.get(address).content.decode()
    browser.post(plan, {"environment": production.pk, "every_h": "24"})
    kept = RehearsalPlan.objects.get()
    assert (kept.every_h, kept.owner) == (24, operator)
    answer = browser.post(plan, {"environment": production.pk, "every_h": "5"}, follow=True)
    assert "Choose one of the intervals" in answer.content.decode()
    browser.post(plan, {"environment": production.pk, "every_h": "0"})
    assert "Nothing is planned" in browser.get(address).content.decode()


def test_who_may_not_run_commands_reads_along(
    runbook: Runbook, production: Environment, operator: User, person: Callable[..., User], signed_in: SignIn
) -> None:
    found = rehearsal.start(runbook=runbook, environment=production, by=operator)
    admin = signed_in(person("adam", access.ADMIN))
    page = admin.get(reverse("rehearsals", args=[runbook.slug])).content.decode()
    assert "Rehearse now" not in page
    assert admin.get(reverse("rehearsal", args=[found.execution_id])).status_code == 200
    sent = {"environment": production.pk, "every_h": "24"}
    for view, of in (("rehearsal_start", runbook.slug), ("rehearsal_plan", runbook.slug)):
        assert admin.post(reverse(view, args=[of]), sent).status_code == 403
    assert admin.post(reverse("rehearsal_stop", args=[found.execution_id])).status_code == 403
    production.restricted = True
    production.save(update_fields=["restricted"])
    assert admin.get(reverse("rehearsal", args=[found.execution_id])).status_code == 404
    outsider = signed_in(person("sofia", access.STAKEHOLDER))
    assert outsider.get(reverse("rehearsals", args=[runbook.slug])).status_code in {403, 404}


def test_stopping_says_who_did(browser: Client, runbook: Runbook, production: Environment, operator: User) -> None:
    found = rehearsal.start(runbook=runbook, environment=production, by=operator)
    browser.post(reverse("rehearsal_stop", args=[found.execution_id]))
    rehearsal.tick()
    page = browser.get(reverse("rehearsal", args=[found.execution_id])).content.decode()
    assert "Stopped</strong> by olga" in page
    assert "stopped before it came to this" in page
    again = browser.post(reverse("rehearsal_stop", args=[found.execution_id]), follow=True).content.decode()
    assert "This rehearsal is over" in again
