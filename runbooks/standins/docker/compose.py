"""Docker Compose without a Compose file: the containers of a project, found by the labels that Compose gave them.

What would create containers needs the file, which is not here, and is refused: up, down, run, build, config.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runbooks.standins.columns import aligned
from runbooks.standins.docker import acting, execing, looking
from runbooks.standins.docker.engine import Engine, container_path, where
from runbooks.standins.docker.listing import ago, container_row, ports, shortened
from runbooks.standins.docker.rows import show
from runbooks.standins.ending import Ended, NotUnderstood, err, out, raw
from runbooks.standins.words import Given, Known, Subcommand, check_count, choose, read

_LABEL = "com.docker.compose."
GLOBAL = Known.of("-f/--file= -p/--project-name= --profile= --env-file= --project-directory= --ansi= --progress=")
_EXEC = "-T/--no-TTY --index= " + execing.OPTIONS.replace("-t/--tty", "")
_LOGS = looking.LOGS.replace("--details", "") + " --no-color --no-log-prefix"


@dataclass(frozen=True)
class Project:
    """The containers of one project on one engine."""

    engine: Engine
    name: str
    containers: Sequence[Mapping[str, Any]]

    def of(self, services: Sequence[str], *, ended: bool = True) -> list[Mapping[str, Any]]:
        """Its containers, or those of `services`; Ended for a service that it has not."""
        known = {_service(one) for one in self.containers}
        for service in services:
            if service not in known:
                raise Ended(1, f"no such service: {service}")
        chosen = [one for one in self.containers if not services or _service(one) in services]
        return [one for one in chosen if ended or one["State"] == "running"]


def main(words: list[str]) -> int:
    """The exit status of `docker-compose` with `words`."""
    return compose(words, {})


def compose(words: list[str], docker_options: Mapping[str, str]) -> int:
    """The exit status of `docker compose` with `words`, on the engine that docker's own options name."""
    before = read(words, GLOBAL, stops=True)
    name, subcommand, rest = choose(SUBCOMMANDS, before.words, "compose ")
    given = read(rest, Known.of(subcommand.options), stops=subcommand.stops)
    check_count("docker compose", name, subcommand, given)
    engine = Engine(where(docker_options))
    if name == "ls":
        return subcommand.run(engine, given)
    return subcommand.run(_project(engine, before), given)


def _project(engine: Engine, before: Given) -> Project:
    """The project that is meant: by name, by its file, or the only one there is."""
    query = {"all": True, "filters": {"label": [_LABEL + "project"]}}
    found = [one for one in engine.json("GET", "/containers/json", query) if _label(one, "oneoff") != "True"]
    name = before.text("project-name") or os.environ.get("COMPOSE_PROJECT_NAME", "")
    # As with Compose, the file decides only where no name is given.
    files = [] if name else [os.path.basename(path) for path in before.many("file")]  # noqa: PTH119
    chosen = {_label(one, "project") for one in found if not files or _has_files(one, files)}
    if name:
        chosen &= {name}
    if not chosen:
        wanted = name or (f"from {', '.join(files)}" if files else "at all")
        raise Ended(1, f"no containers of a Compose project {wanted} are on this engine")
    if len(chosen) > 1:
        names = ", ".join(sorted(chosen))
        raise NotUnderstood(f"which Compose project is meant ({names}): name it with -p or COMPOSE_PROJECT_NAME")
    [project] = chosen
    own = [one for one in found if _label(one, "project") == project]
    return Project(
        engine, project, sorted(own, key=lambda one: (_service(one), int(_label(one, "container-number") or 1)))
    )


def _has_files(one: Mapping[str, Any], files: Sequence[str]) -> bool:
    own = {os.path.basename(path) for path in _label(one, "project.config_files").split(",")}  # noqa: PTH119
    return set(files) <= own


def _label(one: Mapping[str, Any], name: str) -> str:
    return str((one.get("Labels") or {}).get(_LABEL + name, ""))


def _service(one: Mapping[str, Any]) -> str:
    return _label(one, "service")


def _name(one: Mapping[str, Any]) -> str:
    return str(one["Names"][0]).removeprefix("/")


def ps(project: Project, given: Given) -> int:
    """The containers of the project that run, with --all the others too."""
    found = project.of(given.words, ended=given.on("all"))
    if given.on("services"):
        out(*sorted({_service(one) for one in found}))
        return 0
    rows = []
    for one in found:
        row = container_row(project.engine, one, full=True)
        row |= {
            "Name": _name(one),
            "Service": _service(one),
            "Command": f'"{shortened(one["Command"], 20)}"',
            "CreatedAt": ago(project.engine, one["Created"]),
            "Project": project.name,
            "Ports": ports(one.get("Ports") or []),
        }
        rows.append(row)
    headers = {"CreatedAt": "CREATED"}
    return show(rows, given, "Name Image Command Service CreatedAt Status Ports", headers=headers)


