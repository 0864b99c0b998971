"""A TCP relay in front of PostgreSQL that lets a statement through and cuts the connection instead of its answer."""

import re
import select
import socket
import threading
from typing import Self

_CHUNK = 65536


class Proxy:
    """`with Proxy(host, port, cut=n)`: `port` is where to connect.

    Statements that match `WRITES` are counted over all connections; the answer to number `cut` never arrives
    (0: all do). What such a statement did is done: nobody but the server knows.
    """

    WRITES = re.compile(rb'COMMIT|UPDATE "runbooks_commandrun"')

    def __init__(self, host: str, port: int, *, cut: int) -> None:
        self._target = (host, port)
        self._cut = cut
        self._counting = threading.Lock()
        self.seen = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server:
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for source, sink in ((client, server), (server, client)):
                    if source not in ready:
                        continue
                    try:
                        data = source.recv(_CHUNK)
                        sink.sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
                    if source is client and self._is_last(data):
                        # Its answer is awaited, so that it was carried out, and swallowed.
                        server.recv(_CHUNK)
                        return

    def _is_last(self, data: bytes) -> bool:
        with self._counting:
            before = self.seen
            self.seen += len(self.WRITES.findall(data))
            return before < self._cut <= self.seen
