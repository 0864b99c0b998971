"""Work that is due and that nobody begins raises one alarm, and the alarm ends when the work is begun."""

import logging
import re
from typing import Any

import pytest
from django.test import Client

from checks.models import Check, Target
from erpops import beats
from incidents import sources
from incidents.models import Alert, Environment, Incident, Service
from runbooks import runner, stalled
from runbooks.models import CommandRun
from tests.clock import Clock
from tests.runbooks.builders import Walk, command, person, walk

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _console(clock: Clock) -> None:
    """A console that has run for a while, with the source that it reports itself through."""
    environment = Environment.objects.create(name="self", label="erpops itself")
    Service.objects.create(name="worker", label="Workers")
    sources.create(name="Checks", kind="checks", environment=environment)
    beats.beat(role="engine")
    clock.advance(seconds=60)
    beats.beat(role="engine")


def queued(*, lanes: int | None = None) -> tuple[Walk, CommandRun]:
    """A command that waits for a worker of env.test that lives."""
    place = walk(command("true"))
    serve(lanes)
    return place, runner.request(step_run=place.step(), command=0, by=place.user)


def serve(lanes: int | None = None) -> None:
    beats.beat(role="worker", queues=["env.test"], info={} if lanes is None else {"lanes": lanes})
    # Beats are by process, and this one plays two.
    beats.ProcessBeat.objects.filter(role="engine").update(role="worker", queues=["env.test"])


def alarms() -> list[str]:
    return list(Incident.objects.filter(alerts__name=stalled.ALERT).distinct().values_list("status", flat=True))


def health() -> Any:
    return Client().get("/healthz").json()


def test_a_command_that_nobody_begins_opens_one_incident_until_it_is_begun(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    place, run = queued()
    clock.advance(seconds=25)
    serve()
    assert stalled.watch() == 0
    assert health()["worker"] is True
    clock.advance(seconds=10)
    serve()
    with caplog.at_level(logging.ERROR):
        assert [stalled.watch() for _ in range(3)] == [1, 0, 0]
    said = Alert.objects.get(name=stalled.ALERT).annotations["summary"]
    assert re.fullmatch(r"1 command in the queue env.test has waited for \d+ s, though a worker serves it.", said)
    assert said in caplog.text
    assert alarms() == ["triage"]
    runner.stop(run=run, by=place.user)
    assert stalled.watch() == 1
    assert Alert.objects.get(name=stalled.ALERT).status == "resolved"
    assert alarms() == ["resolved"]
    assert stalled.watch() == 0


def test_people_and_monitors_are_told(clock: Clock) -> None:
    queued()
    clock.advance(seconds=40)
    serve()
    assert health() == {
        "status": "ok",
        "engine": False,
        "worker": False,
        "workers": 1,
        "waits": "Commands or checks are due and nobody begins them.",
    }
    client = Client()
    client.force_login(person("lead", "lead"))
    page = client.get("/").content.decode()
    assert "Work waits" in page
    assert "1 command in the queue env.test has waited for" in page


def test_a_queue_without_a_worker_is_said_to_have_none(clock: Clock) -> None:
    queued()
    clock.advance(seconds=60)
    assert "no worker serves it" in stalled.look()[0].sentence


def test_what_stands_in_line_behind_busy_lanes_is_no_alarm(clock: Clock) -> None:
    queued(lanes=1)
    clock.advance(seconds=40)
    serve(lanes=1)
    assert [waiting.commands for waiting in stalled.look()] == [1]
    other = walk(command("sleep 100"))
    serve(lanes=1)
    busy = runner.request(step_run=other.step(), command=0, by=other.user)
    host = beats.alive("worker")[0].host
    CommandRun.objects.filter(pk=busy.pk).update(status="running", host=host)
    assert stalled.look() == []


def test_what_waited_while_the_console_was_away_has_its_time(clock: Clock) -> None:
    queued()
    clock.advance(hours=1)
    beats.ProcessBeat.objects.all().delete()
    beats.beat(role="engine")
    assert stalled.watch() == 0
    assert stalled.sentences() == []
    clock.advance(seconds=31)
    beats.beat(role="engine")
    assert stalled.watch() == 1


def test_checks_that_nobody_measures_raise_it_too(clock: Clock) -> None:
    target = Target.objects.create(name="t", label="T", kind="tcp", environment=Environment.objects.get(name="self"))
    check = Check.objects.create(name="c", label="C", target=target, probe="tcp", interval_s=15, timeout_s=5)
    assert stalled.look() == [], "one that was never measured proves nothing"
    Check.objects.filter(pk=check.pk).update(verdict="up", last_at=stalled.clock.now())
    clock.advance(seconds=49)
    assert stalled.look() == []
    clock.advance(seconds=2)
    beats.beat(role="engine")
    [waiting] = stalled.look()
    assert (waiting.queue, waiting.checks, waiting.commands) == ("checks", 1, 0)
    assert stalled.watch() == 1
    Check.objects.filter(pk=check.pk).update(enabled=False)
    assert stalled.watch() == 1


def test_a_source_that_is_switched_off_takes_nothing(clock: Clock) -> None:
    sources.Source.objects.update(enabled=False)
    queued()
    clock.advance(seconds=40)
    assert stalled.watch() == 0
    assert stalled.sentences()
