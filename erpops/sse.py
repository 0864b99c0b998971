"""Live streams: one subscription a process, replay after the client's cursor, then wait.

A client asks for topics with cursors (`/live?topic=incident:204@57&topic=now`). What a topic says
is read from PostgreSQL by its `Feed`; Redis only says "look again", and without it the hub polls.
An idle stream holds no database connection. Each topic is read once a process and framed once,
however many clients watch it.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs

import redis.asyncio
from django.conf import settings
from django.contrib.auth import get_user
from django.db import connection
from redis.exceptions import RedisError

from erpops import clock, nudges
from erpops.doors import Receive, Scope, Send, answer
from erpops.registry import Registry

logger = logging.getLogger(__name__)
T = TypeVar("T")

PING_S = 10.0
POLL_S = 10.0
POLL_ALONE_S = 1.0
RING = 512
STREAMS_PER_USER = 10
TOPICS_PER_STREAM = 20


@dataclass(frozen=True)
class Frame:
    """One event of a topic: `seq` is its cursor, `wire` what goes over the line."""

    seq: int
    wire: bytes


class Feed(Protocol):
    """What a kind of topic can tell. Both are called in a thread, with a connection of its own."""

    def allowed(self, user: Any, key: str) -> bool:
        """Whether `user` may watch the topic now; asked again while the stream runs."""

    def after(self, key: str, cursor: int) -> list[Frame]:
        """The frames after `cursor`, in order; a bounded number, the rest on the next call."""


feeds: Registry[Feed] = Registry("feed")


def frame(event: str, seq: int, /, **data: Any) -> Frame:
    """An SSE frame with a JSON object as data."""
    body = json.dumps(data, separators=(",", ":"))
    return Frame(seq, f"event: {event}\ndata: {body}\n\n".encode())


def changed(topic: str, seq: int) -> Frame:
    """Say that a topic moved on; the page fetches what it shows of it."""
    return frame("changed", seq, topic=topic, seq=seq)


class StateFeed:
    """A feed of a page whose content is fetched again whenever its version (a number) differs."""

    def __init__(self, topic: str, *, allowed: Callable[[Any], bool], version: Callable[[], int]) -> None:
        self._topic, self._allowed, self._version = topic, allowed, version

    def allowed(self, user: Any, key: str) -> bool:
        return self._allowed(user)

    def after(self, key: str, cursor: int) -> list[Frame]:
        version = self._version()
        return [changed(self._topic, version)] if version > cursor else []


@dataclass
class _Topic:
    name: str
    feed: Feed
    key: str
    head: int
    start: int
    ring: deque[Frame] = field(default_factory=lambda: deque(maxlen=RING))
    watchers: set[asyncio.Event] = field(default_factory=set)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def since(self, cursor: int) -> list[Frame] | None:
        """The frames after `cursor` that are at hand; None if some of them are only in the database."""
        if cursor < self.start:
            return None
        return [item for item in self.ring if item.seq > cursor]

    def extend(self, frames: Iterable[Frame]) -> None:
        for item in frames:
            if len(self.ring) == self.ring.maxlen:
                self.start = self.ring[0].seq
            self.ring.append(item)
            self.head = item.seq


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Run a reader in a thread and give its connection back.

    Not `sync_to_async`: that keeps a thread per request and swallows a cancellation while it runs.
    """

    def call() -> T:
        try:
            return function(*args)
        finally:
            connection.close()

    return await asyncio.to_thread(call)


class Hub:
    """The topics that this process's clients watch."""

    def __init__(self) -> None:
        self.topics: dict[str, _Topic] = {}
        self.streams: dict[int, int] = {}
        self.stopped = False
        self._pump: asyncio.Task[None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._deaf = True
        self._refreshing: set[asyncio.Task[None]] = set()

    def watch(self, name: str, cursor: int, bell: asyncio.Event) -> _Topic:
        """Subscribe `bell` to the topic `name`."""
        if self._pump is None:
            self._pump = asyncio.create_task(self._listen())
            self._ticker = asyncio.create_task(self._tick())
        topic = self.topics.get(name)
        if topic is None:
            kind, _, key = name.partition(":")
            topic = self.topics[name] = _Topic(name, feeds[kind], key, head=cursor, start=cursor)
        topic.watchers.add(bell)
        return topic

    def leave(self, topics: Iterable[_Topic], bell: asyncio.Event) -> None:
        """Unsubscribe; a topic that nobody watches is forgotten."""
        for topic in topics:
            topic.watchers.discard(bell)
            if not topic.watchers:
                self.topics.pop(topic.name, None)

    def stop(self) -> None:
        """End all streams: the process is going down."""
        self.stopped = True
        for topic in self.topics.values():
            for bell in topic.watchers:
                bell.set()
        for task in (self._pump, self._ticker):
            if task:
                task.cancel()

    async def refresh(self, topic: _Topic) -> None:
        """Read what is new in `topic` once, for all its watchers."""
        async with topic.reading:
            while frames := await in_thread(topic.feed.after, topic.key, topic.head):
                topic.extend(frames)
                for bell in topic.watchers:
                    bell.set()

    def _refresh_soon(self, topic: _Topic) -> None:
        async def run() -> None:
            try:
                await self.refresh(topic)
            except Exception as error:  # a database that is away: the next tick looks again
                logger.warning("Topic %s could not be read: %s", topic.name, error)

        task = asyncio.create_task(run())
        self._refreshing.add(task)
        task.add_done_callback(self._refreshing.discard)

    async def _listen(self) -> None:
        while not self.stopped:
            try:
                await self._hear()
            except (RedisError, OSError, ValueError) as error:
                if not self._deaf:
                    logger.warning("Live streams poll until Redis is back: %s", error)
            self._deaf = True
            await asyncio.sleep(2)

    async def _hear(self) -> None:
        client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2)
        async with client, client.pubsub(ignore_subscribe_messages=True) as bells:
            await bells.subscribe(nudges.CHANNEL)
            self._deaf = False
            async for message in bells.listen():
                if topic := self.topics.get(message["data"].decode()):
                    self._refresh_soon(topic)

    async def _tick(self) -> None:
        """Look at every watched topic now and then: a lost nudge costs seconds."""
        while not self.stopped:
            await asyncio.sleep(POLL_ALONE_S if self._deaf else POLL_S)
            for topic in list(self.topics.values()):
                self._refresh_soon(topic)


