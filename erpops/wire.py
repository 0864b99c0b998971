"""Writing the same bytes to many connections of this process without passing through each one's ASGI `send`.

`serve` speaks HTTP with this protocol. It offers live streams an ASGI extension, the connection itself, so that an
event is framed once and then only handed to the sockets: that is about a third of the time to the last of a thousand.
Behind another server the extension is missing, and streams use `send`.
"""

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "erpops.wire"


class Wire:
    """The connection of one response. Only for what follows its headers, and only in whole chunks."""

    __slots__ = ("_flow", "_transport")

    def __init__(self, transport: asyncio.Transport, flow: FlowControl) -> None:
        self._transport, self._flow = transport, flow

    def write(self, chunk: bytes) -> bool:
        """Write one chunk of a chunked response; False if the reader is behind or gone, and nothing was written."""
        if self._flow.write_paused or self._transport.is_closing():
            return False
        self._transport.write(chunk)
        return True


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with the extension in the scope of each request."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: Wire(self.transport, self.flow)}  # type: ignore[dict-item]


def chunk(body: bytes) -> bytes:
    """`body`, which is not empty, as one chunk (RFC 9112, 7.1): without a length every response of ours is chunked."""
    return b"%x\r\n%b\r\n" % (len(body), body)
