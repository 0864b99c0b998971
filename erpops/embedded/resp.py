"""The Valkey protocol, as much of it as asking a server takes."""

import socket
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import unquote, urlsplit


class ReplyError(Exception):
    """An error that the server answered, in its own words."""


@dataclass(frozen=True)
class Status:
    """A simple status such as OK, which is shown without quotes."""

    text: str


class Connection:
    """One connection to a Valkey or Redis server; `url` is redis[s]://[user]:password@host:port/number."""

    def __init__(self, url: str, *, timeout: float | None = 5.0) -> None:
        parts = urlsplit(url)
        host = parts.hostname or "127.0.0.1"
        self._socket = socket.create_connection((host, parts.port or 6379), timeout)
        if parts.scheme in ("rediss", "valkeys"):
            import ssl  # takes longer to import than most commands take to run

            self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=host)
        self._file: BinaryIO = self._socket.makefile("rb")
        if parts.password:
            user = [unquote(parts.username)] if parts.username else []
            self._must("AUTH", *user, unquote(parts.password))
        if parts.path.strip("/"):
            self._must("SELECT", parts.path.strip("/"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def call(self, *words: str | bytes) -> object:
        """Send one command and return its reply; a ReplyError is returned, not raised."""
        self.send(*words)
        return self.receive()

    def wait_for_ever(self) -> None:
        """For replies that come when something happens, as after SUBSCRIBE."""
        self._socket.settimeout(None)

    def send(self, *words: str | bytes) -> None:
        encoded = [word.encode("utf-8", "surrogateescape") if isinstance(word, str) else word for word in words]
        body = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)
        self._socket.sendall(b"*%d\r\n%b" % (len(encoded), body))

    def receive(self) -> object:
        """The next reply: Status, int, bytes, None, ReplyError or a list of these."""
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return Status(rest.decode(errors="replace"))
        if kind == b"-":
            return ReplyError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.receive() for _ in range(int(rest))]
        raise ConnectionError(f"Not a Valkey server: it answered {line[:40]!r}")

    def _must(self, *words: str) -> None:
        reply = self.call(*words)
        if isinstance(reply, ReplyError):
            self.close()
            raise reply
