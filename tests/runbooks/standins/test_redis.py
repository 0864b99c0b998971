"""The stand-in for redis-cli against a real Valkey: what it prints, and how it ends."""

import os
import subprocess
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings
from django.core.cache import caches

from checks.models import Target
from incidents.models import Environment
from runbooks import runner
from runbooks.standins import launchers, understanding
from tests.runbooks.builders import Walk, command, output_of, walk
from tests.runbooks.running import begin, ended, run_now, until, wait_all_gone

DB = 7


@pytest.fixture
def store() -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.REDIS_URL).client()
    client.select(DB)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()
    caches.close_all()


def cli(*words: str, given: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """The stand-in as a command of a shell calls it, at the tests' own server."""
    at = urlsplit(settings.REDIS_URL)
    where = ["-h", str(at.hostname), "-p", str(at.port), "-n", str(DB)]
    secret = {"REDISCLI_AUTH": at.password or ""} | env
    return subprocess.run(
        [str(launchers.folder() / "redis-cli"), *where, *words],
        input=given,
        env={"PATH": os.environ["PATH"], **secret},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_replies_are_printed_as_without_a_terminal(store: redis.Redis) -> None:
    assert cli("PING").stdout == "PONG\n"
    assert cli("SET", "a b", "one\ntwo").stdout == "OK\n"
    assert cli("GET", "a b").stdout == "one\ntwo\n"
    assert cli("GET", "gone").stdout == "\n"
    assert cli("INCR", "n").stdout == "1\n"
    store.rpush("list", "x", "y")
    assert cli("LRANGE", "list", "0", "-1").stdout == "x\ny\n"
    assert "redis_version:" in cli("INFO", "server").stdout


def test_commands_come_from_standard_input_too(store: redis.Redis) -> None:
    done = cli(given='SET k "two words"\n\nGET k\n')
    assert (done.stdout, done.returncode) == ("OK\ntwo words\n", 0)


def test_keys_are_scanned_without_stopping_the_server(store: redis.Redis) -> None:
    for number in range(40):
        store.set(f"session:{number}", "x")
    store.set("other", "x")
    found = cli("--scan", "--pattern", "session:*").stdout.split()
    assert sorted(found) == sorted(f"session:{number}" for number in range(40))


def test_an_error_of_the_server_is_no_success(store: redis.Redis) -> None:
    wrong = cli("NOSUCH", "x")
    assert wrong.returncode == 1
    assert "unknown command" in wrong.stderr
    store.set("text", "x")
    assert "WRONGTYPE" in cli("LPUSH", "text", "y").stderr


def test_a_wrong_password_and_a_server_that_is_gone_are_told_apart() -> None:
    refused = cli("PING", REDISCLI_AUTH="wrong")
    assert refused.returncode == 1
    assert "AUTH failed" in refused.stderr
    gone = cli("-p", "1", "PING")
    assert gone.returncode == 1
    assert "Could not connect to Redis at 127.0.0.1:1: " in gone.stderr


@pytest.mark.parametrize("words", [["--bigkeys"], ["--latency"], ["--pipe"], ["SUBSCRIBE", "x"], ["-x", "SET", "a"]])
def test_what_it_does_not_know_is_refused_before_anything_is_asked(words: list[str]) -> None:
    done = cli(*words, REDISCLI_AUTH="wrong")
    assert done.returncode == 64
    assert "Nothing was started" in done.stderr
    assert understanding.not_understood(["redis-cli", *words])
    assert understanding.not_understood(["redis-cli", "-h", "cache", "PING"]) == ""


def on_valkey(text: str, **changes: str) -> Walk:
    """A walk in an environment whose Redis is the tests' own server."""
    at = urlsplit(settings.REDIS_URL)
    place = walk(command(text))
    values = {"address": f"redis://{at.hostname}:{at.port}/{DB}", "credential": at.password or "", **changes}
    test = Environment.objects.get(name="test")
    Target.objects.create(name="cache", label="Cache", kind="redis", environment=test, **values)
    return place


CLI = '{folder}/redis-cli -h "$REDIS_HOST" -p "$REDIS_PORT" '


@pytest.mark.django_db(transaction=True)
def test_a_command_of_a_runbook_speaks_to_the_target_of_its_environment(store: redis.Redis) -> None:
    text = CLI.format(folder=launchers.folder())
    run = run_now(on_valkey(f"{text} PING | tr A-Z a-z"))
    assert (run.status, output_of(run)) == ("succeeded", b"pong\n")
    wait_all_gone()


@pytest.mark.django_db(transaction=True)
def test_a_command_with_a_wrong_password_fails_and_does_not_show_it(store: redis.Redis) -> None:
    run = run_now(on_valkey(CLI.format(folder=launchers.folder()) + "PING", credential="not-the-password"))
    assert (run.status, run.exit_code) == ("failed", 1)
    assert b"not-the-password" not in output_of(run)
    wait_all_gone()


@pytest.mark.django_db(transaction=True)
def test_watching_the_server_is_stopped_on_request(store: redis.Redis) -> None:
    place = on_valkey(CLI.format(folder=launchers.folder()) + "MONITOR")
    run = begin(place)
    deadline = time.monotonic() + 30

    def seen() -> bool:
        assert time.monotonic() < deadline
        store.set("watched", "x")
        return b"watched" in output_of(run)

    until(seen, 30)
    runner.stop(run=run, by=place.user)
    assert ended(run).status == "stopped"
    wait_all_gone()
