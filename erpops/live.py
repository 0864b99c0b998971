"""Live streams, `/live?topic=incident:204@57&topic=now`: replay after the client's cursors, then wait.

A stream that asks for `here:incident:204` is itself said to be there, at the place that `at` names.

An idle stream holds no database connection. Whether a stream may go on is asked anew every few
seconds, for all streams of the process at once, also while one of them is being written to.
"""

import asyncio
import logging
import time
import types
import uuid
from collections import Counter
from collections.abc import Awaitable, Collection, Generator, Iterable
from functools import partial
from http.cookies import SimpleCookie
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.contrib.auth import get_user

from erpops import presence, sse
from erpops.doors import Receive, Scope, Send, answer
from erpops.sse import Said, Topic, feeds, frame, in_thread, piece, reset
from erpops.wire import EXTENSION, Wire

logger = logging.getLogger(__name__)

PING_S = 10.0
# A right that is taken away ends a stream after this long and the time that the question takes.
CHECK_S = 5.0
# If nobody could answer for so long, a stream ends: who may look is not known any more.
UNCHECKED_S = 15.0
STREAMS_PER_USER = 10
TOPICS_PER_STREAM = 20


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The door `/live`."""
    session, asked = _session(scope), _asked(scope)
    user_id, known = await in_thread(_admit, session, asked)
    if user_id is None:
        await answer(send, 401, b'{"error":"Sign in first."}')
    elif asked is None:
        await answer(send, 400, b'{"error":"Ask for topics as kind:key@cursor, twenty at most."}')
    elif known is None:
        await answer(send, 404, b'{"error":"No such topic."}')
    elif guard.count(user_id) >= STREAMS_PER_USER:
        await answer(send, 429, b'{"error":"Too many open pages; close some."}', headers=[(b"retry-after", b"10")])
    else:
        stream = Stream(session, user_id, known, receive, send, wire=scope.get("extensions", {}).get(EXTENSION))
        stream.entries = _entries(known, user_id, _place(scope))
        guard.add(stream)
        try:
            await stream.run(forgotten=[name for name, cursor in asked.items() if cursor > known[name]])
        finally:
            guard.remove(stream)


class Stream:
    """One client: replay, wait, ping. What happens while it waits is written by the hub itself (`offer`)."""

    def __init__(
        self, session: str, user_id: int, cursors: dict[str, int], receive: Receive, send: Send, *, wire: Wire | None
    ) -> None:
        self.session, self.user_id, self.cursors = session, user_id, cursors
        self._wire = wire
        self.entries: list[presence.Entry] = []
        self.checked_at = time.monotonic()
        self._receive, self._send = receive, send
        self._bell = asyncio.Event()
        self._waits = self._gone = self._revoked = False
        self._rest: Awaitable[None] | None = None
        self._task: asyncio.Task[Any] | None = None

    def wake(self) -> None:
        """Look for something new."""
        self._bell.set()

    def offer(self, topic: str, after: int, upto: int, said: Said) -> None:
        """Write it at once if this stream waits and lacks nothing else: with a thousand of them, waking
        each one's task would take longer than the writing. Whatever is in the way is left to the task."""
        if not self._waits or self._gone or self.cursors[topic] != after:
            self._bell.set()
        elif self._wire is None:
            self._begin_to_send(topic, upto, said)
        elif self._wire.write(said.chunk):
            self.cursors[topic] = upto
        else:
            self._bell.set()

    def _begin_to_send(self, topic: str, upto: int, said: Said) -> None:
        self.cursors[topic] = upto
        try:
            self._rest = begun(self._send(said.message))
        except Exception:
            logger.exception("A live stream could not be written to")
            self.revoke()
        if self._rest is not None:
            self._waits = False
            self._bell.set()

    def revoke(self) -> None:
        """End it now, even if its reader is so slow that a write is waiting."""
        if self._task is not None and not self._revoked:
            self._revoked = True
            self._task.cancel()

    async def run(self, *, forgotten: Iterable[str]) -> None:
        """Serve the client to its end; it is told first which topics' cursors are unknown here."""
        self._task = asyncio.current_task()
        hub = sse.hub
        topics = [hub.watch(name, cursor, self) for name, cursor in self.cursors.items()]
        watcher = asyncio.create_task(self._watch_client())
        try:
            await self._begin()
            for name in forgotten:
                await self._write(reset(name).wire)
            await self._follow(hub, topics)
        except asyncio.CancelledError:
            if not self._revoked or self._task is None:
                raise
            self._task.uncancel()
        finally:
            self._waits = False
            watcher.cancel()
            hub.leave(topics, self)
        await self._end()

    async def _begin(self) -> None:
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-cache, no-transform"),
            (b"x-accel-buffering", b"no"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._write(b"retry: 2000\n\n" + await _tock("hello"))

    async def _follow(self, hub: sse.Hub, topics: list[Topic]) -> None:
        for topic in topics:
            hub.refresh_soon(topic)
        while not (self._gone or hub.stopped):
            self._bell.clear()
            if self._rest is not None:
                rest, self._rest = self._rest, None
                await rest
            for topic in topics:
                await self._catch_up(topic)
            try:
                async with asyncio.timeout(PING_S):
                    # Nothing is awaited in between: whoever finds the bell silent is at the head of all topics.
                    self._waits = not self._bell.is_set()
                    await self._bell.wait()
            except TimeoutError:
                self._waits = False
                await self._write(await _tock("ping"))
            self._waits = False

    async def _catch_up(self, topic: Topic) -> None:
        while not self._gone:
            cursor = self.cursors[topic.name]
            frames = topic.since(cursor)
            if frames is None:
                frames = await in_thread(topic.feed.after, topic.key, cursor)
            if not frames:
                return
            body, upto = piece(frames)
            await self._write(body)
            self.cursors[topic.name] = upto

    async def _write(self, body: bytes) -> None:
        if not self._gone:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _end(self) -> None:
        if self._gone:
            return
        try:
            async with asyncio.timeout(1):
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            # A reader that takes nothing: the server closes the connection when this returns.
            return

    async def _watch_client(self) -> None:
        while not self._gone:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone = True
                self._bell.set()


def begun(work: Awaitable[None]) -> Awaitable[None] | None:
    """Run a coroutine up to its first wait; None if it has none, else what is left to be awaited."""
    steps = work.__await__()
    try:
        waits_for = next(steps)
    except StopIteration:
        return None
    return _resumed(steps, waits_for)


@types.coroutine
def _resumed(steps: Generator[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    yield waits_for
    yield from steps


class Guard:
    """The open streams of this process. Sessions, roles and grants are read anew for all of them together."""

    def __init__(self) -> None:
        self._streams: set[Stream] = set()
        self._users: Counter[int] = Counter()
        self._rounds: asyncio.Task[None] | None = None
        self._telling: set[asyncio.Task[None]] = set()

    def count(self, user_id: int) -> int:
        """How many streams a person has open here."""
        return self._users[user_id]

    def add(self, stream: Stream) -> None:
        self._renew(stream.entries)
        self._streams.add(stream)
        self._users[stream.user_id] += 1
        if self._rounds is None or self._rounds.done():
            self._rounds = asyncio.create_task(self._go_round())

    def remove(self, stream: Stream) -> None:
        self._renew(stream.entries, gone=True)
        self._streams.discard(stream)
        self._users[stream.user_id] -= 1
        if not self._users[stream.user_id]:
            del self._users[stream.user_id]

    async def _go_round(self) -> None:
        while self._streams:
            await asyncio.sleep(CHECK_S)
            began, streams = time.monotonic(), list(self._streams)
            asked = {(stream.session, frozenset(stream.cursors)) for stream in streams}
            try:
                allowed = await in_thread(_still_allowed, asked)
            except Exception as error:  # a database that is away; whoever stays unchecked for too long must go
                logger.warning("Live streams could not be checked: %s", error)
                allowed = set()
            else:
                for stream in streams:
                    if (stream.session, frozenset(stream.cursors)) in allowed:
                        stream.checked_at = began
                    else:
                        stream.revoke()
            for stream in streams:
                if began - stream.checked_at > UNCHECKED_S:
                    stream.revoke()
            self._renew([entry for stream in self._streams for entry in stream.entries])

    def _renew(self, entries: list[presence.Entry], *, gone: bool = False) -> None:
        """Nobody waits for it: a presence that is said late, or not at all, harms nothing."""
        if entries:
            task = asyncio.create_task(in_thread(partial(presence.renew, entries, gone=gone)))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)


guard = Guard()


async def _tock(event: str) -> bytes:
    now = await sse.hub.time()
    return frame(event, 0, server_time=now.isoformat()).wire


def _session(scope: Scope) -> str:
    """The session key in the request's cookie, or nothing."""
    raw = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
    morsel = SimpleCookie(raw).get(settings.SESSION_COOKIE_NAME)
    return morsel.value if morsel else ""


def _asked(scope: Scope) -> dict[str, int] | None:
    """Topic names with cursors, or None if the query is not of that form."""
    found: dict[str, int] = {}
    for item in parse_qs(scope["query_string"].decode("latin-1")).get("topic", []):
        name, _, cursor = item.partition("@")
        if name.partition(":")[0] not in feeds or not (cursor or "0").isdecimal() or len(cursor) > 18:
            return None
        found[name] = int(cursor or 0)
    return found if 0 < len(found) <= TOPICS_PER_STREAM else None


def _place(scope: Scope) -> str:
    """Where on its page the person is."""
    place = parse_qs(scope["query_string"].decode("latin-1")).get("at", [""])[0]
    return place if presence.PLACE.fullmatch(place) else "page"


def _entries(known: dict[str, int], user_id: int, place: str) -> list[presence.Entry]:
    """What the stream says of its person: one entry per topic about which it asks who is there."""
    topics = [name.partition(":")[2] for name in known if name.startswith(f"{presence.KIND}:")]
    stream = uuid.uuid4().hex[:16]
    return [presence.Entry(topic, stream, user_id, place) for topic in topics]


def _admit(session: str, asked: dict[str, int] | None) -> tuple[int | None, dict[str, int] | None]:
    """Who it is (None for nobody) and the cursors to begin at (None if a topic is not theirs).

    A cursor beyond the newest is unknown here: everything is told from the beginning.
    """
    user = _user(session)
    if user is None:
        return None, None
    if asked is None or not _all_allowed(user, asked):
        return user.pk, None
    return user.pk, {name: cursor if cursor <= _newest(name) else 0 for name, cursor in asked.items()}


def _still_allowed(asked: Collection[tuple[str, frozenset[str]]]) -> set[tuple[str, frozenset[str]]]:
    """Those (session, topics) whose person may still watch all of the topics; each person is read once."""
    users = {session: _user(session) for session in {session for session, _ in asked}}
    verdicts: dict[tuple[str, str], bool] = {}
    allowed = set()
    for session, names in asked:
        user = users[session]
        for name in names:
            if (session, name) not in verdicts:
                verdicts[session, name] = user is not None and _all_allowed(user, [name])
        if all(verdicts[session, name] for name in names):
            allowed.add((session, names))
    return allowed


def _user(session: str) -> Any:
    """The signed-in, active person of a session, or None."""
    if not session:
        return None
    store = import_module(settings.SESSION_ENGINE).SessionStore(session)
    user = get_user(SimpleNamespace(session=store))  # type: ignore[arg-type]
    return user if user.is_authenticated and user.is_active else None


def _all_allowed(user: Any, names: Iterable[str]) -> bool:
    return all(feeds[name.partition(":")[0]].allowed(user, name.partition(":")[2]) for name in names)


def _newest(name: str) -> int:
    kind, _, key = name.partition(":")
    return feeds[kind].newest(key)
