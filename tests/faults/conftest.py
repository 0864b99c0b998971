"""Fixtures for tests that break things: real worker processes on the test database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from django.conf import settings
from django.db import connection

from erpops import beats
from runbooks import containment
from tests.clock import clock
from tests.faults.invariants import judge
from tests.faults.world import World
from tests.runbooks.running import until, wait_all_gone

__all__ = ["clock"]
_ROOT = Path(__file__).resolve().parent.parent.parent


def url_of_tests() -> str:
    """The database of the tests, as another process reaches it."""
    database = connection.settings_dict
    login = f"{quote(database['USER'])}:{quote(database['PASSWORD'])}"
    return f"postgresql://{login}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


@pytest.fixture(scope="session", autouse=True)
def _takes_in_orphans() -> None:
    """What lives on when a stand-in for a worker was killed stays below this process, where it is found."""
    containment.become_subreaper("pytest")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The ledgers of what really happened."""
    return World(tmp_path, settings.DATABASE_URL)


@pytest.fixture(autouse=True)
def _judged(request: pytest.FixtureRequest, world: World) -> Iterator[None]:
    """After every test: the database, whichever it was, says the same as the world."""
    if not getattr(request.module, "JUDGED", True):
        yield
        return
    in_process = request.node.get_closest_marker("django_db") is not None
    stack = request.getfixturevalue("stack") if "stack" in request.fixturenames else None
    if in_process:
        request.getfixturevalue("transactional_db")
    yield
    if in_process:
        wait_all_gone()
        verdict = judge(database_url=url_of_tests(), world=world, data=Path(settings.DATA_DIR), within=5)
    elif stack is not None:
        # A page whose sender died is sent again when its lease is over.
        verdict = judge(database_url=stack.services()["database_url"], world=world, data=stack.data, within=60)
    else:
        return
    request.node.user_properties.append(("faults", dict(verdict.counts)))
    assert not verdict.violations, "\n".join(verdict.violations)


class Worker:
    """A real `manage.py worker` in a session of its own."""

    def __init__(self, log: Path, *, queue: str, concurrency: int, armed: dict[str, str]) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "worker", "--queues", queue, "--concurrency", str(concurrency)],
                cwd=_ROOT,
                env={**os.environ, "DATABASE_URL": url_of_tests(), "ERPOPS_ROLE": "worker", **armed},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        until(lambda: b" ready." in self.log.read_bytes() or self.process.poll() is not None, 30)
        assert self.process.poll() is None, self.log.read_text()

    def kill(self) -> None:
        """SIGKILL to the worker and its pool, as the kernel's memory killer would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def start_worker(tmp_path: Path, transactional_db: None, valkey: redis.Redis) -> Iterator[Callable[..., Worker]]:
    """Start workers that are gone after the test; `armed` are variables that arm failpoints of this one alone."""
    started: list[Worker] = []

    def start(*, queue: str = "env.test", concurrency: int = 2, armed: dict[str, str] | None = None) -> Worker:
        log = tmp_path / f"worker-{len(started)}.log"
        worker = Worker(log, queue=queue, concurrency=concurrency, armed=armed or {})
        started.append(worker)
        worker.wait_ready()
        beats.beat(role="worker", queues=[queue])
        return worker

    yield start
    wait_all_gone()
    for worker in started:
        worker.kill()
    time.sleep(0.1)
