"""A real console whose processes are killed: alerts are taken, pages go out and commands end whatever dies."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest
import redis

from erpops.pids import descendants as below
from incidents.outbox import LANE_THREADS
from tests.faults.world import World
from tests.peers import Mailbox, rows, until
from tests.stack import Stack

pytestmark = pytest.mark.timeout(600)

_JOB = """#!/bin/sh
echo "$HOME" >> {effects}
for tick in $(seq 30); do echo tick $tick; sleep 0.2; done
"""
_RUNBOOK = """# Ledger

## Diagnosis

1. **Write a line**
   ```bash
   sh {job}
   ```
"""
# What a person does in the room, said to the same functions; prints the number of the attempt.
_START = """
from django.contrib.auth.models import User
from incidents.models import Incident
from runbooks import executions, library, runner
from runbooks.gate import Confirmation
from runbooks.models import Runbook
admin = User.objects.get(username="admin")
library.import_text(text=open({document!r}).read(), path="ledger.md", by=admin, publish=True)
runbook = Runbook.objects.get(title="Ledger")
incident = Incident.objects.latest("pk")
execution = executions.start(runbook=runbook, incident=incident, environment=incident.environment, by=admin)
yes = Confirmation(yes=True, reason="a test", target=incident.environment.name)
print(runner.request(step_run=execution.steps.first(), command=0, by=admin, values={{}}, confirmation=yes).pk)
"""

_SETTLE = """
from django.contrib.auth.models import User
from runbooks import settling
from runbooks.models import CommandRun
admin = User.objects.get(username="admin")
settling.settle_unknown(run=CommandRun.objects.get(pk={run}), verdict="not_done", by=admin)
"""


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


@pytest.fixture(scope="module")
def stack(mailbox: Mailbox) -> Iterator[Stack]:
    with Stack(environment={"ERPOPS_ADMIN_EMAIL": "oncall@example.org", "ERPOPS_EMAIL_URL": mailbox.url}) as console:
        yield console


@pytest.fixture(autouse=True)
def _all_pages_are_in_the_mailbox(world: World, mailbox: Mailbox) -> None:
    world.taken = lambda: [str(message["Message-ID"])[1:33] for message in mailbox.messages]


def token_of(stack: Stack) -> str:
    code = "from incidents.models import Source; print(Source.objects.get(name='Fire drill').token)"
    return stack.manage("shell", "-v0", "-c", code).stdout.strip()


def send(stack: Stack, token: str, name: str, world: World, *, patience_s: float = 60) -> None:
    """As a sender that tries again until it is told that the alert is stored."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            answer = httpx.post(
                f"{stack.url}/hooks/generic",
                json={"name": name, "severity": "high", "key": name, "group": name, "summary": name},
                headers={"Authorization": f"Bearer {token}"},
                timeout=15,
                trust_env=False,
            )
        except httpx.HTTPError:
            time.sleep(0.2)
            continue
        if answer.status_code == 202:
            world.acknowledged.append(name)
            return
        assert answer.status_code == 503, answer.text
        time.sleep(0.2)
    raise AssertionError(f"{name} was never taken")


def started_again(stack: Stack, name: str, before: int) -> bool:
    return stack.pid(name) != before


def pages(mailbox: Mailbox, names: list[str]) -> Counter[str]:
    """How many different pages came for each incident; the same page again carries the same Message-ID."""
    unique = {str(message["Message-ID"]): str(message["Subject"]) for message in mailbox.messages}
    return Counter(name for subject in unique.values() for name in names if name in subject)


def start_job(stack: Stack, world: World, place: Path) -> int:
    """Start a command that takes six seconds, once it has left its effect; its attempt."""
    place.mkdir()
    (place / "job.sh").write_text(_JOB.format(effects=world.file))
    (place / "ledger.md").write_text(_RUNBOOK.format(job=place / "job.sh"))
    run = int(stack.manage("shell", "-v0", "-c", _START.format(document=str(place / "ledger.md"))).stdout)
    world.promise(run, f"run-{run}", 0)
    return run


