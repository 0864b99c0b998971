"""What a command may use beside time: memory, processes, disk. What it uses up is not there for anybody else.

Where the kernel keeps count for a group of processes (cgroup v2 with its controllers) it does so there. Everywhere
the supervisor looks, a few times a second, at what lives and at what was written, and each process has limits of
its own from the kernel.
"""

import os
import resource
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

MB = 1024 * 1024
OPEN_FILES = 4096
# Of all that could be ended when the machine has no memory left, commands come before the console.
_OOM_SCORE = "800"
LOOK_S, LOOK_LATEST_S = 0.2, 1.0
# A look that takes longer comes more seldom, so that looking costs at most about 1/30 of a core.
_SHARE = 30
# What an entry of a directory takes at least, so that a million empty files are not for nothing.
_ENTRY_BYTES = 4096
# The shells' way to say that a program of theirs was ended by a signal.
_BY_SHELL = 128


@dataclass(frozen=True)
class Limits:
    """For one attempt: all of its processes together, and its own directory. `file_bytes` holds for each file."""

    memory_bytes: int
    processes: int
    disk_bytes: int
    file_bytes: int

    def enter(self) -> None:
        """In the forked child, before it becomes the command. Never raises: a limit that cannot be set is watched."""
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
        _limit(resource.RLIMIT_FSIZE, self.file_bytes)
        # For what grows faster than one looks. Far above the limit, because programs reserve what they never touch.
        _limit(resource.RLIMIT_DATA, 4 * self.memory_bytes)
        if os.geteuid() != 0 or settings.COMMAND_USER:
            # Counted by the kernel for all that this user runs, the console too; root is exempt.
            _limit(resource.RLIMIT_NPROC, 4 * self.processes)
        try:
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
        except OSError:
            return


def of_settings() -> Limits:
    """The limits of this worker."""
    return Limits(
        memory_bytes=settings.COMMAND_MEMORY_MB * MB,
        processes=settings.COMMAND_PROCESSES,
        disk_bytes=settings.COMMAND_DISK_MB * MB,
        file_bytes=settings.COMMAND_FILE_MB * MB,
    )


class Watch:
    """Looks at what an attempt uses. `due` says when it is time again (monotonic seconds)."""

    def __init__(self, limits: Limits, home: Path) -> None:
        self._limits, self._home = limits, home
        self.due = time.monotonic() + LOOK_S

    def look(self, members: Collection[int]) -> str:
        """A sentence about the limit that is exceeded; empty if none is."""
        began = time.monotonic()
        said = self._processes(members) or self._memory(members) or self._disk(members)
        now = time.monotonic()
        self.due = now + min(max(LOOK_S, _SHARE * (now - began)), LOOK_LATEST_S)
        return said

    def _processes(self, members: Collection[int]) -> str:
        most = self._limits.processes
        # Reading each of them takes longer than counting them.
        count = len(members) if len(members) > most else sum(_status(pid, "Threads") for pid in members)
        return beyond_processes(most) if count > most else ""

    def _memory(self, members: Collection[int]) -> str:
        most = self._limits.memory_bytes
        if sum(_status(pid, "RssAnon", "RssShmem") for pid in members) * 1024 <= most:
            return ""
        # Pages that several share were counted for each of them; this counts them once, and takes its time.
        used = sum(_shares(pid) for pid in members) * 1024
        return beyond_memory(most, used) if used > most else ""

    def _disk(self, members: Collection[int]) -> str:
        most, used = self._limits.disk_bytes, 0
        for size in _written(self._home, members):
            used += size
            if used > most:
                return (
                    f"Ended because it wrote more than {most // MB:,} MB into its directory "
                    "(the limit ERPOPS_COMMAND_DISK_MB of its worker)."
                )
        return ""


def beyond_processes(most: int) -> str:
    """The sentence for too many processes."""
    return f"Ended because it had more than {most:,} processes (the limit ERPOPS_COMMAND_PROCESSES of its worker)."


def beyond_memory(most: int, used: int = 0) -> str:
    """The sentence for too much memory."""
    found = f"{used // MB:,} MB" if used else f"more than {most // MB:,} MB"
    limit = f"the limit ERPOPS_COMMAND_MEMORY_MB of its worker is {most // MB:,}"
    return f"Ended because it used {found} of memory ({limit})."


def of_exit(code: int | None, limits: Limits) -> str:
    """The sentence for an exit status that says that a file became too long; empty for any other."""
    if code not in (-signal.SIGXFSZ, _BY_SHELL + signal.SIGXFSZ):
        return ""
    most = limits.file_bytes // MB
    return f"Ended because it wrote a file of more than {most:,} MB (the limit ERPOPS_COMMAND_FILE_MB of its worker)."


def _limit(what: int, most: int) -> None:
    try:
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    except (OSError, ValueError):
        return


def _status(pid: int, *names: str) -> int:
    """The sum of some lines of /proc/PID/status; 0 when the process is gone."""
    return _sum_of_lines(Path(f"/proc/{pid}/status"), names)


def _shares(pid: int) -> int:
    """Kilobytes of memory of its own, and its share of what it has with others."""
    used = _sum_of_lines(Path(f"/proc/{pid}/smaps_rollup"), ("Pss_Anon", "Pss_Shmem", "SwapPss"))
    return used or _status(pid, "RssAnon", "RssShmem")


def _sum_of_lines(path: Path, names: tuple[str, ...]) -> int:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    pairs = (line.partition(":") for line in lines)
    return sum(int(value.split()[0]) for name, _, value in pairs if name in names)


def _written(home: Path, members: Collection[int]) -> Iterator[int]:
    """The sizes of everything below `home`, and of what was removed there but is still open."""
    waiting = [str(home)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    yield max(_ENTRY_BYTES, entry.stat(follow_symlinks=False).st_blocks * 512)
        except OSError:
            continue
    seen: set[tuple[int, int]] = set()
    for pid in members:
        yield from _removed(pid, str(home), seen)


def _removed(pid: int, home: str, seen: set[tuple[int, int]]) -> Iterator[int]:
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                where = str(Path(entry.path).readlink())
                if where.startswith(home) and where.endswith(" (deleted)"):
                    found = entry.stat()
                    if (found.st_dev, found.st_ino) not in seen:
                        seen.add((found.st_dev, found.st_ino))
                        yield found.st_blocks * 512
    except OSError:
        return
