"""Live streams over real sockets, behind the protocol that `serve` speaks."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client

from erpops import access, live, sse, wire
from erpops.asgi import application
from incidents import lifecycle
from incidents.models import Environment, Incident

pytestmark = pytest.mark.django_db(transaction=True)

SMALL = 4096
# More than the sockets and the server hold for a reader who does not read.
MOVES = 1500


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> tuple[Incident, str]:
    """An incident, and the head of a request for its stream by somebody who may see it."""
    monkeypatch.setattr(sse, "hub", sse.Hub())
    monkeypatch.setattr(live, "guard", live.Guard())
    user = User.objects.create_user("op", password="x")
    user.groups.add(Group.objects.get_or_create(name=access.OPERATOR)[0])
    place = Environment.objects.create(name="production", label="Production")
    incident = lifecycle.open_incident(title="x", severity="SEV3", environment=place)
    client = Client()
    client.force_login(user)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    request = f"GET /live?topic=incident:{incident.pk}@0 HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"
    return incident, request


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """The console on a port whose connections hold little that was not read yet."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    config = uvicorn.Config(application, http=wire.Protocol, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        sse.hub.stop()
        server.should_exit = True
        await task


async def opened(port: int, request: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A reader that takes little at once."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    line.connect(("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=line, limit=SMALL)
    writer.write(request.encode())
    await writer.drain()
    return reader, writer


async def heard(reader: asyncio.StreamReader, last: int) -> list[int]:
    """The cursors that it was told until `last`, taking the chunks apart."""
    await reader.readuntil(b"\r\n\r\n")
    body, found = b"", list[int]()
    while not found or found[-1] < last:
        size = int(await reader.readline(), 16)
        body += (await reader.readexactly(size + 2))[:-2]
        *whole, body = body.split(b"\n\n")
        found += [int(frame.rpartition(b'"seq":')[2][:-1]) for frame in whole if frame.startswith(b"event: changed")]
    return found


class Told:
    """A feed that moves on by itself, a few frames at a time."""

    def __init__(self, start: int) -> None:
        self.newest_seq = start

    def allowed(self, user: Any, key: str) -> bool:
        return True

    def newest(self, key: str) -> int:
        return self.newest_seq

    def after(self, key: str, cursor: int) -> list[sse.Frame]:
        return [sse.changed("told" * 50, seq) for seq in range(cursor + 1, min(cursor + 30, self.newest_seq) + 1)]


async def move_on(incident: Incident, times: int) -> None:
    """The incident goes on, and its watchers are told now and then."""
    topic = sse.hub.topics[f"incident:{incident.pk}"]
    topic.feed = feed = Told(incident.event_seq)
    for _ in range(times):
        feed.newest_seq += 1
        if feed.newest_seq % 3 == 0 or feed.newest_seq == incident.event_seq + times:
            await sse.hub.refresh(topic)


def watchers(incident: Incident) -> int:
    topic = sse.hub.topics.get(f"incident:{incident.pk}")
    return len(topic.watchers) if topic else 0


def test_readers_at_any_pace_hear_everything_once_and_in_order(watched: tuple[Incident, str]) -> None:
    incident, request = watched

    async def run() -> None:
        async with serving() as port:
            quick, slow = await opened(port, request), await opened(port, request)
            hearing = asyncio.create_task(heard(quick[0], incident.event_seq + MOVES))
            while watchers(incident) < 2:
                await asyncio.sleep(0.02)
            await move_on(incident, MOVES)
            for told in (await hearing, await heard(slow[0], incident.event_seq + MOVES)):
                assert told == sorted(set(told))
                assert told[-1] == incident.event_seq + MOVES
            for _, writer in (quick, slow):
                writer.close()

    asyncio.run(run())


def test_a_reader_that_has_left_does_not_disturb_the_others(watched: tuple[Incident, str]) -> None:
    incident, request = watched

    async def run() -> None:
        async with serving() as port:
            stays, leaves = await opened(port, request), await opened(port, request)
            while watchers(incident) < 2:
                await asyncio.sleep(0.02)
            leaves[1].transport.abort()
            await move_on(incident, 20)
            assert (await heard(stays[0], incident.event_seq + 20))[-1] == incident.event_seq + 20
            stays[1].close()

    asyncio.run(run())
