"""`manage.py up`: everything on one machine, started in order and ended in order.

1. The data directory is claimed and locked; children of a run that was killed are ended.
2. PostgreSQL and Valkey start, or the ones that still run are adopted.
3. `prepare` migrates and fills what is missing; the first time it tells the first login.
4. web, engine and workers start, and are started again whenever one dies.

Nothing here needs Django: a settings mistake must not keep the supervisor from saying so.
"""

import argparse
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from erpops import commands_left, processes
from erpops.embedded import data_dir as place
from erpops.embedded import state
from erpops.embedded.errors import EmbeddedError
from erpops.embedded.launch import last_lines, port_is_free
from erpops.embedded.postgres import Postgres
from erpops.embedded.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent
READY_TIMEOUT, WORKER_TIMEOUT = 60.0, 30.0
CHILDREN_TIMEOUT, COMMANDS_TIMEOUT = 5.0, 3.0
STARTING_POLL, STEADY_POLL = 0.05, 0.1
LANES = "4"
FIRST_LOGIN = "FIRST_LOGIN "


class StopAskedError(Exception):
    """A stop was asked for while something was still starting."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=8000, help="where pages are served (8000)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--workers", type=_count, default=1, help="worker processes of four lanes each (1)")
    parser.add_argument("--data", help="the data directory (ERPOPS_DATA, else ./data)")
    parser.add_argument(
        "--no-embedded", action="store_true", help="start no servers; DATABASE_URL and REDIS_URL name them"
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="manage.py up", description="Start everything on this machine.")
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Start everything, watch it until a signal, end it; returns the exit status."""
    data = Path(options.data or os.environ.get("ERPOPS_DATA") or ROOT / "data").resolve()
    try:
        place.claim(data)
        with place.Lock(data):
            return Up(options, data).run()
    except EmbeddedError as error:
        _complain(error)
        return 1


