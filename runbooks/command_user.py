"""The OS user that shell commands and scripts become, on a worker that runs as root with ERPOPS_COMMAND_USER.

Every attempt has a group number of its own, which no process of it can leave. The kernel lets processes of one user
trace each other and read each other's environment only if their groups are the same too, and an attempt's directory
lets only its group in: so attempts of one user are closed to each other. They can still signal each other.
"""

import ctypes
import os
import pwd
import signal
import stat
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_libc = ctypes.CDLL(None, use_errno=True)
# Numbers that nobody hands out: between the ranges of containers and the end; and, where only the numbers below 65536
# exist, those of services whose users live as long as they do.
_GROUPS, _GROUPS_BELOW_65536 = (0x7000_0000, 0x0FFF_FFFF), (61_184, 4_336)
# What a command passes through or starts from. All else in the data directory is for the console alone.
_OPEN = frozenset({"spool", "standins", "clients"})


@dataclass(frozen=True)
class Identity:
    """Who a program becomes: a user with its groups, and the group of one attempt."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]

    def become(self) -> None:
        """In a forked child, as its last act before the program. Raises `OSError`: nothing runs as root instead."""
        parent = os.getppid()
        os.setgroups(self.groups)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        # Another user's process does not die with its parent until it says so again; the parent may be gone by then.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def identity(run_id: int) -> Identity | None:
    """Who the programs of an attempt become; None if they stay what the worker is. Raises `KeyError`: no such user."""
    if not settings.COMMAND_USER:
        return None
    entry = pwd.getpwnam(settings.COMMAND_USER)
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    first, count = _GROUPS if _has_groups(*_GROUPS) else _GROUPS_BELOW_65536
    # The data directory tells two consoles on one machine apart.
    offset = zlib.crc32(str(settings.DATA_DIR).encode()) + run_id
    return Identity(entry.pw_name, entry.pw_uid, first + offset % count, groups)


def processes_of(run_id: int) -> set[int]:
    """What lives under an attempt's identity, whatever it did with its environment, its parent and its session."""
    try:
        who = identity(run_id)
    except KeyError:
        return set()
    if who is None:
        return set()
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {int(entry.name) for entry in entries if _ids_of(entry) == (who.uid, who.gid)}


@cache
def open_the_way() -> None:
    """Let commands pass to their directories, after everything else in the data directory is closed to them."""
    data = Path(settings.DATA_DIR)
    for entry in data.iterdir():
        if entry.name not in _OPEN and not entry.is_symlink():
            entry.chmod(stat.S_IMODE(entry.stat().st_mode) & 0o700)
    for folder in (data / "spool", data):
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        folder.chmod(0o711)


def named() -> str:
    """The name of the user that commands run as here."""
    if settings.COMMAND_USER:
        return str(settings.COMMAND_USER)
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def reaches_stand_ins() -> bool:
    """Whether commands can start the interpreter of the stand-ins, and read their code."""
    try:
        who = identity(0)
    except KeyError:
        return False
    return who is None or not (_unreached(who, Path(sys.executable)) or _unreached(who, Path(__file__)))


@register
def it_can_be_become(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """On a worker with ERPOPS_COMMAND_USER: that user exists, can be become, and reaches what commands need."""
    return list(_faults()) if settings.ROLE == "worker" and settings.COMMAND_USER else []


def _faults() -> Iterator[CheckMessage]:
    name = settings.COMMAND_USER
    try:
        who = identity(0)
    except KeyError:
        yield _error(f"there is no user {name} on this machine", f"Make it with `useradd --system {name}`.", 1)
        return
    assert who is not None
    if who.uid == 0:
        yield _error(f"{name} is root", "Name a user without powers, or leave it empty.", 2)
    elif os.geteuid() != 0:
        hint = "Start the worker as root, or leave ERPOPS_COMMAND_USER empty: commands then run as the worker's user."
        yield _error(f"only root can become {name}, and this worker is not root", hint, 3)
    else:
        yield from _faults_of_files(who)


def _faults_of_files(who: Identity) -> Iterator[CheckMessage]:
    data = Path(settings.DATA_DIR)
    if closed := _unreached(who, data.parent):
        hint = (
            f"Choose a data directory with ERPOPS_DATA that lies elsewhere, such as /var/lib/erpops (or open {closed})."
        )
        yield _error(f"{who.name} cannot pass through {closed}, where the data directory lies", hint, 4)
    own = sorted(entry.name for entry in data.iterdir() if entry.lstat().st_uid == who.uid) if data.is_dir() else []
    if own:
        hint = "Name another user: commands must not own what is the console's."
        yield _error(f"{who.name} owns {', '.join(own)} in the data directory", hint, 5)
    if _unreached(who, Path("/bin/bash")) and _unreached(who, Path("/usr/bin/bash")):
        yield _error(f"{who.name} cannot start bash", "Let that user execute /bin/bash.", 6)
    if not reaches_stand_ins():
        yield Caution(
            f"ERPOPS_COMMAND_USER: {who.name} cannot start {Path(sys.executable).resolve()} or read erpops, so what "
            "stands in for missing programs (docker, kubectl, redis-cli) does not run here.",
            hint="Install the programs themselves, or erpops and its Python outside of closed directories.",
            id="runbooks.W001",
        )


def _error(what: str, hint: str, number: int) -> CheckMessage:
    return Error(f"ERPOPS_COMMAND_USER: {what}.", hint=hint, id=f"runbooks.E{number:03}")


def _unreached(who: Identity, path: Path) -> Path | None:
    """The first part on the way to `path` that `who` may not pass or execute; None if there is none."""
    resolved = path.resolve()
    for part in (*reversed(resolved.parents), resolved):
        try:
            found = part.stat()
        except OSError:
            return part
        need = stat.S_IXOTH if part.is_dir() or path.suffix != ".py" else stat.S_IROTH
        shift = 6 if found.st_uid == who.uid else 3 if found.st_gid in who.groups else 0
        if not found.st_mode & need << shift:
            return part
    return None


def _has_groups(first: int, count: int) -> bool:
    """Whether these group numbers exist in this container."""
    try:
        lines = [tuple(map(int, line.split())) for line in Path("/proc/self/gid_map").read_text().splitlines()]
    except (OSError, ValueError):
        return False
    return any(start <= first and first + count <= start + length for start, _, length in lines)


def _ids_of(process: Path) -> tuple[int, int]:
    """Real user and group of a live process; the owner of its /proc entry may be root whatever they are."""
    try:
        lines = (process / "status").read_text(errors="replace").splitlines()
    except OSError:
        return -1, -1
    words = {line.split()[0]: line.split()[1] for line in lines if line.startswith(("State:", "Uid:", "Gid:"))}
    return (-1, -1) if words.get("State:") in {"Z", "X", None} else (int(words["Uid:"]), int(words["Gid:"]))


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, *(ctypes.c_ulong(argument) for argument in (value, 0, 0, 0))):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
