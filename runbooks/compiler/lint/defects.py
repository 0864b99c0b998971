"""Defects of commands in their surroundings: what a fence does in the wrong order, or cannot do at all."""

import re
from collections.abc import Iterator

from runbooks.compiler.commands import Compiled
from runbooks.compiler.contract import Command

Found = tuple[int, str, str, str, str | None]

_STOPPED = re.compile(r"\b(?:docker|docker[- ]compose|podman|systemctl|service)\b.*?\bstop\s+(?:-\S+\s+)*([\w.-]+)")
_STARTED = re.compile(r"\b(?:start|restart|up|unpause)\b")
_SERVERS = {
    "postgres": re.compile(r"\b(?:psql|pg_restore|pg_dump|createdb|dropdb|pg_isready)\b"),
    "mysql": re.compile(r"\b(?:mysql|mysqldump)\b"),
    "redis": re.compile(r"\bredis-cli\b"),
}
_RUN_NAMED = re.compile(r"\bdocker\s+run\b.*?--name[= ](\S+)")
_RESTARTED = re.compile(r"\bdocker(?:-compose|\s+compose)?\b.*?\brestart\b")
_BINARY = re.compile(
    r"\bcurl\b[^|>]*?/debug/pprof/(?:heap|goroutine|profile|block|mutex|allocs|trace)(?![\w?]*debug=)[^|>]*$"
)
_DROPS = re.compile(r"-d\s+(\S+)\b.*?DROP\s+DATABASE\s+(?:IF\s+EXISTS\s+)?[\"']?(\w+)", re.IGNORECASE | re.DOTALL)
_KEY_MATERIAL = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}\b|"
    r"\bxox[abprs]-[\w-]{10,}"
)
_SECRET_OPTION = re.compile(
    r"(?:^|\s)(?:mysql|mysqldump|mariadb)\b.*?\s-p(?!ort)([^\s'\"$<{-]\S*)|"
    r"\bPGPASSWORD=(?![\"']?[$<{])(\S+)|"
    r"\b(?:redis|valkey)-cli\b.*?\s-a\s+(?![\"']?[$<{])(\S+)|"
    r"\bcurl\b.*?\s-u\s+[\"']?[\w.-]+:(?![$<{])([^\s\"']+)"
)
# Options without which a command is always refused.
_REQUIRED = {
    ("aws", "wafv2", "update-ip-set"): ("--scope", "--lock-token"),
    ("kubectl", "wait"): ("--for",),
    ("kubectl", "scale"): ("--replicas",),
    ("kubectl", "set", "image"): ("=",),
    ("docker", "cp"): (":",),
}
_DISK = re.compile(r"\bdisk\b|\bspace\b|\bfull\b", re.IGNORECASE)


def of_command(command: Command) -> Iterator[Found]:
    """What is wrong with one command by itself."""
    text, line = command["text"], command["line"]
    if command["kind"] not in ("shell", "http", "script", "env"):
        return
    if re.search(r"\bkubectl\s+patch\b.*[\"']metadata[\"']\s*:\s*\{\s*[\"']name[\"']", text, re.DOTALL):
        said = "A Kubernetes object cannot be renamed: this patch is refused."
        yield line, "kubectl.rename", "error", said, "Create the object under the new name and delete the old one."
    if re.search(r"\bcurl\b(?=.*\s-(?:I|-head)\b)(?=.*\s(?:-d|--data\S*)\b)", text, re.DOTALL):
        said = "curl takes -I or data, not both: it stops before it asks."
        yield line, "curl.head-and-data", "error", said, "Use -i to see the headers of the answer."
    if _BINARY.search(text) and not re.search(r"\s(?:-o|-O|--output)\b", text):
        said = "This prints a binary profile to the terminal; nothing keeps it."
        yield line, "curl.binary-output", "warning", said, "Write it to a file with -o."
    if (match := _DROPS.search(text)) and match[1].strip("\"'") == match[2]:
        said = f"Nobody can drop {match[2]} while being connected to it."
        yield line, "sql.drop-own-database", "error", said, "Connect to another database, such as postgres."
    if re.search(r"\bdocker-compose\b.*\sdown\s+(?!-)[\w.-]+", text):
        said = "docker-compose down takes the whole project down; version 1 refuses a service name."
        yield line, "compose.down-service", "warning", said, "Use stop, or rm --stop, for one service."
    yield from _secrets(command)
    yield from _required(command)


def _secrets(command: Command) -> Iterator[Found]:
    if match := _SECRET_OPTION.search(command["text"]):
        value = next(group for group in match.groups() if group)
        if not re.fullmatch(r"[*x]+|\.\.\.", value):
            said = "A password on the command line is seen by everybody on the machine and kept in its history."
            yield command["line"], "secret.on-command-line", "warning", said, "Pass it by a file or a variable."
    if _KEY_MATERIAL.search(command["text"]):
        yield command["line"], "secret.in-text", "error", "A key stands in the text.", "Remove it and make a new one."


def _required(command: Command) -> Iterator[Found]:
    words = command["text"].split()
    for names, options in _REQUIRED.items():
        if not _begins(words, names):
            continue
        missing = [option for option in options if option not in command["text"]]
        if missing and "--help" not in words:
            said = f"{' '.join(names)} needs {' and '.join(missing)}."
            yield command["line"], "command.missing-option", "error", said, None


def _begins(words: list[str], names: tuple[str, ...]) -> bool:
    """Whether a command starts with these words, options between them left out."""
    plain = [word for word in words if not word.startswith("-")]
    return tuple(plain[: len(names)]) == names


def of_fence(compiled: Compiled) -> Iterator[Found]:
    """What is wrong with the order of the commands of a fence."""
    commands = [entry for entry in compiled.entries if isinstance(entry, dict)]
    stopped: dict[str, str] = {}
    settings: list[Command] = []
    for command in commands:
        text, line = command["text"], command["line"]
        if command["kind"] == "env" and command["risk"] == "change":
            settings.append(command)
            continue
        for name, client in _SERVERS.items():
            if name in stopped and client.search(text) and not text.startswith("#"):
                said = f"{stopped[name]} was stopped above, so nothing answers here."
                yield line, "order.server-stopped", "error", said, "Start it first, or stop only what writes to it."
        if (named := _RUN_NAMED.search(text)) and named[1] in stopped.values():
            said = f"A stopped container keeps its name: {named[1]} is still in use."
            yield line, "docker.name-in-use", "error", said, "Remove it first with docker rm, or start it again."
        if settings and _RESTARTED.search(text):
            for setting in settings:
                said = "A restart keeps the environment that the container was made with, so this does not reach it."
                yield setting["line"], "docker.environment-kept", "warning", said, "Recreate the container: up -d."
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


def vacuum_for_space(title: str, commands: list[Command]) -> Iterator[Found]:
    """VACUUM where the disk is the trouble: it frees nothing for the disk."""
    if not _DISK.search(title):
        return
    for command in commands:
        if re.search(r"\bVACUUM\b(?![^;]*\bFULL\b)", command["text"]) and not re.search(
            r"reusable|dead rows|inside the table", (command["label"] or ""), re.IGNORECASE
        ):
            said = "VACUUM makes room inside the tables; it gives none back to the disk."
            yield command["line"], "sql.vacuum-for-space", "warning", said, "Say so, or name what frees the disk."
