"""The embedded Valkey: a doorbell and a broker whose loss costs seconds, kept with an append-only file."""

import signal
import subprocess
import time
from pathlib import Path

from erpops import pids
from erpops.embedded import binaries, state
from erpops.embedded.errors import EmbeddedError
from erpops.embedded.launch import dying_with_parent, free_port, last_lines, port_is_free, spawn, wait_until
from erpops.embedded.resp import Connection, ReplyError

START_TIMEOUT = 20.0


class Valkey:
    """The Valkey server of one data directory. `url` is valid once `start` has returned."""

    def __init__(self, data_dir: Path, *, durable: bool = True, die_with_parent: bool = False) -> None:
        self.data_dir = data_dir
        self.log = data_dir / "logs" / "valkey.log"
        self.server = binaries.require_valkey_server()
        self.port = 0
        self.pid = 0
        self.started: str | None = None
        self.adopted = False
        self._durable = durable
        self._popen = dying_with_parent() if die_with_parent else {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{state.password(self.data_dir, 'valkey')}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Adopt the server that still runs here, or start one; EmbeddedError says what hinders."""
        for folder in (self.log.parent, self.data_dir / "valkey"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.port = state.remembered_port(self.data_dir, "valkey") or free_port()
        if self._adopt():
            return
        deadline = time.monotonic() + START_TIMEOUT
        while not self._try_launch():
            if "bind" not in last_lines(self.log) or time.monotonic() >= deadline:
                raise EmbeddedError(f"Valkey did not start; {self.log} ends with\n{last_lines(self.log)}")
            self.port = free_port()
        state.remember_port(self.data_dir, "valkey", self.port)

    def alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return pids.is_same(self.pid, self.started)

    def stop(self, *, timeout: float = 3.0, hurry: bool = False) -> None:
        """Orderly shutdown, which writes the append-only file; killed after `timeout` seconds."""
        for number, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 2.0)):
            if not (hurry and number is signal.SIGTERM):
                pids.signal_same(self.pid, self.started, number)
                if wait_until(lambda: not self.alive(), timeout=patience):
                    break
        if self._process is not None:
            self._process.wait()

    def _adopt(self) -> bool:
        """A server on our port that accepts our random password is the one an earlier run left."""
        if port_is_free(self.port):
            return False
        pid = wait_for_pid(self.url)
        if pid is None:
            self.port = free_port()
            return False
        self.pid, self.started, self.adopted = pid, pids.started_at(pid), True
        return True

    def _try_launch(self) -> bool:
        self._process = spawn(
            [str(self.server), "-"], log=self.log, cwd=self.data_dir, stdin=self._config(), popen=self._popen
        )
        self.pid = self._process.pid
        self.started = pids.started_at(self.pid)
        self.adopted = False
        if wait_until(self._answers, timeout=START_TIMEOUT, alive=self.alive):
            return True
        self.stop(timeout=1)
        return False

    def _config(self) -> bytes:
        folder = str(self.data_dir / "valkey").replace("\\", "\\\\").replace('"', '\\"')
        # By standard input: a password on the command line could be read by every user of the machine.
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {state.password(self.data_dir, 'valkey')}",
            f'dir "{folder}"',
            f"appendonly {'yes' if self._durable else 'no'}",
            'save ""',
            "maxmemory-policy noeviction",
            "daemonize no",
        ]
        return ("\n".join(lines) + "\n").encode()

    def _answers(self) -> bool:
        return server_pid(self.url) == self.pid


def server_pid(url: str) -> int | None:
    """The process id that the server at `url` reports, None when it is away, loading or not ours."""
    try:
        with Connection(url, timeout=2) as connection:
            info = connection.call("INFO", "server")
    except (OSError, ReplyError):
        return None
    if not isinstance(info, bytes):
        return None
    fields = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    return int(fields["process_id"])


def wait_for_pid(url: str) -> int | None:
    """As `server_pid`, with patience for a server that is loading or being stopped."""
    deadline = time.monotonic() + 2
    while (pid := server_pid(url)) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return pid
