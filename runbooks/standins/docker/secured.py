"""A connection to an engine over TLS whose input can end while its output goes on.

The TLS of ordinary sockets loses what is under way when one direction is closed. Here the records pass through memory:
everything that has come is decrypted at once, so nothing is under way when the input ends.
"""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from runbooks.standins.ending import Ended

_READ, _CONNECT_S = 65536, 10
_HEAD_END = b"\r\n\r\n"
_PORT = 2376


class Secured:
    """The streams of a process, as `engine.Connection` gives them."""

    def __init__(self, host: str, context: ssl.SSLContext, path: str, body: Any) -> None:
        place = urlsplit(host)
        self._socket = socket.create_connection((place.hostname or "", place.port or _PORT), _CONNECT_S)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=place.hostname)
        # Sending is ordered by the first; the second is held only while nothing waits.
        self._sending, self._state = threading.Lock(), threading.Lock()
        self._ended = False
        self._shake_hands()
        self._socket.settimeout(None)
        self._early = self._ask(place.netloc, path, json.dumps(body).encode() if body is not None else b"")

    def coming(self) -> Iterator[bytes]:
        """What the process prints, until it has ended."""
        if self._early:
            yield self._early
        while (piece := self._received()) is not None:
            if piece:
                yield piece

    def send(self, data: bytes) -> None:
        """Give the process input; OSError when it has ended."""
        with self._sending:
            while data:
                with self._state:
                    # One record at a time: what it did not take is written next.
                    data = data[self._tls.write(data) :]
                self._flush()

    def send_no_more(self) -> None:
        """Its input ends."""
        with self._sending:
            # The other side has not closed its direction yet, which is the point.
            with self._state, suppress(ssl.SSLError):
                self._tls.unwrap()
            self._flush()

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed(self._socket.recv(_READ))
            else:
                self._flush()
                return

    def _ask(self, place: str, path: str, body: bytes) -> bytes:
        """Ask the engine to take the connection over; what came already of the process's output."""
        head = f"POST {path} HTTP/1.1\r\nHost: {place}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.send(head.encode() + body)
        answer = b""
        while _HEAD_END not in answer and (piece := self._received()) is not None:
            answer += piece
        told, _, early = answer.partition(_HEAD_END)
        words = told.split(None, 2)
        if len(words) > 1 and words[1] in (b"101", b"200"):
            return early
        raise Ended(1, f"Error response from daemon: {_message(early) or 'it did not answer'}")

    def _received(self) -> bytes | None:
        """What has come, which may be nothing yet; None when there will be no more."""
        if self._ended:
            return None
        data = self._socket.recv(_READ)
        pieces = []
        with self._state:
            self._feed(data)
            try:
                while piece := self._tls.read(_READ):
                    pieces.append(piece)
                self._ended = True
            except ssl.SSLWantReadError:
                self._ended = not data
            except ssl.SSLError:
                # The other side has closed its direction, or the connection has gone.
                self._ended = True
        return b"".join(pieces)

    def _feed(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        if waiting := self._outgoing.read():
            self._socket.sendall(waiting)


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()