class Up:
    """One run. Its state is what runs, and how often it was asked to stop."""

    def __init__(self, options: argparse.Namespace, data: Path) -> None:
        self.options, self.data = options, data
        self.began = time.monotonic()
        self.mark = secrets.token_hex(8)
        self.servers: dict[str, Postgres | Valkey] = {}
        self.children: list[processes.Child] = []
        self.first_login: str | None = None
        self.asked_to_stop = 0
        self.starting = True

    def run(self) -> int:
        """Until a signal asks for the end: 0 then, 1 when something could not be started."""
        self._catch_signals()
        status = 0
        try:
            self._start()
            self._watch()
        except StopAskedError:
            pass
        except EmbeddedError as error:
            self.starting = False
            _complain(error)
            status = 1
        self._stop()
        return status

    # Starting.

    def _start(self) -> None:
        left = self._clear_leftovers()
        if left:
            self._say(f"Ended what an interrupted run had left: {', '.join(left)}")
        if not port_is_free(self.options.port, self.options.host):
            raise EmbeddedError(
                f"port {self.options.port} on {self.options.host} is in use: "
                f"stop the program that has it, or choose another one with --port."
            )
        self._start_servers()
        self._prepare()
        self._start_children()
        self._await_engine_and_workers()
        self.starting = False
        self._say(f"Ready after {time.monotonic() - self.began:.1f} s: {self._url()}")
        self._say_first_login()
        self._say(f"Data and logs are in {self.data}. Ctrl-C stops everything; the data stay.")

    def _say_first_login(self) -> None:
        if self.first_login:
            user, _, password = self.first_login.partition(" ")
            self._say(f"First login: {user}  password: {password}")
            self.first_login = None

    def _clear_leftovers(self) -> list[str]:
        before = state.read(self.data) or {}
        records = {name: record for name, record in before.get("pids", {}).items() if name not in _SERVERS}
        return processes.clear_leftovers(records, before.get("run"), within=3.0)

    def _start_servers(self) -> None:
        for name, kind, variable in (("postgres", Postgres, "DATABASE_URL"), ("valkey", Valkey, "REDIS_URL")):
            if os.environ.get(variable) or os.environ.get(f"{variable}_FILE"):
                self._say(f"{_SERVERS[name]}: the one that {variable} names")
            elif self.options.no_embedded:
                raise EmbeddedError(f"--no-embedded needs {variable}: set it to a server of yours.")
            else:
                processes.rotate(self.data / "logs" / f"{name}.log")
                began = time.monotonic()
                server = self.servers[name] = kind(self.data)
                server.start()
                how = "was still running" if server.adopted else f"{time.monotonic() - began:.1f} s"
                self._say(f"{_SERVERS[name]} on 127.0.0.1:{server.port} ({how})")
        self._write_state()

    def _prepare(self) -> None:
        """Migrate and fill. Its output is logged, except the line with the first password."""
        began = time.monotonic()
        log = self.data / "logs" / "prepare.log"
        processes.rotate(log)
        with log.open("ab") as output:
            done = subprocess.run(
                self._manage("prepare"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                cwd=ROOT,
                env=self._environment(),
                check=False,
                process_group=0,
                **processes.dying_with_parent(signal.SIGTERM),
            )
            for line in done.stdout.decode(errors="replace").splitlines():
                if line.startswith(FIRST_LOGIN):
                    self.first_login = line.removeprefix(FIRST_LOGIN)
                else:
                    output.write(f"{line}\n".encode())
        if done.returncode:
            raise EmbeddedError(f"the database could not be prepared; {log} ends with\n{last_lines(log, 8)}")
        self._say(f"Database prepared ({time.monotonic() - began:.1f} s)")

    def _start_children(self) -> None:
        """web first and alone: on two cores that shows the first page soonest."""
        address = ["--host", self.options.host, "--port", str(self.options.port)]
        self._start_child("web", "serve", *address)
        self._await_web()
        self._start_child("engine", "engine")
        for number in range(1, self.options.workers + 1):
            self._start_child("worker" if number == 1 else f"worker{number}", "worker", "--concurrency", LANES)
        self._say(f"Started {', '.join(child.name for child in self.children)}")

    def _start_child(self, name: str, *words: str) -> None:
        log = self.data / "logs" / f"{name}.log"
        processes.rotate(log)
        child = processes.Child(
            name, self._manage(*words), log=log, cwd=ROOT, environment=self._environment(), say=self._say
        )
        self.children.append(child)
        child.start()
        self._write_state()

    def _await_web(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        web = self.children[0]
        while not self._web_answers():
            if web.deaths >= 3 or time.monotonic() >= deadline:
                log = self.data / "logs" / "web.log"
                raise EmbeddedError(f"web does not come up; {log} ends with\n{last_lines(log, 8)}")
            self._tend()
            time.sleep(STARTING_POLL)

    def _await_engine_and_workers(self) -> None:
        """A person's first click must find them; one that is slow to come is not waited for any longer."""
        deadline = time.monotonic() + WORKER_TIMEOUT
        while time.monotonic() < deadline:
            state = self._health()
            if state.get("engine") and state.get("workers"):
                return
            self._tend()
            time.sleep(STARTING_POLL)
        self._say("The engine or a worker has not reported yet; see the logs if commands do not run")

    def _web_answers(self) -> bool:
        return bool(self._health())

    def _health(self) -> dict[str, Any]:
        """What web says of the console; empty when it does not answer, or answers that it cannot work."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.options.host, self.options.host)  # noqa: S104
        connection = http.client.HTTPConnection(host, self.options.port, timeout=2)
        try:
            connection.request("GET", "/healthz", headers={"Host": "127.0.0.1"})
            answer = connection.getresponse()
            return dict(json.load(answer)) if answer.status == 200 else {}
        except (OSError, ValueError, http.client.HTTPException):
            return {}
        finally:
            connection.close()

    # Running.

    def _watch(self) -> None:
        while not self.asked_to_stop:
            self._tend()
            time.sleep(STEADY_POLL)

    def _tend(self) -> None:
        """Start again what has died, servers before those that need them."""
        for name, server in self.servers.items():
            if not server.alive():
                self._restart_server(name, server)
        started = [child for child in self.children if child.tend()]
        if started:
            self._write_state()

    def _restart_server(self, name: str, server: Postgres | Valkey) -> None:
        self._say(f"{_SERVERS[name]} has ended; starting it again (see {server.log})")
        url = server.url
        try:
            server.start()
        except EmbeddedError as error:
            self._say(str(error))
            time.sleep(1)
            return
        self._say(f"{_SERVERS[name]} on 127.0.0.1:{server.port} runs again")
        self._write_state()
        if server.url != url:
            # Children read the address once: those with the old one start anew.
            for child in self.children:
                child.signal(signal.SIGTERM)

    # Stopping.

    def _stop(self) -> None:
        self.starting = False
        began = time.monotonic()
        if not self.children and not any(server.alive() for server in self.servers.values()):
            return
        self._say("Stopping; Ctrl-C again hurries")
        order = {"web": 0, "engine": 2}
        self.children.sort(key=lambda child: order.get(child.name, 1))
        processes.end(self.children, within=CHILDREN_TIMEOUT, hurried=self._hurried)
        ended = commands_left.end(self.data / "spool", within=COMMANDS_TIMEOUT, hurried=self._hurried)
        if ended:
            self._say(f"Ended {ended} running command{'s' if ended > 1 else ''}")
        for server in reversed(self.servers.values()):
            server.stop(timeout=1.5, hurry=self._hurried())
        state.clear(self.data)
        # It is told only once in the life of the data: also by a start that did not get to its end.
        self._say_first_login()
        self._say(f"Stopped in {time.monotonic() - began:.1f} s")

    def _hurried(self) -> bool:
        return self.asked_to_stop > 1

    def _catch_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup ignores SIGHUP on purpose. A script's `&` ignores SIGINT by accident.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_stop += 1
        if self.starting:
            # Every phase of the start may be cut off: the next start finishes or repeats it.
            self.starting = False
            raise StopAskedError

    # Plumbing.

    def _url(self) -> str:
        shown = "127.0.0.1" if self.options.host == "0.0.0.0" else self.options.host  # noqa: S104
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.options.port}"

    def _manage(self, *words: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *words]

    def _environment(self) -> dict[str, str]:
        own = {"ERPOPS_DATA": str(self.data), processes.RUN_MARK: self.mark, "PYTHONUNBUFFERED": "1"}
        return {"ERPOPS_URL": self._url(), **os.environ, **own}

    def _write_state(self) -> None:
        records: dict[str, Any] = {"up": {"pid": os.getpid(), "started": None}}
        urls = {}
        for name, server in self.servers.items():
            records[name] = {"pid": server.pid, "started": server.started}
            urls["database_url" if name == "postgres" else "redis_url"] = server.url
        for child in self.children:
            records[child.name] = child.record()
        state.write(self.data, {**urls, "url": self._url(), "run": self.mark, "pids": records})

    def _say(self, line: str) -> None:
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError:
            # The terminal is gone; the console goes on until a signal ends it.
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115


_SERVERS = {"postgres": "PostgreSQL", "valkey": "Valkey"}


def _complain(error: EmbeddedError) -> None:
    sys.stderr.write(f"erpops: {error}\n")


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port; write a number from 1 to 65535.")
    return int(text)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text} is no number of workers; write one from 1 to 64.")
    return int(text)
