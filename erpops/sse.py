"""What live streams say: topics, their frames, and the hub that reads each topic once a process.

What a topic says is read from PostgreSQL by its `Feed`; Redis only says "look again", and without
it the hub polls. However many clients watch a topic (`erpops.live`), it is read and framed once.
"""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

import redis.asyncio
from django.conf import settings
from django.db import connection
from redis.exceptions import RedisError

from erpops import clock, nudges, wire
from erpops.registry import Registry

logger = logging.getLogger(__name__)
T = TypeVar("T")
Message = MutableMapping[str, Any]

POLL_S = 10.0
POLL_ALONE_S = 1.0
# What a topic keeps at hand for clients that are a little behind; the rest is read from the database.
RING_FRAMES, RING_BYTES = 512, 1_000_000
CLOCK_S = 10.0
# The most that is handed to the server at once, so that a slow reader holds little memory.
PIECE_BYTES = 65_536


@dataclass(frozen=True)
class Frame:
    """One event of a topic: `seq` is its cursor, `wire` what goes over the line."""

    seq: int
    wire: bytes


class Feed(Protocol):
    """What a kind of topic can tell. Both are called in a thread, with a connection of its own."""

    def allowed(self, user: Any, key: str) -> bool:
        """Whether `user` may watch the topic now; asked again while the stream runs."""

    def newest(self, key: str) -> int:
        """The highest cursor that anybody can have been given; a higher one was made up, or is of another database."""

    def after(self, key: str, cursor: int) -> list[Frame]:
        """The frames after `cursor`, in order; a bounded amount, the rest on the next call."""


feeds: Registry[Feed] = Registry("feed")


def frame(event: str, seq: int, /, **data: Any) -> Frame:
    """An SSE frame with a JSON object as data."""
    body = json.dumps(data, separators=(",", ":"))
    return Frame(seq, f"event: {event}\ndata: {body}\n\n".encode())


def changed(topic: str, seq: int) -> Frame:
    """Say that a topic moved on; the page fetches what it shows of it."""
    return frame("changed", seq, topic=topic, seq=seq)


def reset(topic: str) -> Frame:
    """Say that the page's cursor is unknown here: everything of the topic follows from its beginning."""
    return frame("reset", 0, topic=topic)


def piece(frames: Sequence[Frame]) -> tuple[bytes, int]:
    """As many of `frames` as are sent at once, at least one; and the cursor behind them."""
    if len(frames) == 1:
        return frames[0].wire, frames[0].seq
    taken: list[Frame] = []
    size = 0
    for item in frames:
        if taken and size + len(item.wire) > PIECE_BYTES:
            break
        taken.append(item)
        size += len(item.wire)
    return b"".join(item.wire for item in taken), taken[-1].seq


class StateFeed:
    """A feed of a page whose content is fetched again whenever its version (a number) differs."""

    def __init__(self, topic: str, *, allowed: Callable[[Any], bool], version: Callable[[], int]) -> None:
        self._topic, self._allowed, self._version = topic, allowed, version

    def allowed(self, user: Any, key: str) -> bool:
        return self._allowed(user)

    def newest(self, key: str) -> int:
        return self._version()

    def after(self, key: str, cursor: int) -> list[Frame]:
        version = self._version()
        return [changed(self._topic, version)] if version > cursor else []


class Said:
    """What a topic says, framed once for all who hear it."""

    __slots__ = ("chunk", "message")

    def __init__(self, body: bytes) -> None:
        self.message: Message = {"type": "http.response.body", "body": body, "more_body": True}
        self.chunk = wire.chunk(body)


class Watcher(Protocol):
    """Who watches topics. Called from the hub's loop: neither waits, and neither fails."""

    def wake(self) -> None:
        """There may be something new, or the hub stops."""

    def offer(self, topic: str, after: int, upto: int, said: Said) -> None:
        """What `topic` says after cursor `after` up to cursor `upto`, ready to be sent; it may be left for later."""


