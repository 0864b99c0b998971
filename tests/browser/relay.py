"""A network cable that a test can pull out: a TCP relay between the browser and the console."""

import selectors
import socket
import threading
from typing import Self

_CHUNK = 65536


class Cable:
    """`with Cable(port) as cable:` relays `cable.url` to the console on `port`.

    While it is `pulled` nothing passes in either direction and nothing is closed: as with a real cable neither side
    is told. What was on the way waits, and what is sent meanwhile is delivered when it is `plugged` in again.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._in = threading.Event()
        self._in.set()
        self._over = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._in.set()
        self._server.close()

    def pull(self) -> None:
        """Nothing passes from now on."""
        self._in.clear()

    def plug(self) -> None:
        """Everything passes again."""
        self._in.set()

    def _accept(self) -> None:
        while not self._over:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        self._in.wait()
        try:
            server = socket.create_connection(self._target, timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        with client, server, selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while not self._over:
                for key, _ in ready.select(0.2):
                    self._in.wait()
                    assert isinstance(key.fileobj, socket.socket)
                    try:
                        data = key.fileobj.recv(_CHUNK)
                        key.data.sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
