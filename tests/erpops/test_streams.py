"""Live streams: replay after the cursor, live afterwards, and only what one may see."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.test import Client

from erpops import access, live, nudges, sse
from erpops.asgi import application
from incidents import lifecycle, timeline
from incidents.models import Environment, Incident

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "hub", sse.Hub())
    monkeypatch.setattr(live, "guard", live.Guard())


@pytest.fixture
def operator() -> User:
    user = User.objects.create_user("op", password="x")
    user.groups.add(Group.objects.get_or_create(name=access.OPERATOR)[0])
    return user


@pytest.fixture
def incident() -> Incident:
    environment = Environment.objects.create(name="production", label="Production")
    return lifecycle.open_incident(title="x", severity="SEV3", environment=environment)


def cookie(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"{django_settings.SESSION_COOKIE_NAME}={client.cookies[django_settings.SESSION_COOKIE_NAME].value}"


class Stream:
    """One client of the door, driven by hand."""

    def __init__(self) -> None:
        self.status = 0
        self.text = ""
        self.ended = asyncio.Event()
        # Cleared: the client takes nothing more, as one whose network is slow.
        self.takes = asyncio.Event()
        self.takes.set()
        self.largest = 0
        self._left = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.takes.wait()
        self.largest = max(self.largest, len(message.get("body", b"")))
        self.status = message.get("status", self.status)
        self.text += message.get("body", b"").decode()
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.ended.set()

    def events(self, name: str) -> list[dict[str, Any]]:
        found = []
        for block in self.text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if lines.get("event") == name:
                found.append(json.loads(lines["data"]))
        return found

    async def until(self, condition: Callable[[], bool], seconds: float = 8) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)


@asynccontextmanager
async def stream(query: str, who: str) -> AsyncIterator[Stream]:
    client = Stream()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/live",
        "query_string": query.encode(),
        "headers": [(b"cookie", who.encode())],
    }
    task = asyncio.create_task(application(scope, client.receive, client.send))
    try:
        yield client
    finally:
        client._left.set()
        async with asyncio.timeout(5):
            await task
        sse.hub.stop()


async def note(incident: Incident, text: str) -> None:
    def write() -> None:
        with transaction.atomic():
            timeline.add(incident=incident, kind="note", text=text)

    await sse.in_thread(write)


def seqs(client: Stream) -> list[int]:
    return [event["seq"] for event in client.events("changed")]


def test_what_came_after_the_cursor_is_replayed_and_then_it_is_live(operator: User, incident: Incident) -> None:
    async def run() -> list[int]:
        await note(incident, "before")
        start = incident.event_seq
        async with stream(f"topic=incident:{incident.pk}@{start - 1}", cookie_of) as client:
            await client.until(lambda: seqs(client) == [start])
            await note(incident, "after")
            await client.until(lambda: start + 1 in seqs(client))
            return seqs(client)

    cookie_of = cookie(operator)
    found = asyncio.run(run())
    assert found == [found[0], found[0] + 1]


def test_a_hundred_events_are_told_in_order_up_to_the_last(operator: User, incident: Incident) -> None:
    async def run() -> list[int]:
        async with stream(f"topic=incident:{incident.pk}@0", cookie_of) as client:
            for n in range(100):
                await note(incident, str(n))
            await client.until(lambda: incident.event_seq in seqs(client))
            return seqs(client)

    cookie_of = cookie(operator)
    found = asyncio.run(run())
    assert found == sorted(set(found)) and found[-1] == incident.event_seq


def test_without_redis_the_stream_polls(operator: User, incident: Incident, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    nudges._client.cache_clear()

    async def run() -> None:
        async with stream(f"topic=incident:{incident.pk}@{incident.event_seq}", cookie_of) as client:
            await note(incident, "still here")
            await client.until(lambda: len(seqs(client)) == 1)

    cookie_of = cookie(operator)
    try:
        asyncio.run(run())
    finally:
        nudges._client.cache_clear()
        nudges._quiet.__dict__.clear()


@pytest.mark.parametrize(
    "query",
    [
        "topic=nonsense:1@0",
        "topic=incident:1@x",
        "",
        "topic=" + "&topic=".join(["now@0"] * 1 + [f"run:{n}@0" for n in range(30)]),
    ],
)
def test_a_question_of_another_form_is_refused(operator: User, query: str) -> None:
    async def run() -> int:
        async with stream(query, cookie_of) as client:
            await client.until(lambda: client.status != 0)
            return client.status

    cookie_of = cookie(operator)
    assert asyncio.run(run()) == 400


def test_strangers_and_people_without_a_right_get_nothing(operator: User, incident: Incident) -> None:
    async def status(query: str, who: str) -> int:
        async with stream(query, who) as client:
            await client.until(lambda: client.status != 0)
            return client.status

    outsider = User.objects.create_user("outsider")
    topic = f"topic=incident:{incident.pk}@0"
    assert asyncio.run(status(topic, "")) == 401
    assert asyncio.run(status(topic, "sessionid=guess")) == 401
    assert asyncio.run(status(topic, cookie(outsider))) == 404
    assert asyncio.run(status("topic=incident:999999@0", cookie(operator))) == 404


def test_a_right_that_is_taken_away_ends_the_running_stream(
    operator: User, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CHECK_S", 0.2)

    async def run() -> None:
        async with stream(f"topic=incident:{incident.pk}@0", cookie_of) as client:
            await client.until(lambda: client.status == 200)
            await sse.in_thread(operator.groups.clear)
            async with asyncio.timeout(5):
                await client.ended.wait()

    cookie_of = cookie(operator)
    asyncio.run(run())


async def until_revoked(client: Stream, operator: User) -> None:
    await client.until(lambda: client.status == 200)
    await sse.in_thread(operator.groups.clear)


def test_a_right_that_is_taken_away_ends_a_stream_that_never_rests(
    operator: User, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CHECK_S", 0.2)

    async def run() -> None:
        async with stream(f"topic=incident:{incident.pk}@0", cookie_of) as client:
            await until_revoked(client, operator)
            async with asyncio.timeout(5):
                while not client.ended.is_set():
                    await note(incident, "and on it goes")

    cookie_of = cookie(operator)
    asyncio.run(run())


def test_a_right_that_is_taken_away_ends_a_stream_whose_reader_takes_nothing(
    operator: User, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CHECK_S", 0.2)

    async def run() -> None:
        async with stream(f"topic=incident:{incident.pk}@{incident.event_seq}", cookie_of) as client:
            await client.until(lambda: bool(client.events("hello")))
            client.takes.clear()
            await note(incident, "never taken")
            await sse.in_thread(operator.groups.clear)
            await client.until(lambda: live.guard.count(operator.pk) == 0)
            client.takes.set()
            assert seqs(client) == []

    cookie_of = cookie(operator)
    asyncio.run(run())


@pytest.mark.parametrize("means", ["signed out", "account closed"])
def test_who_is_gone_hears_nothing_more(
    operator: User, incident: Incident, monkeypatch: pytest.MonkeyPatch, means: str
) -> None:
    monkeypatch.setattr(live, "CHECK_S", 0.2)

    def leave() -> None:
        if means == "signed out":
            Session.objects.all().delete()
        else:
            User.objects.filter(pk=operator.pk).update(is_active=False)

    async def run() -> None:
        async with stream(f"topic=incident:{incident.pk}@0", cookie_of) as client:
            await client.until(lambda: client.status == 200)
            await sse.in_thread(leave)
            async with asyncio.timeout(5):
                await client.ended.wait()

    cookie_of = cookie(operator)
    asyncio.run(run())


def test_an_unknown_cursor_is_told_everything_from_the_beginning(operator: User, incident: Incident) -> None:
    async def run() -> tuple[list[str], list[int]]:
        known = incident.event_seq
        async with (
            stream(f"topic=incident:{incident.pk}@{known + 1000}", cookie_of) as stranger,
            stream(f"topic=incident:{incident.pk}@{known}", cookie_of) as other,
        ):
            await stranger.until(lambda: seqs(stranger) == [known])
            await note(incident, "news")
            await stranger.until(lambda: known + 1 in seqs(stranger))
            await other.until(lambda: seqs(other) == [known + 1])
            assert other.events("reset") == []
            return [event["topic"] for event in stranger.events("reset")], seqs(stranger)

    cookie_of = cookie(operator)
    known = incident.event_seq
    assert asyncio.run(run()) == ([f"incident:{incident.pk}"], [known, known + 1])


def test_streams_end_when_the_process_goes_down(operator: User, incident: Incident) -> None:
    async def run() -> None:
        async with stream(f"topic=incident:{incident.pk}@0", cookie_of) as client:
            await client.until(lambda: client.status == 200)
            sse.hub.stop()
            async with asyncio.timeout(2):
                await client.ended.wait()

    cookie_of = cookie(operator)
    asyncio.run(run())


def test_an_idle_stream_holds_no_database_connection(operator: User, incident: Incident) -> None:
    def sessions() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            return int(cursor.fetchone()[0])

    async def run() -> tuple[int, int]:
        before = await sse.in_thread(sessions)
        async with stream(f"topic=incident:{incident.pk}@0", cookie_of) as client:
            await client.until(lambda: bool(seqs(client)))
            await asyncio.sleep(0.2)
            return before, await sse.in_thread(sessions)

    cookie_of = cookie(operator)
    before, during = asyncio.run(run())
    assert during <= before
