"""Holding on to everything that a command starts, so that it can be ended as a whole.

Two levels. Always: the supervisor and its guardian are subreapers, so what a command leaves behind,
however it detaches, becomes their child and is found. Where cgroup v2 can be written, the command
also gets a group of its own, which the kernel ends in one step, whatever is forked meanwhile.

There is no pid namespace: inside one `kill <pid>` means another process than the operator sees.
"""

import ctypes
import logging
import os
import signal
import time
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

from django.conf import settings

from erpops import pids
from runbooks import command_user, limits
from runbooks.limits import Limits

logger = logging.getLogger(__name__)

CGROUP, SUBREAPER = "cgroup", "subreaper"
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36
_libc = ctypes.CDLL(None, use_errno=True)


class Containment:
    """The processes of one attempt, held at the machine's `level` and within `limits`."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        # Named after the process that tidies up behind it. It is made by who enters first.
        self.group = _group_path(f"run-{os.getpid()}-{time.time_ns()}") if level() == CGROUP else None
        # pid → wait status of every child that has ended, the command itself among them.
        self.ended: dict[int, int] = {}

    def enter(self) -> None:
        """In a forked child that is to become the command: join, and die with the supervisor. Raises `OSError`."""
        supervisor = os.getppid()
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if self.group is not None:
            _join(self.group, self.limits)
        if os.getppid() != supervisor:
            os._exit(1)

    def exceeded(self) -> str:
        """A sentence about the limit that the kernel has enforced for the group; empty if none was."""
        if self.group is None:
            return ""
        if _count(self.group / "memory.events", "oom_kill"):
            return limits.beyond_memory(self.limits.memory_bytes)
        return limits.beyond_processes(self.limits.processes) if _count(self.group / "pids.events", "max") else ""

    def members(self) -> set[int]:
        """Everything that lives of it: the group, and what hangs below this process."""
        return set(pids.descendants(os.getpid())) | _group_members(self.group)

    def counted(self) -> set[int]:
        """What its limits count: the group where there is one, because that is quick to ask."""
        return set(pids.descendants(os.getpid())) if self.group is None else _group_members(self.group)

    def signal(self, number: signal.Signals) -> None:
        """Signal all of it, once; what has stopped itself is woken so that it hears."""
        for pid in self.members():
            _kill(pid, number)
            _kill(pid, signal.SIGCONT)

    def reap(self) -> None:
        """Collect what has ended."""
        _reap(self.ended)

    def kill(self, *, within: float) -> bool:
        """End all of it; False if something still lives after `within` seconds."""
        return _kill_all(self.group, within=within, ended=self.ended)

    def close(self) -> None:
        """Remove the group, which must be empty."""
        _remove(self.group)


def level() -> str:
    """What holds on to commands on this machine: `cgroup` or `subreaper`."""
    return CGROUP if _can_group() else SUBREAPER


def become_subreaper(name: str) -> None:
    """Take in the orphans of everything below this process, and be called `name` in process lists."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    name_process(name)


