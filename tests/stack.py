"""A real `manage.py up` on a data directory and port of its own, for tests of the whole."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from erpops import pids
from erpops.embedded import state
from erpops.embedded.launch import free_port

ROOT = Path(__file__).resolve().parent.parent
# What the test run itself uses must not leak into a stack with servers of its own.
_NOT_INHERITED = (
    "DATABASE_URL",
    "REDIS_URL",
    "ERPOPS_DATA",
    "ERPOPS_URL",
    "ERPOPS_ROLE",
    "ERPOPS_TEST_ADMIN_URL",
    "ERPOPS_TEST_SHARED",
)


class Stack:
    """`with Stack() as stack:` is a console with embedded servers, ready to be used, gone afterwards.

    It begins with a copy of what a first start left, which is made once per test run; with `first` it has that first
    start itself. `data` may be given to start again on what an earlier stack left; it is then kept. `options` go to
    `up`, `environment` overrides variables of every process. Output of `up` is in `stack.output`.
    """

    def __init__(
        self,
        *options: str,
        data: Path | None = None,
        port: int | None = None,
        environment: dict[str, str] | None = None,
        first: bool = False,
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._own = None if data else Path(tempfile.mkdtemp(prefix="erpops-stack-"))
        self.data = data or Path(str(self._own)) / "data"
        inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        self.env = {**inherited, "ERPOPS_DATA": str(self.data), **(environment or {})}
        self.process: subprocess.Popen[str] | None = None
        self._options = options
        self._copies = data is None and not first
        self._login = ""
        self._lines: list[str] = []
        self._seen = 0

    def __enter__(self) -> Self:
        try:
            if self._copies:
                self._login = _copy_of_a_first_start(self.data)
            self.start()
            self.wait_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own is None:
            self.stop()
        else:
            self._hurry()
        self.kill_everything()
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    def start(self, *, after: int = 0) -> None:
        """Run `up`. `after`: how much of `output` belongs to an earlier run, which `wait_for` passes over."""
        self._seen = after
        self.process = subprocess.Popen(
            [
                sys.executable,
                "manage.py",
                "up",
                "--port",
                str(self.port),
                "--data",
                str(self.data),
                *self._options,
            ],
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._collect, args=(self.process,), daemon=True).start()

    def wait_ready(self, timeout: float = 180.0) -> float:
        """Seconds until `up` says it is ready; fails with its output when it ends or takes too long."""
        began = time.monotonic()
        self.wait_for("Ready after", timeout)
        return time.monotonic() - began

    def wait_for(self, text: str, timeout: float = 30.0) -> None:
        """Until `up` has printed `text`."""
        deadline = time.monotonic() + timeout
        while text not in self.output[self._seen :]:
            ended = self.process is None or self.process.poll() is not None
            if (ended and text not in self.output[self._seen :]) or time.monotonic() > deadline:
                raise AssertionError(f"{text!r} did not appear. up printed:\n{self.output}\n{self._logs()}")
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 15.0) -> int:
        """Ask `up` to end and wait; returns its exit status. A stopped stack may be started again."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout)
        self.process = None
        return status

    def _hurry(self, timeout: float = 15.0) -> None:
        """Ask `up` to end, and ask again: nothing of it is needed any more."""
        deadline = time.monotonic() + timeout
        while self.process is not None and self.process.poll() is None and time.monotonic() < deadline:
            self.process.send_signal(signal.SIGTERM)
            # Two signals at once are one.
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.2)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to web, engine, worker, postgres, valkey or up; returns the pid it went to."""
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def kill_everything(self) -> None:
        """SIGKILL to every process of this stack, as a power cut would; the data stay."""
        records = self.services().get("pids", {})
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        for record in records.values():
            below = pids.descendants(record["pid"]) if pids.is_same(record["pid"], record["started"]) else []
            pids.signal_same(record["pid"], record["started"], signal.SIGKILL)
            for pid in below:
                _kill(pid)
        for pid in self.processes():
            _kill(pid)

    def services(self) -> dict[str, Any]:
        """The services file: database_url, redis_url, url, pids; empty when nothing runs."""
        return state.read(self.data) or {}

    def pid(self, name: str) -> int:
        if name == "up":
            assert self.process is not None, "up does not run"
            return self.process.pid
        return int(self.services()["pids"][name]["pid"])

    def processes(self) -> list[int]:
        """Every live process that works for this data directory, by its environment or command line."""
        marks = (os.fsencode(f"ERPOPS_DATA={self.data}"), os.fsencode(self.data))
        return [pid for pid in _all_pids() if pid != os.getpid() and any(m in _about(pid) for m in marks)]

    def manage(self, *arguments: str, check: bool = True, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run `manage.py …` against this stack, as an operator would in a second terminal."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done

    @contextmanager
    def worker(self, *, queues: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        """One more worker of this console, with variables of its own; it is killed when the block ends."""
        log = self.data / "logs" / "extra-worker.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "worker", "--queues", queues],
                cwd=ROOT,
                env={**self.env, "ERPOPS_ROLE": "worker", **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + 60
            while b" ready." not in log.read_bytes():
                assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")
                time.sleep(0.05)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @property
    def output(self) -> str:
        return "".join(self._lines)

    @property
    def first_login(self) -> tuple[str, str]:
        """User and password, as printed the first time."""
        line = self._login or next(line for line in self._lines if line.startswith("First login: "))
        user, password = line.removeprefix("First login: ").split("  password: ")
        return user.strip(), password.strip()

    def _collect(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._lines.append(line)

    def _logs(self) -> str:
        ends = []
        for log in sorted((self.data / "logs").glob("*.log")):
            ends.append(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:]))
        return "\n".join(ends)

    def __repr__(self) -> str:
        return f"Stack({self.url}, {json.dumps(self.services().get('pids', {}))})"


def _copy_of_a_first_start(data: Path) -> str:
    """Make `data` what a first start of a console left that was then stopped; returns the line with its login."""
    folder = Path(os.environ["ERPOPS_TEST_SHARED"])
    made, login = folder / "first-start", folder / "first-login"
    with (folder / "first-start.lock").open("w") as lock:
        # The processes that share the tests share it, too.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not login.exists():
            shutil.rmtree(made, ignore_errors=True)
            login.write_text(_first_start(made))
    # With owners: the database's files are not root's.
    subprocess.run(["cp", "-a", "--reflink=auto", str(made), str(data)], check=True)
    return login.read_text()


def _first_start(data: Path) -> str:
    stack = Stack(data=data, environment={"ERPOPS_ADMIN_EMAIL": "oncall@example.org"})
    try:
        stack.start()
        stack.wait_for("Database prepared", 180)
        stack.stop()
    finally:
        stack.kill_everything()
    # Ports and processes are every console's own.
    shutil.rmtree(data / "run")
    return next(line for line in stack.output.splitlines() if line.startswith("First login: "))


def _all_pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _about(pid: int) -> bytes:
    if pids.started_at(pid) is None:
        return b""
    about = b""
    for name in ("environ", "cmdline"):
        try:
            about += Path(f"/proc/{pid}/{name}").read_bytes()
        except OSError:
            continue
    return about


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