hub = Hub()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The door `/live`."""
    user = await in_thread(_user, scope)
    asked = _asked(scope)
    if user is None:
        await answer(send, 401, b'{"error":"Sign in first."}')
    elif asked is None:
        await answer(send, 400, b'{"error":"Ask for topics as kind:key@cursor, twenty at most."}')
    elif not await in_thread(_all_allowed, user, list(asked)):
        await answer(send, 404, b'{"error":"No such topic."}')
    elif hub.streams.get(user.pk, 0) >= STREAMS_PER_USER:
        await answer(send, 429, b'{"error":"Too many open pages; close some."}', headers=[(b"retry-after", b"10")])
    else:
        hub.streams[user.pk] = hub.streams.get(user.pk, 0) + 1
        try:
            await _Stream(scope, asked, receive, send).run()
        finally:
            hub.streams[user.pk] -= 1


class _Stream:
    """One client: replay, wait, ping, and ask again whether it may."""

    def __init__(self, scope: Scope, cursors: dict[str, int], receive: Receive, send: Send) -> None:
        self.scope, self.cursors, self.receive, self.send = scope, cursors, receive, send
        self.bell = asyncio.Event()
        self.gone = False

    async def run(self) -> None:
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-cache, no-transform"),
            (b"x-accel-buffering", b"no"),
        ]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        topics = [hub.watch(name, cursor, self.bell) for name, cursor in self.cursors.items()]
        watcher = asyncio.create_task(self._watch_client())
        try:
            await self._write(b"retry: 2000\n\n" + await _tock("hello"))
            await self._follow(topics)
        finally:
            watcher.cancel()
            hub.leave(topics, self.bell)

    async def _follow(self, topics: list[_Topic]) -> None:
        for topic in topics:
            hub._refresh_soon(topic)
        while not (self.gone or hub.stopped):
            self.bell.clear()
            for topic in topics:
                await self._catch_up(topic)
            try:
                async with asyncio.timeout(PING_S):
                    await self.bell.wait()
            except TimeoutError:
                # Roles, grants and the session are read anew: what was taken away counts from now on.
                user = await in_thread(_user, self.scope)
                if user is None or not await in_thread(_all_allowed, user, list(self.cursors)):
                    break
                await self._write(await _tock("ping"))
        if not self.gone:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _catch_up(self, topic: _Topic) -> None:
        while not self.gone:
            frames = topic.since(self.cursors[topic.name])
            if frames is None:
                frames = await in_thread(topic.feed.after, topic.key, self.cursors[topic.name])
            if not frames:
                return
            await self._write(b"".join(item.wire for item in frames))
            self.cursors[topic.name] = frames[-1].seq

    async def _write(self, body: bytes) -> None:
        if not self.gone:
            await self.send({"type": "http.response.body", "body": body, "more_body": True})

    async def _watch_client(self) -> None:
        while not self.gone:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                self.bell.set()


async def _tock(event: str) -> bytes:
    now = await in_thread(clock.now)
    return frame(event, 0, server_time=now.isoformat()).wire


def _user(scope: Scope) -> Any:
    """The signed-in, active person behind the request's session cookie, or None."""
    raw = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
    morsel = SimpleCookie(raw).get(settings.SESSION_COOKIE_NAME)
    if morsel is None:
        return None
    store = import_module(settings.SESSION_ENGINE).SessionStore(morsel.value)
    user = get_user(SimpleNamespace(session=store))  # type: ignore[arg-type]
    return user if user.is_authenticated and user.is_active else None


def _asked(scope: Scope) -> dict[str, int] | None:
    """Topic names with cursors, or None if the query is not of that form."""
    found: dict[str, int] = {}
    for item in parse_qs(scope["query_string"].decode("latin-1")).get("topic", []):
        name, _, cursor = item.partition("@")
        if name.partition(":")[0] not in feeds or not (cursor or "0").isdigit():
            return None
        found[name] = int(cursor or 0)
    return found if 0 < len(found) <= TOPICS_PER_STREAM else None


def _all_allowed(user: Any, names: list[str]) -> bool:
    return all(feeds[name.partition(":")[0]].allowed(user, name.partition(":")[2]) for name in names)