def name_process(name: str) -> None:
    """Be called `name` in process lists."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15])


def sweep(group: Path | None, *, within: float = 5.0) -> bool:
    """End what is left of an attempt whose supervisor is gone: its group, and what hangs below this process."""
    group = group if group is not None and group.is_dir() else None
    gone = _kill_all(group, within=within, ended={})
    _remove(group)
    return gone


def sweep_left(run_id: int, *, group: Path | None, home: Path, supervisor: tuple[int, str | None]) -> bool:
    """End what is left of an attempt whose supervisor and guardian are gone or stand still.

    For a process that has children of its own: only the attempt's `group` is ended, what carries its private
    directory as HOME, what has its identity where it has one, and what hangs below `supervisor` (pid and start
    time) if that lives. False if something is still there after a second.
    """
    group = group if group is not None and group.is_dir() else None
    deadline = time.monotonic() + 1
    while left := _group_members(group) | _at_home(home) | _below(*supervisor) | command_user.processes_of(run_id):
        if group is not None:
            _write(group / "cgroup.kill", "1")
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                _kill(pid, number)
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    _remove(group)
    return True


def is_group(path: Path) -> bool:
    """Whether this is the name of a group that a supervisor of this console has made."""
    return path.name.startswith(f"{_prefix()}run-")


def tidy() -> None:
    """Remove the empty groups of supervisors and guardians that were killed."""
    for path, maker in groups():
        if pids.started_at(maker) is None:
            with suppress(OSError):
                path.rmdir()


def groups() -> list[tuple[Path, int]]:
    """The groups of this console beside our own, each with the pid of its maker."""
    beside = _group_path("run")
    found = beside.parent.glob(f"{_prefix()}run-*") if beside is not None else []
    named = [(path, path.name.removeprefix(f"{_prefix()}run-").partition("-")[0]) for path in found]
    return [(path, int(maker)) for path, maker in named if maker.isdigit()]


def _below(pid: int, started: str | None) -> set[int]:
    """What lives below a process; one that stands still keeps its dead children as zombies."""
    return (
        {member for member in pids.descendants(pid) if pids.started_at(member)} if pids.is_same(pid, started) else set()
    )


def _at_home(home: Path) -> set[int]:
    """Processes that were started with this HOME, which no other attempt shares."""
    found = set()
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else []:
        pid = int(entry.name) if entry.name.isdigit() else 0
        if pid and pids.environment_of(pid).get("HOME") == str(home) and pids.started_at(pid):
            found.add(pid)
    return found


def _reap(ended: dict[int, int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        ended[pid] = status


def _kill_all(group: Path | None, *, within: float, ended: dict[int, int]) -> bool:
    deadline = time.monotonic() + within
    while True:
        if group is not None:
            _write(group / "cgroup.kill", "1")
        left = set(pids.descendants(os.getpid())) | _group_members(group)
        # Stopped first: what cannot run cannot fork while the others are being ended.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                _kill(pid, number)
        _reap(ended)
        if not left:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)


@cache
def _can_group() -> bool:
    """Whether a child of ours can be put into a group; in some containers one can be made but not used."""
    path = _group_path(f"probe-{os.getpid()}")
    if path is None:
        return False
    # Refused where processes live in that group itself; then the group only holds them together.
    for controller in ("+memory", "+pids"):
        _write(path.parent / "cgroup.subtree_control", controller)
    try:
        path.mkdir()
        usable = (path / "cgroup.kill").exists() and _joins(path)
    except OSError:
        return False
    _remove(path)
    return usable


def _joins(path: Path) -> bool:
    child = os.fork()
    if child == 0:
        try:
            (path / "cgroup.procs").write_text("0")
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _join(group: Path, limits: Limits) -> None:
    for tries in range(3, 0, -1):
        group.mkdir(exist_ok=True)
        # These exist where the group above passes the controllers on; elsewhere `limits.Watch` is alone.
        _write(group / "pids.max", str(limits.processes))
        _write(group / "memory.max", str(limits.memory_bytes))
        _write(group / "memory.oom.group", "1")
        try:
            handle = os.open(group / "cgroup.procs", os.O_WRONLY)
        except FileNotFoundError:
            # As long as it was empty, anybody could tidy it away.
            if tries == 1:
                raise
            continue
        try:
            os.write(handle, b"0")
            return
        finally:
            os.close(handle)


def _group_path(name: str) -> Path | None:
    """A group of ours of that name, beside our own; None without cgroup v2."""
    try:
        own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        mount = next(line.split()[4] for line in mounts if " - cgroup2 " in line)
    except (OSError, StopIteration):
        return None
    return Path(mount) / own.strip("/") / f"{_prefix()}{name}"


def _prefix() -> str:
    """How the names of this console's groups begin: the data directory tells two consoles on one machine apart."""
    return f"erpops-{zlib.crc32(str(settings.DATA_DIR).encode()):08x}-"


def _group_members(group: Path | None) -> set[int]:
    if group is None:
        return set()
    try:
        return {int(line) for line in (group / "cgroup.procs").read_text().split() if line != "0"}
    except OSError:
        return set()


def _count(path: Path, name: str) -> int:
    """A counter of a group; 0 without the controller."""
    try:
        return sum(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(f"{name} "))
    except (OSError, ValueError, IndexError):
        return 0


def _remove(group: Path | None) -> None:
    if group is None:
        return
    deadline = time.monotonic() + 1
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() >= deadline:
                logger.warning("The group %s could not be removed", group)
                return
            time.sleep(0.01)
        else:
            return


def _write(path: Path, value: str) -> None:
    try:
        path.write_text(value)
    except OSError:
        return


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return
