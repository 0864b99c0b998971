"""The door for alerts: `POST /hooks/<kind>` with the source's token.

A plain ASGI application. Bodies that arrive while one transaction commits share the next one, and
each sender is answered after its own commit: 2xx means stored. Overload and a database that is away
are 503 with Retry-After, never 429: Alertmanager drops what is answered with 4xx.
"""

import asyncio
import json
import logging
import time
from dataclasses import dataclass, field

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError

from erpops.doors import Receive, Scope, Send, answer
from erpops.failpoints import failpoint
from erpops.sse import in_thread
from incidents import intake
from incidents.models import Source
from incidents.sources import find, parsers, token_digest
from incidents.sources.parsed import Malformed, load

logger = logging.getLogger(__name__)

PREFIX = "/hooks/"
MAX_WAITING = 2000
BATCH = 200
SOURCE_CACHE_S = 5.0


class Refuse(Exception):
    """An answer other than 2xx, with a sentence for the sender."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status, self.sentence = status, sentence
        super().__init__(sentence)


@dataclass
class Gate:
    """Group commit: one fold at a time, with everything that came meanwhile."""

    waiting: list[tuple[intake.Incoming, "asyncio.Future[intake.Folded]"]] = field(default_factory=list)
    folding: asyncio.Task[None] | None = None

    async def take(self, item: intake.Incoming) -> intake.Folded:
        """Wait until `item` is committed."""
        if len(self.waiting) >= MAX_WAITING:
            raise Refuse(503, "Too many alerts are waiting; send it again.")
        done: asyncio.Future[intake.Folded] = asyncio.get_running_loop().create_future()
        self.waiting.append((item, done))
        if self.folding is None or self.folding.done():
            self.folding = asyncio.create_task(self._drain())
        return await done

    async def _drain(self) -> None:
        while self.waiting:
            batch, self.waiting = self.waiting[:BATCH], self.waiting[BATCH:]
            try:
                folded = await in_thread(intake.fold, [item for item, _ in batch])
            except Exception as error:
                await self._one_by_one(batch, error)
                continue
            failpoint("delivery.committed")
            for (_, done), result in zip(batch, folded, strict=True):
                if not done.done():
                    done.set_result(result)

    async def _one_by_one(
        self, batch: list[tuple[intake.Incoming, "asyncio.Future[intake.Folded]"]], error: Exception
    ) -> None:
        """A body that cannot be stored must not take its neighbours with it."""
        for item, done in batch:
            if done.done():
                continue
            if len(batch) == 1 or isinstance(error, OperationalError | InterfaceError):
                done.set_exception(error)
                continue
            try:
                done.set_result((await in_thread(intake.fold, [item]))[0])
            except Exception as own:
                done.set_exception(own)


gate = Gate()
_sources: dict[str, tuple[float, Source | None]] = {}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one delivery."""
    headers: list[tuple[bytes, bytes]] = []
    try:
        folded = await _take(scope, receive)
        status, body = 202, {"delivery": folded.delivery_id, "incidents": folded.incident_ids}
    except Refuse as refusal:
        status, body = refusal.status, {"error": refusal.sentence}
    except DatabaseError as error:
        logger.warning("A delivery could not be stored: %s", str(error).splitlines()[0] if str(error) else error)
        status, body = 503, {"error": "The database did not answer; send it again."}
    except Exception:
        logger.exception("A delivery could not be stored")
        status, body = 503, {"error": "It could not be stored; send it again."}
    if status == 503:
        headers.append((b"retry-after", b"5"))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await answer(send, status, json.dumps(body).encode(), headers=headers)


async def _take(scope: Scope, receive: Receive) -> intake.Folded:
    kind, _, path_token = scope["path"].removeprefix(PREFIX).strip("/").partition("/")
    if kind not in parsers:
        raise Refuse(404, f"There is no door for {kind[:40]!r}; use {', '.join(parsers)}.")
    if scope["method"] != "POST":
        raise Refuse(405, "Send alerts with POST.")
    source = await _source(kind, _token(scope, path_token))
    body = await _body(scope, receive)
    try:
        alerts = parsers[kind](load(body), source)
    except Malformed as error:
        raise Refuse(400, str(error)) from error
    return await gate.take(intake.Incoming(source, body, alerts))


def _token(scope: Scope, path_token: str) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return path_token


async def _source(kind: str, token: str) -> Source:
    if not token:
        raise Refuse(401, "Send the source's token: Authorization: Bearer <token>.")
    digest = token_digest(token)
    until, source = _sources.get(digest, (0.0, None))
    if time.monotonic() >= until:
        source = await in_thread(find, digest)
        if len(_sources) > 1000:
            _sources.clear()
        _sources[digest] = (time.monotonic() + SOURCE_CACHE_S, source)
    if source is None or source.kind != kind:
        raise Refuse(401, "This token is not known here, or not for this kind of source.")
    return source


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The body, up to the limit; what is longer is refused before it is read."""
    limit = settings.INGEST_MAX_BYTES
    too_long = Refuse(413, f"The body is longer than {limit:,} bytes; send fewer alerts at once.")
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise too_long
        if name == b"content-encoding" and value.lower() not in {b"", b"identity"}:
            raise Refuse(415, "Send the body without compression.")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refuse(400, "The connection ended before the body did.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise too_long
        if not message.get("more_body"):
            return b"".join(parts)
