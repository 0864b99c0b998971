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
from django.db import connection

from erpops import beats
from tests.clock import clock
from tests.runbooks.running import until, wait_all_gone

__all__ = ["clock"]
_ROOT = Path(__file__).resolve().parent.parent.parent


class Worker:
    """A real `manage.py worker` in a session of its own."""

    def __init__(self, log: Path, *, concurrency: int) -> None:
        self.log = log
        database = connection.settings_dict
        login = f"{quote(database['USER'])}:{quote(database['PASSWORD'])}"
        url = f"postgresql://{login}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "worker", "--queues", "env.test", "--concurrency", str(concurrency)],
                cwd=_ROOT,
                env={**os.environ, "DATABASE_URL": url, "ERPOPS_ROLE": "worker"},
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
    """Start workers that are gone after the test."""
    started: list[Worker] = []

    def start(*, concurrency: int = 2) -> Worker:
        worker = Worker(tmp_path / f"worker-{len(started)}.log", concurrency=concurrency)
        started.append(worker)
        worker.wait_ready()
        beats.beat(role="worker", queues=["env.test"])
        return worker

    yield start
    wait_all_gone()
    for worker in started:
        worker.kill()
    time.sleep(0.1)
