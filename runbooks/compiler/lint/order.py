"""Commands in the order of their fence: what an earlier one takes away from a later one."""

import itertools
import re
from collections.abc import Iterator, Sequence

from runbooks.compiler.commands import Compiled
from runbooks.compiler.comments import STEP
from runbooks.compiler.contract import Command
from runbooks.compiler.lint.found import Found, joined

_STOPPED = re.compile(r"\b(?:docker|docker[- ]compose|podman|systemctl|service)\b.*?\bstop\s+(?:-\S+\s+)*([\w.-]+)")
_STARTED = re.compile(r"\b(?:start|restart|up|unpause)\b")
_SERVERS = {
    "postgres": re.compile(r"\b(?:psql|pg_restore|pg_dump|createdb|dropdb|pg_isready)\b"),
    "mysql": re.compile(r"\b(?:mysql|mysqldump)\b"),
    "redis": re.compile(r"\bredis-cli\b"),
}
_RUN_NAMED = re.compile(r"\bdocker\s+run\b.*?--name[= ](\S+)")
_BARE_RUN = re.compile(r"\s(?:-e|--env|--env-file|--network|--net|-p|--publish|-v|--volume|--mount)\b")
_RESTARTED = re.compile(r"\bdocker(?:-compose|\s+compose)?\b.*?\brestart\b")
_DOWN = re.compile(r"\bdocker[ -]compose\b[^|;&]*\sdown\b")
_NETWORK = re.compile(r"\bdocker\s+network\s+rm\s+(\S+)")
_COMES_UP = re.compile(
    r"\b(?:docker[ -]compose\b[^|;&]*\s(?:up\s+(?:\S+\s+)*?-d|restart|start)|docker\s+(?:re)?start|"
    r"systemctl\s+(?:re)?start|"
    r"kubectl\b[^|;&]*\srollout\s+restart|service\s+\S+\s+(?:re)?start)\b(?P<what>[^|;&]*)"
)
_ASKS = re.compile(
    r"^\s*(?:time\s+)?(?:curl|wget|psql|pg_isready|redis-cli|"
    r"docker[ -]compose\s+(?:-\S+\s+)*exec\b.*\b(?:psql|curl|pg_isready))\b"
)
_WAITS = re.compile(
    r"\bsleep\b|\bwait\b|\buntil\b|\bwhile\b|--retry|--wait\b|rollout\s+status|\btimeout\b", re.IGNORECASE
)
_STORES = re.compile(r"postgres|redis|valkey|mysql|mongo|\bdb\b", re.IGNORECASE)
_SCALED = re.compile(
    r"\b(?:kubectl|oc)\b(?=.*--replicas[= ](?P<count>\d+)).*\sscale\s+(?:-\S+(?:\s\S+)?\s+)*?"
    r"(?:(?:deploy(?:ment)?s?|statefulsets?|sts)[\s/])?(?P<name>[\w.-]+)"
)
_INTO = re.compile(r"\b(?:kubectl|oc)\b.*?\sexec\s+(?:-(?:n|c)\s+\S+\s+|-\S+\s+)*(?P<name>(?:[\w]+/)?[\w.-]+)")
_BEGINS = re.compile(r"\s*(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_ENDS = re.compile(r"\s*(?:COMMIT|ROLLBACK|END)\b", re.IGNORECASE)
_ALONE = re.compile(
    r"\s*(?:ALTER\s+SYSTEM|VACUUM|(?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE)|(?:CREATE|DROP)\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY|"
    r"REINDEX\s+(?:DATABASE|SYSTEM|SCHEMA)|REINDEX\s+\w+\s+CONCURRENTLY)\b",
    re.IGNORECASE,
)


def of_fence(compiled: Compiled) -> Iterator[Found]:
    """What is wrong with the order of the commands of a fence."""
    commands = compiled.commands
    if len(commands) < 2:
        return
    yield from _states(commands)
    yield from _too_soon(commands)
    yield from _networks(commands)
    yield from _transaction(commands)
    yield from _scaled_away(commands)


def _states(commands: Sequence[Command]) -> Iterator[Found]:
    stopped: dict[str, str] = {}
    settings: list[Command] = []
    for command in commands:
        text, line = command["text"], command["line"]
        if command["kind"] == "env" and command["risk"] == "change":
            settings.append(command)
            continue
        for name, client in _SERVERS.items():
            if name in stopped and client.search(text):
                message = f"{stopped[name]} was stopped above, so nothing answers here."
                yield line, "order.server-stopped", "error", message, "Start it first, or stop only what writes to it."
        if (named := _RUN_NAMED.search(text)) and named[1] in stopped.values():
            message = f"A stopped container keeps its name: {named[1]} is still in use."
            yield line, "docker.name-in-use", "error", message, "Remove it first with docker rm, or start it again."
            if not _BARE_RUN.search(text):
                message = f"The new {named[1]} gets no port, network, variable or volume of the old one."
                yield line, "docker.settings-lost", "warning", message, "Give them all again, or use Compose."
        if settings and _RESTARTED.search(text):
            for setting in settings:
                message = "A restart keeps the environment that the container was made with, so this does not reach it."
                yield setting["line"], "docker.environment-kept", "warning", message, "Recreate the container: up -d."
            settings = []
        _follow(text, stopped)


def _follow(text: str, stopped: dict[str, str]) -> None:
    for match in _STOPPED.finditer(text):
        name = match[1]
        key = next((server for server in _SERVERS if server in name.lower()), name)
        stopped[key] = name
    if _STARTED.search(text) or re.search(r"\bdocker\s+rm\b", text):
        for key, name in list(stopped.items()):
            if name in text or re.search(r"\bup\b(?:\s+-\S+)*\s*$", text):
                del stopped[key]


def _too_soon(commands: Sequence[Command]) -> Iterator[Found]:
    """A question to what was started a moment ago, with nothing that waits between."""
    for first, second in itertools.pairwise(commands):
        started = _COMES_UP.search(joined(first["text"]))
        text = joined(second["text"])
        if started is None or not _ASKS.match(text) or _WAITS.search(first["text"] + text):
            continue
        said = " ".join(
            filter(None, [second["label"], *(note["text"] for note in [*first["notes"], *second["notes"]])])
        )
        if _WAITS.search(said) or STEP.match(said):
            continue
        of_store, asks_store = (
            bool(_STORES.search(started["what"])),
            not re.match(r"\s*(?:time\s+)?(?:curl|wget)\b", text),
        )
        if started["what"].strip(" -d") and of_store != asks_store:
            continue
        message = "What was started a moment ago may not answer yet, so this can fail although all is well."
        yield second["line"], "order.too-soon", "info", message, "Wait for it: up --wait, --retry, rollout status."


def _networks(commands: Sequence[Command]) -> Iterator[Found]:
    down = False
    for command in commands:
        if down and (match := _NETWORK.search(command["text"])):
            message = f"down has removed the networks of the project, so {match[1]} is not there unless it is external."
            yield command["line"], "docker.network-gone", "info", message, "Leave this out."
        down = down or bool(_DOWN.search(command["text"]))


def _transaction(commands: Sequence[Command]) -> Iterator[Found]:
    begun = False
    for command in commands:
        if command["kind"] != "sql":
            continue
        text = command["text"]
        if begun and (match := _ALONE.match(text)):
            what = " ".join(match.group().upper().split())
            message = f"{what} is refused inside a transaction, and one was begun above."
            yield command["line"], "sql.in-transaction", "error", message, "Run it before BEGIN or after COMMIT."
        begun = (begun or bool(_BEGINS.match(text))) and not _ENDS.match(text)


def _scaled_away(commands: Sequence[Command]) -> Iterator[Found]:
    """A command in a pod of what was scaled to nothing."""
    gone: dict[str, int] = {}
    for command in commands:
        text = joined(command["text"])
        if match := _SCALED.search(text):
            if match["count"] == "0":
                gone[match["name"]] = command["line"]
            else:
                gone.pop(match["name"], None)
        elif inside := _INTO.search(text):
            name = inside["name"].rpartition("/")[2]
            line = gone.get(name) or gone.get(re.sub(r"-\d+$", "", name))
            if line:
                message = f"{name} has no pod any more: it was scaled to nothing at line {line}."
                yield command["line"], "order.no-pod", "error", message, "Run it before, or in a pod of its own."
