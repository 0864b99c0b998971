"""From "Run" to the first byte of output in the stream, against spawning, reading and publishing alone."""

import http.client
import re
import socket
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial

import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from benchmarks.rig import Rig, Row, paired
from incidents import lifecycle
from incidents.models import Environment
from runbooks import addresses, executions, library, needed, runner
from runbooks.compiler import compile_text
from runbooks.models import StepRun

COMMANDS = 25
REST_S = 0.3
TEXT = """# First byte

## Diagnosis

1. **Say something**

   ```bash
   echo something
   ```
"""


def measure(rig: Rig) -> list[Row]:
    """Milliseconds, p50: a person's POST, the claim, the supervisor, durable output, the stream."""
    rig.work()
    step = _step()
    queue = runner.queue_of(step.execution.environment)
    deadline = time.monotonic() + 60
    while needed.programs_there(queue) is None:
        if time.monotonic() > deadline:
            raise RuntimeError("No worker has reported.")
        time.sleep(0.2)
    person = _Person(rig.port, step)
    person.first_byte()
    bare, ours, ratio = paired(_raw, partial(_median, person.first_byte))
    return [Row("POST → first byte of output in the stream, p50", bare, ours, "ms", ratio, "≤ 5")]


def _raw() -> float:
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as listener:
        listener.subscribe("raw")
        listener.get_message(timeout=5)

        def once() -> float:
            began = time.perf_counter()
            with subprocess.Popen(["bash", "-c", "echo something"], stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                client.publish("raw", process.stdout.readline())
                while not listener.get_message(timeout=5):
                    pass
                return time.perf_counter() - began

        return _median(once)


def _median(work: Callable[[], float]) -> float:
    return statistics.median(_rested(work) for _ in range(COMMANDS)) * 1000


def _rested(work: Callable[[], float]) -> float:
    """A latency, not a rate: what the one before has left to do is done before the next begins."""
    time.sleep(REST_S)
    return work()


class _Person:
    """A browser of the admin that holds the baton: one connection for acts, a new one for each stream."""

    def __init__(self, port: int, step: StepRun) -> None:
        client = Client()
        client.force_login(User.objects.get(username="admin"))
        self._port = port
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        self._page = addresses.of_walk(step.execution, "walk_step", position=step.position)
        self._run = addresses.of_walk(step.execution, "command_run", position=step.position, command=0)
        self._token = self._csrf()

    def first_byte(self) -> float:
        """Seconds from the click until the stream has the first output; returns once the command has ended."""
        began = time.perf_counter()
        self._http.request(
            "POST", self._run, body=f"csrfmiddlewaretoken={self._token}", headers=self._headers(form=True)
        )
        answer = self._http.getresponse()
        found = re.search(r'data-live-topic="(run:\d+)@', answer.read().decode())
        if found is None:
            raise RuntimeError(f"The command was not accepted: {answer.status}")
        with socket.create_connection(("127.0.0.1", self._port)) as stream:
            stream.sendall(
                f"GET /live?topic={found[1]}@0 HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {self._cookie}\r\n\r\n".encode()
            )
            heard = self._read(stream, b"", b"event: output")
            took = time.perf_counter() - began
            self._read(stream, heard, b"event: end")
        return took

    def _read(self, stream: socket.socket, heard: bytes, mark: bytes) -> bytes:
        stream.settimeout(30)
        while mark not in heard:
            heard += stream.recv(65_536)
        return heard

    def _csrf(self) -> str:
        self._http.request("GET", self._page, headers=self._headers())
        answer = self._http.getresponse()
        page = answer.read().decode()
        cookie = re.search(r"csrftoken=[^;]+", answer.headers.get("Set-Cookie", ""))
        if cookie:
            self._cookie += f"; {cookie[0]}"
        found = re.search(r'"x-csrftoken": "([^"]+)"', page)
        assert found, answer.status
        return found[1]

    def _headers(self, *, form: bool = False) -> dict[str, str]:
        headers = {"Cookie": self._cookie, "Host": f"127.0.0.1:{self._port}"}
        if form:
            headers |= {
                "HX-Request": "true",
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": f"http://127.0.0.1:{self._port}",
            }
        return headers


def _step() -> StepRun:
    """A step with one reading command, of a walk that the admin holds."""
    document = compile_text(TEXT, path="first-byte.md")
    report = library.import_documents(compiled=[document], texts={"first-byte.md": TEXT}, by=None, publish_them=True)
    admin, place = User.objects.get(username="admin"), Environment.objects.get(name="self")
    incident = lifecycle.open_incident(title="First byte", severity="SEV4", environment=place, by=admin)
    walked = executions.start(runbook=report.versions[0].runbook, incident=incident, environment=place, by=admin)
    return StepRun.objects.select_related("execution__environment", "execution__incident").get(
        execution=walked, position=0
    )
