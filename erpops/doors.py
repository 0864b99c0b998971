"""ASGI applications that stand beside Django: alert hooks and live streams, by path prefix."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from erpops.registry import Registry

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

doors: Registry[App] = Registry("door")


async def answer(
    send: Send,
    status: int,
    body: bytes,
    *,
    kind: bytes = b"application/json",
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    """One whole response."""
    top = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": top + (headers or [])})
    await send({"type": "http.response.body", "body": body})
