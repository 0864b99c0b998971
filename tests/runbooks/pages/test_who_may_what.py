"""Every address of the runbook pages × roles, and objects of restricted environments."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from erpops import access
from incidents.models import Incident
from runbooks.addresses import of_run, of_walk
from runbooks.models import CommandRun, Execution
from tests.runbooks.pages.conftest import at

SignIn = Callable[[User], Client]
OK, NO, GONE = {200, 302, 204, 409, 422, 400}, {403}, {404}


def addresses(execution: Execution, run: int) -> dict[str, list[tuple[str, str]]]:
    """(method, address) by the capability that guards it."""
    number, slug = execution.incident_id, execution.version.runbook.slug
    act = [("POST", at(execution, 0, name)) for name in ("step_viewed", "step_values", "step_done", "step_reads")]
    act += [("POST", at(execution, 0, name)) for name in ("step_skip", "step_paste")]
    act += [("POST", of_walk(execution, name)) for name in ("walk_take", "walk_pause", "walk_complete", "walk_abandon")]
    act += [("POST", of_run(execution, name, run)) for name in ("run_stop", "run_settle")]
    act += [("POST", at(execution, 0, "command_run", 0)), ("GET", at(execution, 0, "command_confirm", 0))]
    act += [("POST", reverse("walk_start", args=[number, slug])), ("POST", reverse("runbook_start", args=[slug]))]
    return {
        "read": [
            ("GET", reverse("runbooks")),
            ("GET", reverse("runbook", args=[slug])),
            ("GET", reverse("runbook_version", args=[slug, 1])),
            ("GET", reverse("walk_finder", args=[number])),
            ("GET", at(execution, 0)),
            ("GET", at(execution, 0, "walk_pulse")),
            ("GET", of_walk(execution, "walk_here")),
            *(("GET", of_run(execution, f"run_{name}", run)) for name in ("output", "lines", "raw")),
        ],
        "act": act,
        "publish": [
            ("GET", reverse("runbook_import")),
            ("POST", reverse("runbook_import")),
        ],
        "review": [
            ("POST", reverse("runbook_publish", args=[slug, 1])),
            ("POST", reverse("runbook_reject", args=[slug, 1])),
        ],
        "propose": [
            ("GET", reverse("runbook_edit", args=[slug])),
            ("POST", reverse("runbook_propose", args=[slug, 1])),
        ],
    }


@pytest.fixture
def run(execution: Execution, operator: User, signed_in: SignIn) -> CommandRun:
    signed_in(operator).post(at(execution, 0, "command_run", 0))
    return CommandRun.objects.get()


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (access.OPERATOR, {"read", "act", "propose"}),
        (access.LEAD, {"read", "act", "review", "propose"}),
        (access.ADMIN, {"read", "publish", "review", "propose"}),
        (access.STAKEHOLDER, set()),
    ],
)
def test_each_role_reaches_what_it_may(  # noqa: PLR0917
    role: str, allowed: set[str], execution: Execution, run: CommandRun, person: Callable[..., User], signed_in: SignIn
) -> None:
    client = signed_in(person("someone", role))
    for kind, urls in addresses(execution, run.pk).items():
        for method, url in urls:
            status = client.generic(method, url).status_code
            assert status in (OK if kind in allowed else NO), f"{role} {method} {url} answered {status}"


def test_a_restricted_environment_hides_its_walks(
    execution: Execution, run: CommandRun, incident: Incident, person: Callable[..., User], signed_in: SignIn
) -> None:
    incident.environment.restricted = True
    incident.environment.save(update_fields=["restricted"])
    client = signed_in(person("outsider", access.OPERATOR))
    for kind in ("read", "act"):
        for method, url in addresses(execution, run.pk)[kind]:
            if url.startswith("/i/"):
                assert client.generic(method, url).status_code in GONE, f"{method} {url}"


def test_strangers_are_sent_to_the_door(execution: Execution, run: CommandRun) -> None:
    for urls in addresses(execution, run.pk).values():
        for method, url in urls:
            assert Client().generic(method, url).status_code == 302, url
