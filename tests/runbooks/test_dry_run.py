"""A dry run says exactly what a real run then carries out, and starts nothing."""

import json

import pytest
from django.test import Client

from erpops import beats
from runbooks import addresses, dry_run, runner
from runbooks.models import CommandRun
from tests.runbooks.builders import command, compiled, phase, step, walk, walk_of

pytestmark = pytest.mark.django_db

ASKED = [{"name": "pod"}]


def planned(place: object, values: dict[str, str] | None = None, position: int = 0) -> list[dry_run.Planned]:
    site = dry_run.Site.of(place.execution.environment)  # type: ignore[attr-defined]
    return dry_run.plan(place.step(position), values=values or {}, site=site)  # type: ignore[attr-defined]


def test_what_it_says_is_what_runs() -> None:
    place = walk(command("echo <pod> $REGION", parameters=[*ASKED, {"name": "REGION", "notation": "env"}]))
    place.execution.environment.variables = {"REGION": "eu"}
    place.execution.environment.save(update_fields=["variables"])
    [said] = planned(place, {"pod": "db 0; rm -rf /"})
    assert not CommandRun.objects.exists()
    run = runner.request(step_run=place.step(), command=0, by=place.user, values={"pod": "db 0; rm -rf /"})
    assert (said.script, said.queue, said.timeout_s, said.risk) == (run.script, run.queue, run.timeout_s, run.risk)
    assert said.digest == run.digest
    assert said.variables == {"ERPOPS_P_POD": "db 0; rm -rf /"}
    assert {"PATH", "REGION", "ERPOPS_P_POD"} <= set(said.environment)
    assert said.runs and said.missing == []


def test_what_is_missing_is_named_and_nothing_is_derived() -> None:
    [said] = planned(walk(command("echo <pod>", parameters=ASKED)))
    assert (said.missing, said.script, said.runs) == (["pod"], "", False)
    assert said.refusals == ["Fill in pod first."]


@pytest.mark.parametrize(
    ("made", "worker", "sentence"),
    [
        (command("true"), False, "No worker serves env.test."),
        (command("POOL=20", kind="env"), True, "This only sets a variable"),
        (command("htop", "blocked"), True, "This command cannot run as it is written."),
        (command("SELECT 1", kind="sql"), True, "This environment has no PostgreSQL target"),
    ],
)
def test_it_says_what_would_stop_it(made: dict[str, object], worker: bool, sentence: str) -> None:
    [said] = planned(walk(made, worker=worker))
    assert any(text.startswith(sentence) for text in said.refusals), said.refusals


def test_secrets_are_not_shown() -> None:
    [said] = planned(walk(command("login <api_token>", parameters=[{"name": "api_token"}])), {"api_token": "s3cr3t"})
    assert "s3cr3t" not in json.dumps(said.as_json())


def test_the_worker_its_user_and_what_is_asked_are_named() -> None:
    place = walk(command("true", "disrupt"), production=True)
    beats.beat(role="worker", queues=["env.test"], info={"command_user": "ops"})
    [said] = planned(place)
    assert said.as_user == "ops"
    assert said.workers[0].endswith(f"({said.as_user})")
    assert said.asks == "a second button, with the reason"


def test_a_whole_walk_is_a_page_and_json_and_starts_nothing() -> None:
    place = walk_of(compiled("All", phase("diagnosis", step("One", command("df -h")), step("Two", command("uptime")))))
    browser = Client()
    browser.force_login(place.user)
    url = addresses.of_walk(place.execution, "walk_dry_run")
    page = browser.get(url).content.decode()
    assert "Nothing was started" in page and "df -h" in page and "uptime" in page
    told = browser.get(url, {"format": "json"}).json()
    assert [item["text"] for item in told["commands"]] == ["df -h", "uptime"]
    assert told["sha256"] == place.execution.version.sha256
    one = browser.get(addresses.of_walk(place.execution, "step_dry_run", position=1), {"format": "json"}).json()
    assert [item["step"] for item in one["commands"]] == [2]
    assert not CommandRun.objects.exists()
