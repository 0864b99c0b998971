"""`docker exec`: a process in a container, without a terminal, that ends when this program is told to end."""

import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from runbooks.standins.docker import streams
from runbooks.standins.docker.engine import Engine, container_path
from runbooks.standins.elsewhere import Stopped, noted
from runbooks.standins.ending import Ended, Lost, NotUnderstood, err
from runbooks.standins.words import Given

OPTIONS = "-d/--detach -i/--interactive -t/--tty -u/--user= -w/--workdir= -e/--env= --env-file= --privileged"
_MARK = "ERPOPS_EXEC"
_MOMENT_S = 3.0
# Only what every shell has built in: many images hold little else. A process that carries the mark is of this call.
_SIGNAL = """
for p in /proc/[0-9]*; do
  [ "${p#/proc/}" = $$ ] && continue
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in *"$1"*) kill -"$2" "${p#/proc/}" 2>/dev/null && echo "${p#/proc/}"; break;; esac
  done 2>/dev/null < "$p/environ"
done
exit 0
"""
# Signal and seconds: together less than a command is given after it was told to end.
_PATIENCE = (("TERM", 0.4), ("KILL", 0.5))


def run(engine: Engine, given: Given) -> int:
    """The exit status of a command in a running container."""
    if given.on("tty"):
        raise NotUnderstood("the option --tty: there is no terminal here")
    if given.on("interactive") and engine.host.startswith("ssh://"):
        raise NotUnderstood("exec --interactive on an engine behind SSH")
    name, *command = given.words
    return execute(engine, name, command, given)


def execute(engine: Engine, name: str, command: list[str], given: Given) -> int:
    """Start it, pass its streams on, and give its exit status."""
    mark = f"{_MARK}={secrets.token_hex(12)}"
    asked = {
        "Cmd": command,
        "AttachStdin": given.on("interactive") and not given.on("detach"),
        "AttachStdout": not given.on("detach"),
        "AttachStderr": not given.on("detach"),
        "Env": [*environment(given), mark],
        "User": given.text("user"),
        "WorkingDir": given.text("workdir"),
        "Privileged": given.on("privileged"),
    }
    found = engine.json("POST", container_path(name, "/exec"), body=asked)["Id"]
    start = f"/exec/{quote(found)}/start"
    if given.on("detach"):
        engine.ask("POST", start, body={"Detach": True, "Tty": False})
        return 0
    with noted(f"`{command[0]}` in container {name}"):
        try:
            _attend(engine, start, given)
            return _status(engine, found)
        except Stopped:
            _end(_Marked(engine, name, given.text("user"), mark))
            return 143


def _attend(engine: Engine, start: str, given: Given) -> None:
    connection = engine.connect(start, body={"Detach": False, "Tty": False})
    if given.on("interactive"):
        streams.feed_input(connection)
    streams.show_all(connection)


def _status(engine: Engine, found: str) -> int:
    """Its exit status; the engine may need a moment after the output's end."""
    deadline = time.monotonic() + _MOMENT_S
    while time.monotonic() < deadline:
        code = engine.json("GET", f"/exec/{quote(found)}/json").get("ExitCode")
        if code is not None:
            return int(code)
        time.sleep(0.02)
    raise Lost(1, "docker: its output has ended, but the engine says that it still runs")


def _end(marked: "_Marked") -> None:
    """Ending this program would leave the process in the container: it is found by its mark and ended first."""
    try:
        ended = any(_ended_by(marked, number, wait) for number, wait in _PATIENCE)
    except (Ended, KeyError, ValueError):
        ended = False
    if not ended:
        raise Lost(143, f"docker: told to end; what it had started in container {marked.container} may go on.")
    err(f"docker: told to end; what it had started in container {marked.container} was ended too.")


@dataclass(frozen=True)
class _Marked:
    """The processes of one call in a container."""

    engine: Engine
    container: str
    user: str
    mark: str

    def signal(self, number: str) -> bool:
        """Signal all of them; whether there was one. Ended when the container cannot be asked."""
        body = {"Cmd": ["sh", "-c", _SIGNAL, "sh", self.mark, number], "User": self.user, "AttachStdout": True}
        found = self.engine.json("POST", container_path(self.container, "/exec"), body=body)["Id"]
        connection = self.engine.connect(f"/exec/{quote(found)}/start", body={"Detach": False, "Tty": False})
        seen: list[bytes] = []
        streams.show(connection.coming(), framed=True, sink=lambda _, data: seen.append(data))
        if self.engine.json("GET", f"/exec/{quote(found)}/json")["ExitCode"] != 0:
            raise Ended(1)
        return bool(b"".join(seen).strip())


def _ended_by(marked: _Marked, number: str, wait: float) -> bool:
    """Whether nothing is left `wait` seconds after a signal."""
    marked.signal(number)
    deadline = time.monotonic() + wait
    while marked.signal("0"):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def environment(given: Given) -> list[str]:
    """What -e and --env-file add to the environment of a process in a container."""
    found = []
    for path in given.many("env-file"):
        found += _of_file(path)
    for item in given.many("env"):
        if "=" in item:
            found.append(item)
        # A name alone takes the value from here, as the real program does.
        elif item in os.environ:
            found.append(f"{item}={os.environ[item]}")
    return found


def _of_file(path: str) -> list[str]:
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise Ended(125, f"docker: open {path}: {error.strerror}") from None
    return [line for line in lines if line and not line.startswith("#")]
