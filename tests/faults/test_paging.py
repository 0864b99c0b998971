"""Alerts are taken and pages go out whatever dies: counted in a real mailbox, not in labels."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest

from incidents.outbox import LANE_THREADS
from tests.peers import Mailbox, rows, until
from tests.stack import Stack

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as box:
        yield box


@pytest.fixture(scope="module")
def stack(mailbox: Mailbox) -> Iterator[Stack]:
    with Stack(environment={"ERPOPS_ADMIN_EMAIL": "oncall@example.org", "ERPOPS_EMAIL_URL": mailbox.url}) as console:
        yield console


def token_of(stack: Stack) -> str:
    code = "from incidents.models import Source; print(Source.objects.get(name='Fire drill').token)"
    return stack.manage("shell", "-v0", "-c", code).stdout.strip()


def send(stack: Stack, token: str, name: str, *, patience_s: float = 60) -> None:
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


def test_engine_and_web_killed_while_pages_are_due(stack: Stack, mailbox: Mailbox) -> None:
    token = token_of(stack)
    names = [f"alert-{number:02}" for number in range(24)]
    victims = ("engine", "web", "engine", "web", "engine")
    with ThreadPoolExecutor(6) as senders:
        sent = [senders.submit(send, stack, token, name) for name in names]
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
def test_without_valkey_alerts_are_taken_and_pages_go_out(stack: Stack, mailbox: Mailbox, way: signal.Signals) -> None:
    token, name = token_of(stack), f"broker-{way.name}"
    frozen = stack.kill("valkey", way)
    try:
        began = time.monotonic()
        send(stack, token, name)
        assert time.monotonic() - began < 8
        until(lambda: pages(mailbox, [name])[name] == 1, 20, "the page")
    finally:
        if way == signal.SIGSTOP:
            os.kill(frozen, signal.SIGCONT)
