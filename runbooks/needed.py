"""Which programs a command starts on the worker, and whether the workers of a queue have them."""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from erpops import beats
from incidents.models import Environment
from runbooks import command_user, variables
from runbooks.compiler import shell
from runbooks.executors.shell import KINDS, first_program
from runbooks.executors.shell import OWN_WORDS as BUILT_IN
from runbooks.standins import launchers
from runbooks.standins.understanding import not_understood

# These start the program that follows them.
_WRAPPERS = frozenset(
    "sudo doas time nohup nice ionice env timeout watch xargs stdbuf setsid command exec unbuffer".split()
)
_QUEUE = "env."
_STAND_IN = " (stand-in)"


def programs_of(script: str) -> tuple[str, ...]:
    """The programs by name that `script` starts on its own machine; paths and what is built into bash left out."""
    return _programs_of(script)


@lru_cache(maxsize=2048)
def _programs_of(script: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    functions: set[str] = set()
    for part in shell.split_units(script):
        if not isinstance(part, shell.Unit):
            continue
        functions.update(part.functions)
        for invocation in part.invocations:
            found.update(dict.fromkeys(_started_by([word.value for word in invocation.words if not word.dynamic])))
    return tuple(name for name in found if name not in functions)


def _started_by(words: list[str]) -> list[str]:
    if not words:
        return []
    first, rest = words[0], words[1:]
    named = [first] if re.fullmatch(r"[A-Za-z0-9_.+-]+", first) and first not in BUILT_IN else []
    if first not in _WRAPPERS:
        return named
    while rest and (rest[0].startswith("-") or "=" in rest[0] or re.fullmatch(r"[\d.]+[smhd]?", rest[0])):
        rest = rest[1:]
    return named + _started_by(rest)


def on_path(path: str) -> set[str]:
    """The names of everything that can be started from the folders of `path`; what only stands in is told so."""
    found: set[str] = set()
    for folder in path.split(os.pathsep):
        try:
            with os.scandir(folder) as entries:
                names = {entry.name for entry in entries if os.access(entry.path, os.X_OK)}
        except OSError:
            continue
        if folder == str(launchers.folder()):
            if not command_user.reaches_stand_ins():
                continue
            names = {name + _STAND_IN for name in names - found}
        found |= names
    return found


def facts(queues: list[str]) -> dict[str, Any]:
    """What a worker says of itself: the programs that commands find on it, by queue."""
    named = {queue.removeprefix(_QUEUE): queue for queue in queues if queue.startswith(_QUEUE)}
    places = Environment.objects.filter(name__in=named)
    return {"programs": {named[place.name]: _programs(place) for place in places}}


def _programs(place: Environment) -> list[str] | None:
    """None where shell commands run on another host, whose programs nobody knows."""
    given = variables.of(place)
    if given.shell_host:
        return None
    return sorted(on_path(variables.process_environment(given=given, bound={}, home="/")["PATH"]))


def programs_there(queue: str) -> frozenset[str] | None:
    """What the workers of `queue` have, together; None when no worker said so yet."""
    return together(told_there(queue))


def told_there(queue: str) -> list[list[str] | None]:
    """The programs of each worker that serves `queue`, None for one that does not know; empty if none serves it."""
    return beats.told(queue, "programs", queue)


def together(told: list[list[str] | None]) -> frozenset[str] | None:
    """What these workers have between them; None when none of them knows."""
    known = [names for names in told if names is not None]
    return frozenset(name for names in known for name in names) if known else None


def lacking(command: Mapping[str, Any], there: frozenset[str] | None, folder: str) -> str:
    """A sentence that names what the worker lacks for `command`; empty if nothing is known to be missing.

    `folder` is where the environment's commands start, empty for an empty one.
    """
    if command["kind"] not in KINDS:
        return ""
    begins = first_program(command["text"])
    if begins and "/" in begins and not begins.startswith("/") and not folder:
        return (
            f"{begins} is a file of yours, and commands of this environment start in an empty folder: an admin can "
            "name the folder that holds it."
        )
    if there is None:
        return ""
    missing = [name for name in programs_of(command["text"]) if not there & {name, name + _STAND_IN}]
    if not missing:
        return _refused_by_stand_ins(command["text"], there)
    names, verb = " and ".join(missing), "is" if len(missing) == 1 else "are"
    return f"{names} {verb} not installed on the worker of this environment. Install it there, or run this elsewhere."


def _refused_by_stand_ins(script: str, there: frozenset[str]) -> str:
    """A sentence on what the stand-ins would not do of `script`, where the worker has nothing better."""
    for words in _calls_of(script):
        name = words[0]
        if name not in there and (what := not_understood(words)):
            return (
                f"{name} is not installed on the worker of this environment, and what stands in for it does not know "
                f"{what}. Install {name} there, or run this elsewhere."
            )
    return ""


@lru_cache(maxsize=2048)
def _calls_of(script: str) -> tuple[tuple[str, ...], ...]:
    """The calls of programs that have a stand-in, as words."""
    found = []
    for part in shell.split_units(script):
        for invocation in part.invocations if isinstance(part, shell.Unit) else []:
            words = [word.value for word in invocation.words]
            start = next((at for at, word in enumerate(words) if word in launchers.NAMES), len(words))
            # Behind anything but a wrapper the name is an argument.
            if words[start:] and all(word in _WRAPPERS or not word.isalpha() for word in words[:start]):
                found.append(tuple(words[start:]))
    return tuple(found)