def logs(project: Project, given: Given) -> int:
    """What the services have printed, each line with its container before it, one container after the other."""
    if given.on("follow"):
        raise NotUnderstood("compose logs --follow")
    found = project.of(given.words)
    short = {_name(one): _name(one).removeprefix(f"{project.name}-").removeprefix(f"{project.name}_") for one in found}
    width = max((len(name) for name in short.values()), default=0)
    for one in found:
        prefix = "" if given.on("no-log-prefix") else f"{short[_name(one)]:<{width}}  | "
        sink = _Prefixed(prefix)
        looking.show_logs(project.engine, one["Id"], given, sink)
        sink.finish()
    return 0


class _Prefixed:
    """Passes lines on with a word before each; an unfinished one waits for its rest."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode()
        self._waiting = {"out": b"", "err": b""}

    def __call__(self, stream: str, data: bytes) -> None:
        *lines, self._waiting[stream] = (self._waiting[stream] + data).split(b"\n")
        # Compose prints both streams of a container on its standard output.
        raw("out", b"".join(self._prefix + line + b"\n" for line in lines))

    def finish(self) -> None:
        """Lines that were never finished."""
        for data in filter(None, self._waiting.values()):
            raw("out", self._prefix + data + b"\n")


def execute(project: Project, given: Given) -> int:
    """The exit status of a command in a running container of a service."""
    service, *command = given.words
    index = given.text("index")
    running = [
        one for one in project.of([service], ended=False) if not index or _label(one, "container-number") == index
    ]
    if not running:
        raise Ended(1, f'service "{service}" is not running')
    # Compose hands its input on without being asked to.
    given.options["interactive"] = ["true"]
    return execing.execute(project.engine, _name(running[0]), command, given)


def each(act: Callable[..., None], said: str, *, ended: bool = True) -> Callable[[Project, Given], int]:
    """A subcommand that does something with every container of the services it names."""

    def run(project: Project, given: Given) -> int:
        failed = 0
        for one in project.of(given.words, ended=ended):
            try:
                act(project.engine, given, one["Id"])
            except Ended as end:
                failed = 1
                err(end.said)
            else:
                err(f" Container {_name(one)}  {said}")
        return failed

    return run


def top(project: Project, given: Given) -> int:
    """The processes of each container."""
    for one in project.of(given.words, ended=False):
        found = project.engine.json("GET", container_path(one["Id"], "/top"))
        out(_name(one), *aligned([found["Titles"], *(found["Processes"] or [])], least=4), "")
    return 0


def images(project: Project, given: Given) -> int:
    """The image of each container."""
    rows = []
    for one in project.of(given.words):
        repository, _, tag = one["Image"].rpartition(":")
        row = {
            "Container": _name(one),
            "Repository": repository or one["Image"],
            "Tag": tag if repository else "<none>",
        }
        rows.append({**row, "ID": one["ImageID"].removeprefix("sha256:")[:12]})
    return show(rows, given, "Container Repository Tag ID", headers={"ID": "IMAGE ID"})


def port(project: Project, given: Given) -> int:
    """Where a port of a service is reached."""
    service, inner = given.words
    found = project.of([service], ended=False)
    if not found:
        raise Ended(1, f'service "{service}" is not running')
    return looking.port(project.engine, Given([_name(found[0]), inner]))


def projects(engine: Engine, given: Given) -> int:
    """The projects that have containers on the engine."""
    query = {"all": given.on("all"), "filters": {"label": [_LABEL + "project"]}}
    states: dict[str, list[str]] = {}
    files: dict[str, str] = {}
    for one in engine.json("GET", "/containers/json", query):
        states.setdefault(_label(one, "project"), []).append(one["State"])
        files[_label(one, "project")] = _label(one, "project.config_files")
    rows = []
    for name, found in sorted(states.items()):
        status = ", ".join(f"{state}({found.count(state)})" for state in sorted(set(found)))
        rows.append({"Name": name, "Status": status, "ConfigFiles": files[name]})
    return show(rows, given, "Name Status ConfigFiles", headers={"ConfigFiles": "CONFIG FILES"}, quiet="Name")


SUBCOMMANDS: Mapping[str, Subcommand] = {
    "ps": Subcommand(ps, "-a/--all -q/--quiet --services --format= --no-trunc"),
    "ls": Subcommand(projects, "-a/--all -q/--quiet --format=", most=0),
    "logs": Subcommand(logs, _LOGS),
    "exec": Subcommand(execute, _EXEC, least=2, stops=True),
    "start": Subcommand(each(acting.start_one, "Started")),
    "stop": Subcommand(each(acting.stop_one, "Stopped"), acting.STOP),
    "restart": Subcommand(each(acting.restart_one, "Started"), acting.STOP + " --no-deps"),
    "kill": Subcommand(each(acting.kill_one, "Killed", ended=False), acting.KILL),
    "pause": Subcommand(each(acting.pause_one, "Paused", ended=False)),
    "unpause": Subcommand(each(acting.unpause_one, "Unpaused")),
    "top": Subcommand(top),
    "images": Subcommand(images, "-q/--quiet --format="),
    "port": Subcommand(port, "", least=2, most=2),
}
