"""Child processes under one supervisor: started, watched, restarted with patience, ended in order.

Every child leads a process group of its own, so that a key pressed at the terminal reaches only the
supervisor, and so that what a child leaves behind can be found and ended with it.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from erpops import pids
from erpops.embedded.launch import dying_with_parent, last_lines

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
HEALTHY_AFTER = 60.0
LOG_LIMIT, LOGS_KEPT = 5_000_000, 3
RUN_MARK = "ERPOPS_RUN"  # in the environment of every child: which `up` it belongs to

Say = Callable[[str], None]


class Child:
    """One program that is meant to run all the time.

    `say` receives a line for each change of state. The child's own output goes to `log`; it writes there
    itself, so that it survives the supervisor without a broken pipe.
    """

    def __init__(
        self, name: str, command: list[str], *, log: Path, cwd: Path, environment: dict[str, str], say: Say
    ) -> None:
        self.name = name
        self.deaths = 0
        self._command, self._log, self._cwd, self._environment, self._say = (
            command,
            log,
            cwd,
            environment,
            say,
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: str | None = None
        self._started = 0.0
        self._delay = FIRST_DELAY
        self._restart_at = 0.0
        self._highlights = Highlights(log)

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def record(self) -> dict[str, Any]:
        """What a later run needs to recognise this process: pid and start time."""
        return {"pid": self.pid, "started": self._identity}

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._cwd,
                env=self._environment,
                process_group=0,
                # SIGTERM, not SIGKILL: a child whose supervisor was killed still ends in good order.
                **dying_with_parent(signal.SIGTERM),
            )
        self._identity = pids.started_at(self._process.pid)
        self._started = time.monotonic()

    def tend(self) -> bool:
        """Notice a death, start again when its delay is over; True when it was started just now."""
        for line in self._highlights.fresh():
            self._say(f"{self.name}: {line}")
        now = time.monotonic()
        if self._process is None:
            if now < self._restart_at:
                return False
            self.start()
            self._say(f"{self.name} started again")
            return True
        if not self.has_ended():
            if now - self._started >= HEALTHY_AFTER:
                self._delay = FIRST_DELAY
            return False
        self.deaths += 1
        how = _how(self.reap())
        self._say(f"{self.name} {how}; starting it again in {self._delay:g} s ({self._last_words()})")
        self._restart_at = now + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY)
        return False

    def has_ended(self) -> bool:
        """Whether it has ended, without reaping it: until `reap` the pid stays reserved for its group."""
        if self._process is None:
            return True
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is not None
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self._process.pid, options) is not None

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and not self.has_ended():
            os.kill(self._process.pid, number)

    def reap(self) -> int:
        """End what is left of its group, collect it, return its status as Popen does."""
        if self._process is None:
            return 0
        _kill_group(self._process.pid)
        status = self._process.wait()
        self._process = None
        return status

    def _last_words(self) -> str:
        """Where to look, and the end of an error message if that is how the log ends."""
        line = last_lines(self._log, 1).strip()
        return f"{line[:200]}; see {self._log}" if "Error" in line else f"see {self._log}"


def end(children: Iterable[Child], *, within: float, hurried: Callable[[], bool]) -> None:
    """SIGTERM one after the other, in this order; whoever is left after `within` seconds is killed."""
    waiting = list(children)
    deadline = time.monotonic() + within
    for position, child in enumerate(waiting):
        child.signal(signal.SIGTERM)
        # The next one is asked when this one is gone, or when it has had its share of the time.
        share = (deadline - time.monotonic()) / (len(waiting) - position + 1)
        _wait(child.has_ended, share, hurried)
    _wait(lambda: all(child.has_ended() for child in waiting), deadline - time.monotonic(), hurried)
    for child in waiting:
        child.signal(signal.SIGKILL)
        child.reap()


def clear_leftovers(records: dict[str, dict[str, Any]], run_mark: str | None, *, within: float) -> list[str]:
    """End the recorded children of a run that was killed; returns the names of those that still ran.

    Only processes that are provably ours: same pid and start time, or member of the recorded group with
    that run's mark in its environment.
    """
    found = []
    for name, record in records.items():
        pid, started = int(record.get("pid", 0)), record.get("started")
        if pids.signal_same(pid, started, signal.SIGTERM):
            found.append(name)
    for name, record in records.items():
        pid, started = int(record.get("pid", 0)), record.get("started")
        if name in found and not pids.wait_gone(pid, started, timeout=within):
            pids.signal_same(pid, started, signal.SIGKILL, group=True)
            pids.wait_gone(pid, started, timeout=1)
        for member in pids.group_members(pid) if pid else []:
            if run_mark and pids.environment_of(member).get(RUN_MARK) == run_mark:
                os.kill(member, signal.SIGKILL)
    return found


def rotate(log: Path) -> None:
    """Move a large log aside at start: web.log → web.log.1 → … ; the oldest is dropped."""
    try:
        if log.stat().st_size < LOG_LIMIT:
            return
    except FileNotFoundError:
        return
    for number in range(LOGS_KEPT - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    log.replace(log.with_name(f"{log.name}.1"))


class Highlights:
    """New lines of a log that a person at the terminal should see, a few at a time."""

    WORTH = re.compile(rb"\b(ERROR|CRITICAL)\b")
    AT_MOST, PER_SECONDS = 3, 10.0

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = log.stat().st_size if log.exists() else 0
        self._window, self._shown = 0.0, 0

    def fresh(self) -> list[str]:
        """Lines since the last call that report an error; at most three in ten seconds."""
        try:
            if self._log.stat().st_size <= self._offset:
                return []
            with self._log.open("rb") as file:
                file.seek(self._offset)
                text = file.read(1_000_000)
        except FileNotFoundError:
            return []
        whole = text.rpartition(b"\n")[0]
        self._offset += len(whole) + 1 if whole else 0
        worth = [line.decode(errors="replace")[:200] for line in whole.splitlines() if self.WORTH.search(line)]
        return worth[: self._allowance(len(worth))]

    def _allowance(self, wanted: int) -> int:
        now = time.monotonic()
        if now - self._window >= self.PER_SECONDS:
            self._window, self._shown = now, 0
        granted = max(0, min(wanted, self.AT_MOST - self._shown))
        self._shown += granted
        return granted


def _kill_group(pgid: int) -> None:
    try:
        os.killpg(pgid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _wait(done: Callable[[], bool], timeout: float, hurried: Callable[[], bool]) -> None:
    deadline = time.monotonic() + timeout
    while not done() and not hurried() and time.monotonic() < deadline:
        time.sleep(0.02)


def _how(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"stopped with exit status {status}"
