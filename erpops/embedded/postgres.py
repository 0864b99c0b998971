"""The embedded PostgreSQL: made once, started or adopted, stopped fast.

The server outlives the process that started it. Whoever calls this module holds the data directory's
lock, so at most one caller starts or stops the server of a data directory at a time.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from erpops import pids
from erpops.embedded import binaries, state
from erpops.embedded.errors import EmbeddedError
from erpops.embedded.launch import (
    ENVIRONMENT,
    Launcher,
    free_port,
    last_lines,
    launcher,
    port_is_free,
    spawn,
    wait_until,
)

SUPERUSER = "postgres"
ROLE = "erpops"
DATABASE = "erpops"
EXTENSIONS = ("pg_trgm", "unaccent", "pg_stat_statements")
START_TIMEOUT = 60.0  # crash recovery after a power cut may take this long

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_preload_libraries": "pg_stat_statements",
    "password_encryption": "scram-sha-256",
    "default_text_search_config": "pg_catalog.english",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
    "max_wal_size": "1GB",
}
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class Postgres:
    """The PostgreSQL server of one data directory. `url` is valid once `start` has returned."""

    def __init__(self, data_dir: Path, *, durable: bool = True, die_with_parent: bool = False) -> None:
        self.data_dir = data_dir
        self.cluster = data_dir / "postgres"
        self.log = data_dir / "logs" / "postgres.log"
        self.bin = binaries.require_postgres_bin()
        self.port = 0
        self.pid = 0
        self.started: str | None = None
        self.adopted = False
        self._settings = _SETTINGS | ({} if durable else _FORGETFUL)
        self._die_with_parent = die_with_parent
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the application role works: it owns the database and is no superuser."""
        return self._url(ROLE, DATABASE)

    @property
    def admin_url(self) -> str:
        return self._url(SUPERUSER, "postgres")

    def start(self) -> None:
        """Adopt the server that still runs here, or make and start one; EmbeddedError says what hinders."""
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._adopt():
            return
        via = launcher(self.bin / "postgres", self.cluster, die_with_parent=self._die_with_parent)
        self._refuse_other_version()
        self._initialise(via)
        self._hand_over(via, self.cluster)
        self._launch(via)
        self._bootstrap()

    def alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return pids.is_same(self.pid, self.started)

    def stop(self, *, timeout: float = 5.0, hurry: bool = False) -> None:
        """Fast shutdown; immediate when in a hurry or when fast takes longer than `timeout` seconds."""
        for number, patience in ((signal.SIGINT, timeout), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0)):
            if not (hurry and number is signal.SIGINT):
                pids.signal_same(self.pid, self.started, number)
                if wait_until(lambda: not self.alive(), timeout=patience):
                    break
        if self._process is not None:
            self._process.wait()

    def psql(self, *statements: str, url: str | None = None, timeout: float = 10.0) -> str:
        """Run statements as superuser (or as `url` says), each on its own; returns the unaligned rows."""
        command = [str(self.bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", url or self.admin_url]
        for statement in statements:
            command += ["-c", statement]
        environment = ENVIRONMENT | {"PGCONNECT_TIMEOUT": "5"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout, check=False)
        if done.returncode:
            raise EmbeddedError(f"The embedded PostgreSQL refused: {done.stderr.strip()}")
        return done.stdout.strip()

    def _url(self, role: str, database: str) -> str:
        password = quote(state.password(self.data_dir, f"postgres-{role}"))
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    def _adopt(self) -> bool:
        """Take over a server that an earlier run left; clear a pid file whose process is gone or foreign."""
        lock = self._read_lock_file()
        if lock is None:
            return False
        pid, port = lock
        started = pids.started_at(pid)
        if started is None or not self._is_our_server(pid):
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
            return False
        self.pid, self.started, self.port = pid, started, port
        # It may be starting up or shutting down: either ends in a moment.
        if wait_until(self._answers, timeout=START_TIMEOUT, alive=self.alive):
            self.adopted = True
            return True
        if self.alive():
            raise EmbeddedError(
                f"A PostgreSQL (process {pid}) runs in {self.cluster} but does not accept our password: "
                f"stop it with `kill -INT {pid}` and start again."
            )
        return False

    def _read_lock_file(self) -> tuple[int, int] | None:
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
            return int(lines[0]), int(lines[3])
        except (OSError, IndexError, ValueError):
            return None

    def _is_our_server(self, pid: int) -> bool:
        """A postmaster's working directory is its cluster; a process that merely got the pid is elsewhere."""
        try:
            return Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.cluster.resolve()
        except OSError:
            words = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
            return os.fsencode(self.cluster) in words.stdout

    def _answers(self) -> bool:
        if port_is_free(self.port):
            return False
        try:
            return self.psql("SELECT 1") == "1"
        except (EmbeddedError, subprocess.TimeoutExpired):
            return False

    def _refuse_other_version(self) -> None:
        try:
            made_by = (self.cluster / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        brings = subprocess.run(
            [self.bin / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout.split()[-1]
        if made_by != brings.split(".")[0]:
            raise EmbeddedError(
                f"{self.cluster} was made by PostgreSQL {made_by}, this erpops brings {brings}: dump it with "
                f"the erpops that made it (pg_dump) and restore into a new directory chosen with --data."
            )

    def _initialise(self, via: Launcher) -> None:
        """Make the cluster under another name and rename it when whole: a kill in between leaves no half."""
        if (self.cluster / "PG_VERSION").exists():
            return
        if self.cluster.exists() and any(self.cluster.iterdir()):
            raise EmbeddedError(
                f"{self.cluster} holds files but no PostgreSQL cluster: move them away, "
                f"or choose another directory with --data."
            )
        partial = self.data_dir / "postgres.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        self._hand_over(via, partial)
        self._initdb(via, partial)
        partial.rename(self.cluster)

    def _hand_over(self, via: Launcher, cluster: Path) -> None:
        """Give the files to the user that the server runs as, where that is not the caller."""
        if via.owner is None or cluster.stat().st_uid == via.owner:
            return
        for below in cluster.rglob("*"):
            os.chown(below, via.owner, via.owner, follow_symlinks=False)
        # Last: its owner tells a later start that everything below has been handed over.
        os.chown(cluster, via.owner, via.owner)

    def _initdb(self, via: Launcher, where: Path) -> None:
        pwfile = state.password_path(self.data_dir, f"postgres-{SUPERUSER}")
        command = [
            *via.prefix,
            str(self.bin / "initdb"),
            *("-D", str(where), "-U", SUPERUSER, "-A", "scram-sha-256", f"--pwfile={pwfile}", "-E", "UTF8"),
            *("--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        if self._settings.get("fsync") == "off":
            command.append("--no-sync")
        done = subprocess.run(
            command, capture_output=True, text=True, env=ENVIRONMENT, cwd=where, check=False, **via.popen
        )
        if done.returncode:
            raise EmbeddedError(f"initdb could not make {where}: {(done.stderr or done.stdout).strip()}")

    def _launch(self, via: Launcher) -> None:
        """Start on the remembered port; on another one when somebody else has it."""
        deadline = time.monotonic() + START_TIMEOUT
        self.port = state.remembered_port(self.data_dir, "postgres") or free_port()
        while True:
            if not port_is_free(self.port):
                self.port = free_port()
            if self._try_launch(via):
                state.remember_port(self.data_dir, "postgres", self.port)
                return
            if "could not bind" in last_lines(self.log) and time.monotonic() < deadline:
                continue
            # Backends of a killed postmaster hold its shared memory for a moment.
            if "still in use" in last_lines(self.log) and time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            raise EmbeddedError(f"PostgreSQL did not start; {self.log} ends with\n{last_lines(self.log)}")

    def _try_launch(self, via: Launcher) -> bool:
        options = [f"-cport={self.port}", *(f"-c{name}={value}" for name, value in self._settings.items())]
        self._process = spawn(
            [*via.prefix, str(self.bin / "postgres"), "-D", str(self.cluster), *options],
            log=self.log,
            cwd=self.cluster,
            popen=via.popen,
        )
        self.pid = self._process.pid
        self.started = pids.started_at(self.pid)
        self.adopted = False
        if wait_until(self._announces_ready, timeout=START_TIMEOUT, alive=self.alive):
            return True
        self.stop(timeout=1)
        return False

    def _announces_ready(self) -> bool:
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _bootstrap(self) -> None:
        """Role, extensions (in template1, so that every new database has them), database: each if missing."""
        password = state.password(self.data_dir, f"postgres-{ROLE}")
        if self.psql(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'") == "1":
            return
        if self.psql(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'") != "1":
            self.psql(
                f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}'",
                f"GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO {ROLE}",
            )
        self.psql(
            *(f"CREATE EXTENSION IF NOT EXISTS {name}" for name in EXTENSIONS),
            url=self._url(SUPERUSER, "template1"),
        )
        self.psql(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
