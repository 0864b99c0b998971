"""Waiting until it holds: one attempt of many tries, for programs and for calls."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from checks.choices import TargetKind
from checks.models import Target
from runbooks import runner
from runbooks.executors import waiting
from runbooks.refusals import Refused
from tests.runbooks.builders import Walk, command, output_of, walk
from tests.runbooks.running import begin, ended, run_now, until, wait_all_gone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[None]:
    monkeypatch.setattr(waiting, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE_S", 0.05)
    yield
    wait_all_gone()


def expecting(text: str, assertion: dict[str, Any], **given: Any) -> Walk:
    return walk(command(text, expected=[{"text": "as it should", "line": 1, "assertion": assertion}], **given))


def test_it_is_tried_again_until_it_holds_as_one_attempt(tmp_path: Path) -> None:
    text = f"echo x >> {tmp_path}/tries; wc -l < {tmp_path}/tries"
    place = expecting(text, {"op": "compare", "comparator": ">=", "value": 3, "unit": None})
    run = run_now(place, waits=True)
    assert (run.status, run.exit_code, run.attempt) == ("succeeded", 0, 1)
    lines = output_of(run).decode().splitlines()
    tries = [re.fullmatch(r"— try (\d), after \d+ s", line) for line in lines if line.startswith("— try")]
    assert [match and match[1] for match in tries] == ["1", "2", "3"]
    assert [line for line in lines if not line.startswith("—")] == ["1", "2", "3"]
    assert "— not yet: 1 is not >= 3" in lines and lines[-1] == "— it holds: 3 is >= 3"
    assert place.statuses() == ["passed"]
    assert any("until it holds" in text for text in place.incident.events.values_list("text", flat=True))


def test_a_call_is_tried_again_too(tmp_path: Path) -> None:
    text = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waited for'"
    place = expecting(text, {"op": "compare", "comparator": "==", "value": 1, "unit": None}, kind="sql")
    Target.objects.create(
        name="db", kind=TargetKind.POSTGRES, address=settings.DATABASE_URL, environment=place.execution.environment
    )
    run = begin(place, waits=True)
    until(lambda: b"try 2" in output_of(run))
    with psycopg.connect(settings.DATABASE_URL, application_name="waited for"):
        run = ended(run)
    assert (run.status, run.exit_code) == ("succeeded", 0), output_of(run)
    assert output_of(run).decode().endswith("— it holds: 1 is == 1\n")


def test_when_the_time_is_over_it_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LIMIT_S", 1.0)
    place = expecting("echo down", {"op": "contains", "value": "up"})
    run = run_now(place, waits=True)
    assert (run.status, run.exit_code) == ("failed", 1)
    assert output_of(run).decode().rstrip().endswith("— it did not hold within 1 s: up is not in the output")


def test_a_failed_try_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LIMIT_S", 0.3)
    run = run_now(expecting("false", {"op": "empty"}), waits=True)
    assert (run.status, run.exit_code) == ("failed", 1)
    assert b"it ended with 1" in output_of(run)
    run = run_now(expecting("exit 3", {"op": "exit", "value": 3}), waits=True)
    assert (run.status, run.exit_code) == ("succeeded", 0)


def test_one_try_that_hangs_is_ended_with_all_that_it_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runner, "READ_LIMIT_S", 1)
    text = f"test -e {tmp_path}/again && echo up && exit; touch {tmp_path}/again; sleep 300 & sleep 300"
    run = run_now(expecting(text, {"op": "contains", "value": "up"}), waits=True)
    assert (run.status, run.exit_code) == ("succeeded", 0)
    assert b"not yet: it was not done in time" in output_of(run)


def test_a_wait_is_stopped_on_request() -> None:
    place = expecting("echo down", {"op": "contains", "value": "up"})
    run = begin(place, waits=True)
    until(lambda: b"try 2" in output_of(run))
    runner.stop(run=run, by=place.user)
    assert ended(run).status == "stopped"


@pytest.mark.parametrize(
    "given",
    [
        {"risk": "change", "expected": [{"text": "x", "line": 1, "assertion": {"op": "empty"}}]},
        {"flags": ["endless"], "expected": [{"text": "x", "line": 1, "assertion": {"op": "empty"}}]},
        {"expected": [{"text": "users are happy", "line": 1, "assertion": None}]},
        {},
    ],
)
def test_only_what_reads_ends_and_can_be_judged_is_waited_for(given: dict[str, Any]) -> None:
    place = walk(command("true", **given))
    with pytest.raises(Refused):
        runner.request(step_run=place.step(), command=0, by=place.user, confirmation="yes", waits=True)