@dataclass(slots=True)
class Topic:
    """A topic that is watched: the frames at hand, and the watchers. `start` is the cursor from which the
    ring is whole, `head` the cursor of its last frame."""

    name: str
    feed: Feed
    key: str
    head: int
    start: int
    ring: deque[Frame] = field(default_factory=deque)
    held_bytes: int = 0
    watchers: set[Watcher] = field(default_factory=set)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    rung: bool = False

    def since(self, cursor: int) -> list[Frame] | None:
        """The frames after `cursor` that are at hand; None if some of them are only in the database."""
        if cursor < self.start:
            return None
        found = []
        # Almost everybody lacks the last frame only.
        for item in reversed(self.ring):
            if item.seq <= cursor:
                break
            found.append(item)
        found.reverse()
        return found

    def extend(self, frames: Iterable[Frame]) -> None:
        for item in frames:
            self.ring.append(item)
            self.head = item.seq
            self.held_bytes += len(item.wire)
            while len(self.ring) > RING_FRAMES or (self.held_bytes > RING_BYTES and len(self.ring) > 1):
                gone = self.ring.popleft()
                self.start = gone.seq
                self.held_bytes -= len(gone.wire)


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
        self.topics: dict[str, Topic] = {}
        self.stopped = False
        self._time: tuple[float, datetime] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._deaf = True
        self._refreshing: set[asyncio.Task[None]] = set()

    def watch(self, name: str, cursor: int, watcher: Watcher) -> Topic:
        """Subscribe `watcher` to the topic `name`."""
        if self._pump is None:
            self._pump = asyncio.create_task(self._listen())
            self._ticker = asyncio.create_task(self._tick())
        topic = self.topics.get(name)
        if topic is None:
            kind, _, key = name.partition(":")
            topic = self.topics[name] = Topic(name, feeds[kind], key, head=cursor, start=cursor)
        topic.watchers.add(watcher)
        return topic

    def leave(self, topics: Iterable[Topic], watcher: Watcher) -> None:
        """Unsubscribe; a topic that nobody watches is forgotten."""
        for topic in topics:
            topic.watchers.discard(watcher)
            if not topic.watchers:
                self.topics.pop(topic.name, None)

    def stop(self) -> None:
        """End all streams: the process is going down."""
        self.stopped = True
        for topic in self.topics.values():
            for watcher in topic.watchers:
                watcher.wake()
        for task in (self._pump, self._ticker):
            if task:
                task.cancel()

    async def time(self) -> datetime:
        """The database's time, asked once in a while for all streams and carried on by this machine's clock."""
        if self._time is None or time.monotonic() - self._time[0] > CLOCK_S:
            then = await in_thread(clock.now)
            self._time = (time.monotonic(), then)
        asked_at, then = self._time
        return then + clock.seconds(time.monotonic() - asked_at)

    async def refresh(self, topic: Topic) -> None:
        """Read what is new in `topic` once, for all its watchers."""
        async with topic.reading:
            # From here on a nudge means something that this reading may not have seen.
            topic.rung = False
            while frames := await in_thread(topic.feed.after, topic.key, topic.head):
                after = topic.head
                topic.extend(frames)
                body, upto = piece(frames)
                said = Said(body)
                for watcher in topic.watchers:
                    watcher.offer(topic.name, after, upto, said)
                if upto != topic.head:
                    # What did not fit into one piece is for the watchers to fetch.
                    for watcher in topic.watchers:
                        watcher.wake()

    def refresh_soon(self, topic: Topic) -> None:
        """Look at `topic` without waiting for it. Nudges that come before the look begins share it."""
        if topic.rung:
            return
        topic.rung = True

        async def run() -> None:
            try:
                await self.refresh(topic)
            except Exception as error:  # a database that is away: the next tick looks again
                topic.rung = False
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
                    self.refresh_soon(topic)

    async def _tick(self) -> None:
        """Look at every watched topic now and then: a lost nudge costs seconds."""
        while not self.stopped:
            await asyncio.sleep(POLL_ALONE_S if self._deaf else POLL_S)
            for topic in list(self.topics.values()):
                self.refresh_soon(topic)


hub = Hub()
