"""Carrying out commands in tests: in this process, as a worker's task does it."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connections

from erpops import pids
from runbooks import runner, spool, tasks
from runbooks.choices import TERMINAL_RUNS
from runbooks.models import CommandRun
from tests.runbooks.builders import Walk


def run_now(place: Walk, index: int = 0, **request: Any) -> CommandRun:
    """Ask for a command, carry it out, wait for its end."""
    run = runner.request(step_run=place.step(), command=index, by=place.user, **request)
    tasks.run_command(run.pk)
    run.refresh_from_db()
    return run


def begin(place: Walk, index: int = 0, **request: Any) -> CommandRun:
    """Ask for a command and return once it runs."""
    run = runner.request(step_run=place.step(), command=index, by=place.user, **request)
    in_background(run)
    until(lambda: now(run).status == "running")
    return now(run)


def in_background(run: CommandRun) -> threading.Thread:
    """What a worker does with the attempt's message, in a thread."""

    def work() -> None:
        try:
            tasks.run_command(run.pk)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def now(run: CommandRun) -> CommandRun:
    """The attempt as it stands in the database."""
    return CommandRun.objects.get(pk=run.pk)


def ended(run: CommandRun, seconds: float = 15) -> CommandRun:
    """The attempt, once it has an end."""
    until(lambda: now(run).status in TERMINAL_RUNS, seconds)
    return now(run)


def until(true: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something that happens elsewhere."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"it did not happen within {seconds} s"
        time.sleep(0.02)


def supervisor_of(run: CommandRun) -> int:
    """The pid of the attempt's supervisor."""
    pid, started = pids.read_identity(spool.root() / str(run.pk) / "supervisor.pid")
    assert pids.is_same(pid, started), "no supervisor runs"
    return pid


def alive(pid_file: Path) -> list[int]:
    """Which of the processes that noted their pids in a file still live."""
    return [pid for pid in map(int, pid_file.read_text().split()) if pids.started_at(pid)]


def wait_all_gone() -> None:
    """Until no supervisor of this data directory runs, and none that has not begun with its attempt."""
    until(lambda: not any(spool.Spool(run_id).supervised() for run_id in spool.run_ids()) and not _beginning(), 20)


def _beginning() -> list[int]:
    """Guardians and supervisors of this process, and orphaned ones where it takes those in; not a worker's spares."""
    return [pid for pid in pids.children(os.getpid()) if pids.started_at(pid) and _line(pid) == _line(os.getpid())]


def _line(pid: int) -> bytes:
    """A forked process keeps the command line of its parent until it becomes another program."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
