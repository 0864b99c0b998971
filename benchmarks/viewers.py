"""One event to the last of 1,000 viewers, against a bare epoll server that sends as many bytes to as many sockets."""

import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from django.contrib.auth.models import Group, User
from django.db.models import F
from django.test import Client

from benchmarks.rig import ROOT, Rig, Row, many_descriptors, median_of_pairs
from erpops import access, nudges
from erpops.live import STREAMS_PER_USER
from incidents import lifecycle
from incidents.models import Environment, Incident

# The next event comes when everybody has read the last one; of a round the best tenth counts, as other programs
# on the machine only make it longer.
VIEWERS, EVENTS, ROUNDS = 1_000, 100, 3


def measure(rig: Rig) -> list[Row]:
    """Milliseconds from the doorbell of a committed event until the last viewer has read it; and memory a viewer."""
    many_descriptors()
    place = Environment.objects.get(name="self")
    incident = lifecycle.open_incident(title="Watched", severity="SEV4", environment=place)
    cookies = _cookies(VIEWERS // STREAMS_PER_USER + 1)
    warm = Audience([_watch(rig.port, cookies[-1], incident) for _ in range(STREAMS_PER_USER)])
    _tell(incident, warm)
    before = rig.web_memory()
    ours = Audience([_watch(rig.port, cookies[n // STREAMS_PER_USER], incident) for n in range(VIEWERS)])
    ours.wait_for(b"event: ")
    _tell(incident, ours)
    grown = (rig.web_memory() - before) / VIEWERS / 1024
    raw = _Bare()
    pairs = [(raw.times(), _times(lambda: _tell(incident, ours))) for _ in range(ROUNDS)]
    bare, mine, ratio = median_of_pairs([(r[EVENTS // 10], o[EVENTS // 10]) for r, o in pairs])
    lost = ours.lost(expected=1 + ROUNDS * EVENTS)
    raw.close()
    return [
        Row(f"one event → the last of {VIEWERS:,} viewers", bare, mine, "ms", ratio, "≤ 1.6"),
        Row("the same, memory a viewer", 30, grown, "KiB", grown / 30, "≤ 1"),
        Row("the same, events lost or doubled", 0, lost, "", lost, "0"),
    ]


class Audience:
    """Connections that wait for lines, and how many they have read."""

    def __init__(self, connections: list[socket.socket]) -> None:
        self._poll = select.epoll()
        self._connections = {each.fileno(): each for each in connections}
        self._heard = dict.fromkeys(self._connections, 0)
        for descriptor, each in self._connections.items():
            each.setblocking(False)
            self._poll.register(descriptor, select.EPOLLIN)

    def wait_for(self, mark: bytes, seconds: float = 60) -> None:
        """Until each of them has read `mark` once more."""
        waiting = set(self._connections)
        deadline = time.perf_counter() + seconds
        while waiting:
            if time.perf_counter() > deadline:
                raise RuntimeError(f"{len(waiting)} viewers did not read {mark!r}.")
            for descriptor, _ in self._poll.poll(0.5):
                data = self._connections[descriptor].recv(65_536)
                if not data:
                    raise RuntimeError("A stream was ended by the server.")
                if mark in data:
                    self._heard[descriptor] += data.count(b"event: changed")
                    waiting.discard(descriptor)

    def lost(self, *, expected: int) -> int:
        """How many events are missing, or came twice, over all viewers."""
        time.sleep(0.5)
        for descriptor, _ in self._poll.poll(0):
            self._heard[descriptor] += self._connections[descriptor].recv(65_536).count(b"event: changed")
        return sum(abs(count - expected) for count in self._heard.values())


class _Bare:
    def __init__(self) -> None:
        command = [sys.executable, "-m", "benchmarks.bare_fanout"]
        self._server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._server.stdout is not None
        port = int(self._server.stdout.readline())
        self._first = socket.create_connection(("127.0.0.1", port))
        self._audience = Audience([socket.create_connection(("127.0.0.1", port)) for _ in range(VIEWERS)])
        time.sleep(0.5)

    def times(self) -> list[float]:
        # As long as what a viewer of ours reads.
        line = b"event: changed\ndata: {}\n\n".ljust(90, b" ")

        def tell() -> float:
            began = time.perf_counter()
            self._first.sendall(line)
            self._audience.wait_for(b"event: ")
            return time.perf_counter() - began

        return _times(tell)

    def close(self) -> None:
        self._first.close()
        self._server.wait(10)


def _times(tell: Callable[[], float]) -> list[float]:
    """Milliseconds of each of some events, the shortest first."""
    return sorted(tell() * 1000 for _ in range(EVENTS))


def _tell(incident: Incident, audience: Audience) -> float:
    Incident.objects.filter(pk=incident.pk).update(event_seq=F("event_seq") + 1)
    began = time.perf_counter()
    nudges.ring(f"incident:{incident.pk}")
    audience.wait_for(b"event: changed")
    return time.perf_counter() - began


def _cookies(people: int) -> list[str]:
    group = Group.objects.get(name=access.OPERATOR)
    found = []
    for n in range(people):
        user = User.objects.create_user(f"viewer{n}")
        user.groups.add(group)
        client = Client()
        client.force_login(user)
        found.append("; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items()))
    return found


def _watch(port: int, cookie: str, incident: Incident) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    request = (
        f"GET /live?topic=incident:{incident.pk}@{Incident.objects.get(pk=incident.pk).event_seq} HTTP/1.1\r\n"
        f"Host: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n"
    )
    connection.sendall(request.encode())
    return connection
