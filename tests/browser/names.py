"""A name server for the containers of a stage: the names that they know each other by, and no others."""

import socket
import struct
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

ADDRESS = "127.0.0.54"
_PORT = 53
_A, _NO_SUCH_NAME = 1, 3
_ANSWER = struct.pack("!HHHIH", 0xC00C, _A, 1, 5, 4) + socket.inet_aton("127.0.0.1")


@contextmanager
def name_server(known: Collection[str]) -> Iterator[str]:
    """Serves `known` as this machine; yields the address, or nothing where the port is taken or not ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        try:
            server.bind((ADDRESS, _PORT))
        except OSError:
            yield ""
            return
        serving = threading.Thread(target=_serve, args=(server, frozenset(known)), daemon=True)
        serving.start()
        try:
            yield ADDRESS
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", (ADDRESS, _PORT))
            serving.join(5)


def _serve(server: socket.socket, known: frozenset[str]) -> None:
    while True:
        query, sender = server.recvfrom(512)
        if not query:
            return
        if len(query) > 16:
            server.sendto(answer(query, known), sender)


def answer(query: bytes, known: frozenset[str]) -> bytes:
    """The answer to one query: an address for a known name, nothing for its other records, else that there is none."""
    at, labels = 12, []
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += length + 1
    question = query[12 : at + 5]
    [kind] = struct.unpack_from("!H", query, at + 1)
    there = ".".join(labels).lower() in known
    addressed = there and kind == _A
    flags = 0x8580 | (0 if there else _NO_SUCH_NAME)
    head = query[:2] + struct.pack("!HHHHH", flags, 1, int(addressed), 0, 0)
    return head + question + (_ANSWER if addressed else b"")
