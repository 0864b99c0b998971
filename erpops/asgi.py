"""The web process: the hot doors first, Django for everything else."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erpops.settings")

from django.core.asgi import get_asgi_application

_django = get_asgi_application()

from erpops.doors import Receive, Scope, Send, doors  # noqa: E402  # apps must be ready first


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a request to the door that owns its path."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    path = scope["path"]
    for prefix, door in doors.items():
        if path.startswith(prefix):
            await door(scope, receive, send)
            return
    await _django(scope, receive, send)  # type: ignore[arg-type]


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
