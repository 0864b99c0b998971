"""`docker run` and `docker pull`: a new container, in front or in the background."""

import json
import shlex
import time
from contextlib import suppress
from typing import Any

from runbooks.standins.docker import streams
from runbooks.standins.docker.acting import limits, restart_policy
from runbooks.standins.docker.engine import Connection, Engine, container_path
from runbooks.standins.docker.execing import environment
from runbooks.standins.docker.secured import Secured
from runbooks.standins.docker.things import labels
from runbooks.standins.elsewhere import Stopped, noted
from runbooks.standins.ending import Ended, Lost, err, out
from runbooks.standins.words import Given

OPTIONS = (
    "-d/--detach -i/--interactive --rm --name= -e/--env= --env-file= -p/--publish= -v/--volume= -w/--workdir= "
    "-u/--user= --network= --net= -l/--label= --restart= --entrypoint= -m/--memory= --cpus= -h/--hostname= "
    "--add-host= --init --privileged --read-only --pull="
)
_TERM_S, _KILL_S = 0.5, 0.4
_NO_SUCH_COMMAND, _CANNOT_RUN, _REFUSED = 127, 126, 125


def run(engine: Engine, given: Given) -> int:
    """The id of a container in the background, or the exit status of one in front."""
    image, *command = given.words
    try:
        found = _created(engine, given, image, command)
        if given.on("detach"):
            engine.ask("POST", container_path(found, "/start"))
            out(found)
            return 0
        return _in_front(engine, given, found)
    except Lost:
        raise
    except Ended as end:
        raise Ended(_status(end.said), f"docker: {end.said}") from None


def _status(said: str) -> int:
    if "executable file not found" in said or "no such file or directory" in said:
        return _NO_SUCH_COMMAND
    return _CANNOT_RUN if "permission denied" in said else _REFUSED


def _created(engine: Engine, given: Given, image: str, command: list[str]) -> str:
    body = _wanted(given, image, command)
    if given.text("pull") == "always":
        _pull(engine, image)
    query = {"name": given.text("name")}
    try:
        return str(engine.json("POST", "/containers/create", query, body)["Id"])
    except Ended as end:
        if "no such image" not in end.said.lower() or given.text("pull") == "never":
            raise
    err(f"Unable to find image '{_tagged(image)}' locally")
    _pull(engine, image)
    return str(engine.json("POST", "/containers/create", query, body)["Id"])


def _wanted(given: Given, image: str, command: list[str]) -> dict[str, Any]:
    ports = [_published(item) for item in given.many("publish")]
    host: dict[str, Any] = {
        "AutoRemove": given.on("rm"),
        "Binds": given.many("volume"),
        "PortBindings": {inner: [outer] for inner, outer in ports},
        "NetworkMode": given.text("network") or given.text("net") or "default",
        "ExtraHosts": given.many("add-host"),
        "Privileged": given.on("privileged"),
        "ReadonlyRootfs": given.on("read-only"),
        **limits(given),
    }
    if given.on("init"):
        host["Init"] = True
    if given.has("restart"):
        host["RestartPolicy"] = restart_policy(given.text("restart"))
    front = not given.on("detach")
    wanted: dict[str, Any] = {
        "Image": image,
        "Cmd": command or None,
        "Env": environment(given),
        "Labels": labels(given),
        "ExposedPorts": {inner: {} for inner, _ in ports},
        "WorkingDir": given.text("workdir"),
        "User": given.text("user"),
        "Hostname": given.text("hostname"),
        "AttachStdout": front,
        "AttachStderr": front,
        "OpenStdin": given.on("interactive"),
        "StdinOnce": given.on("interactive"),
        "AttachStdin": given.on("interactive") and front,
        "HostConfig": host,
    }
    if given.has("entrypoint"):
        wanted["Entrypoint"] = shlex.split(given.text("entrypoint")) or [""]
    return wanted


def _published(item: str) -> tuple[str, dict[str, str]]:
    """`127.0.0.1:8080:80/tcp` as the engine takes it."""
    outer, _, inner = item.rpartition(":")
    address, _, port = outer.rpartition(":")
    return (inner if "/" in inner else f"{inner}/tcp"), {"HostIp": address.strip("[]"), "HostPort": port}


def _in_front(engine: Engine, given: Given, found: str) -> int:
    name = given.text("name") or found[:12]
    with noted(f"container {name}"):
        try:
            # Asked before the start: afterwards a short-lived container may be gone already.
            waiting = engine.ask("POST", container_path(found, "/wait"), {"condition": "next-exit"}, stream=True)
            query = {"stream": True, "stdout": True, "stderr": True, "stdin": given.on("interactive")}
            connection = engine.connect(container_path(found, "/attach"), query)
            _start(engine, given, found)
            return _attend(connection, waiting, given)
        except Stopped:
            _end(engine, found, name)
            return 143


def _start(engine: Engine, given: Given, found: str) -> None:
    try:
        engine.ask("POST", container_path(found, "/start"))
    except Ended:
        if given.on("rm"):
            # Newer engines have removed it by themselves.
            with suppress(Ended):
                engine.ask("DELETE", container_path(found), {"force": True, "v": True})
        raise


def _attend(connection: Connection | Secured, waiting: Any, given: Given) -> int:
    if given.on("interactive"):
        streams.feed_input(connection)
    streams.show_all(connection)
    return int(waiting.json()["StatusCode"])


def _end(engine: Engine, found: str, name: str) -> None:
    """A container in front ends with this program."""
    ended = any(_ended_by(engine, found, number, wait) for number, wait in (("TERM", _TERM_S), ("KILL", _KILL_S)))
    if not ended:
        raise Lost(143, f"docker: told to end; container {name} could not be ended and may go on.")
    err(f"docker: told to end; container {name} was ended too.")


def _ended_by(engine: Engine, found: str, number: str, wait: float) -> bool:
    deadline = time.monotonic() + wait
    try:
        engine.ask("POST", container_path(found, "/kill"), {"signal": number})
        while engine.container(found)["State"]["Running"]:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
    except Ended as end:
        return "no such container" in end.said.lower() or "is not running" in end.said.lower()
    return True


def pull(engine: Engine, given: Given) -> int:
    """Fetch an image; without credentials, so from open registries only."""
    _pull(engine, given.words[0])
    return 0


def _tagged(image: str) -> str:
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def _pull(engine: Engine, image: str) -> None:
    answer = engine.ask("POST", "/images/create", {"fromImage": _tagged(image)})
    for line in answer.text.splitlines():
        said = json.loads(line)
        if "error" in said:
            raise Ended(1, f"Error response from daemon: {said['error']}")
        if "progressDetail" not in said or not said["progressDetail"]:
            err(f"{said['id']}: {said['status']}" if said.get("id") else str(said.get("status", "")))