def test_engine_and_web_killed_while_pages_are_due(stack: Stack, mailbox: Mailbox, world: World) -> None:
    token = token_of(stack)
    names = [f"alert-{number:02}" for number in range(24)]
    victims = ("engine", "web", "engine", "web", "engine")
    with ThreadPoolExecutor(6) as senders:
        sent = [senders.submit(send, stack, token, name, world) for name in names]
        for victim in victims:
            time.sleep(0.7)
            before = stack.pid(victim)
            stack.kill(victim)
            until(partial(started_again, stack, victim, before), 40, f"{victim} to be started again")
        for done in sent:
            done.result()
    until(lambda: len(pages(mailbox, names)) == len(names), 60, f"a page for each of {len(names)} incidents")
    # What was in flight at a kill is sent again when its lease is over.
    database = str(stack.services()["database_url"])
    open_ = "SELECT count(*) FROM incidents_message WHERE status <> 'sent' AND channel = 'email'"
    until(lambda: rows(database, open_) == [(0,)], 90, "every page to be known as sent")
    assert set(pages(mailbox, names).values()) == {1}
    came = [subject for subject in mailbox.subjects() if any(name in subject for name in names)]
    repeats = len(came) - len(names)
    assert repeats <= victims.count("engine") * LANE_THREADS, "at most what was in flight at a kill is sent again"
    opened = "SELECT count(*) FROM incidents_incident WHERE title LIKE 'alert-%%'"
    assert rows(database, opened) == [(len(names),)]


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGSTOP])
def test_without_valkey_alerts_are_taken_and_pages_go_out(
    stack: Stack, mailbox: Mailbox, world: World, way: signal.Signals
) -> None:
    token, name = token_of(stack), f"broker-{way.name}"
    frozen = stack.kill("valkey", way)
    try:
        began = time.monotonic()
        send(stack, token, name, world)
        assert time.monotonic() - began < 8
        until(lambda: pages(mailbox, [name])[name] == 1, 20, "the page")
    finally:
        if way == signal.SIGSTOP:
            os.kill(frozen, signal.SIGCONT)


@pytest.mark.parametrize("victim", ["worker", "web", "engine"])
def test_a_command_and_a_page_outlive_whatever_is_killed(
    victim: str, stack: Stack, mailbox: Mailbox, world: World, tmp_path: Path
) -> None:
    token = token_of(stack)
    database = str(stack.services()["database_url"])
    send(stack, token, f"before-{victim}", world)
    run = start_job(stack, world, tmp_path / "job")
    until(world.file.exists, 30, "the command to start")
    send(stack, token, f"during-{victim}", world)
    killed = stack.kill(victim)
    redis.Redis.from_url(str(stack.services()["redis_url"])).flushall()
    until(partial(started_again, stack, victim, killed), 40, f"{victim} to be started again")
    latest = f"SELECT status, exit_code FROM runbooks_commandrun WHERE id = {run} AND ended_at IS NOT NULL"
    assert until(lambda: rows(database, latest), 60, "its end") == [("succeeded", 0)]
    names = [f"before-{victim}", f"during-{victim}"]
    until(lambda: len(pages(mailbox, names)) == 2, 40, "both pages")
    assert set(pages(mailbox, names).values()) == {1}
    chunks = f"SELECT data FROM runbooks_outputchunk WHERE run_id = {run} ORDER BY seq"
    written = b"".join(bytes(chunk) for (chunk,) in rows(database, chunks))
    assert written.splitlines() == [b"tick %d" % number for number in range(1, 31)]


@pytest.mark.slow
@pytest.mark.parametrize("point", ["claim.committed", "start.committed", "command.spawned", "command.ended"])
def test_what_was_lost_is_known_within_thirty_seconds(point: str, stack: Stack, world: World, tmp_path: Path) -> None:
    send(stack, token_of(stack), f"lost-{point}", world)
    database = str(stack.services()["database_url"])
    own, counter = stack.pid("worker"), tmp_path / "passes"
    armed = {"ERPOPS_FAILPOINT": f"{point}:1", "ERPOPS_FAILPOINT_COUNTER": str(counter)}
    with stack.worker(queues="env.self", environment=armed):
        # The console's own worker looks away: the other one gets the message.
        for pid in [own, *below(own)]:
            os.kill(pid, signal.SIGSTOP)
        try:
            run = start_job(stack, world, tmp_path / "job")
            until(counter.exists, 60, "the place to be passed")
            died = time.monotonic()
            status = f"SELECT status FROM runbooks_commandrun WHERE id = {run} AND ended_at IS NOT NULL"
            assert until(lambda: rows(database, status), 60, "its end") == [("outcome_unknown",)]
            assert time.monotonic() - died <= 30
        finally:
            for pid in [own, *below(own)]:
                os.kill(pid, signal.SIGCONT)
    # Until a person has said what became of it, nothing else acts on what it may have touched.
    stack.manage("shell", "-v0", "-c", _SETTLE.format(run=run))
