"""Which process a remembered pid means.

A pid alone is not an identity: it is reused. Everything here that signals a process from an earlier run
first compares the start time that was recorded beside the pid.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_LINUX = sys.platform == "linux"


def started_at(pid: int) -> str | None:
    """An opaque token for when `pid` started, or None when no such process runs (a zombie does not run)."""
    if _LINUX:
        fields = _stat_fields(pid)
        if fields is None or fields[0] in ("Z", "X"):
            return None
        return f"{_boot_id()}:{fields[19]}"
    out = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if len(out) < 2 or out[0].startswith("Z") else out[1].strip()


def is_same(pid: int, started: str | None) -> bool:
    """Whether `pid` still is the process whose `started_at` was `started`."""
    return pid > 0 and started is not None and started_at(pid) == started


def identity(pid: int | None = None) -> str:
    """What to write to a pid file so that a later reader knows this very process: pid, space, start time."""
    pid = pid or os.getpid()
    return f"{pid} {started_at(pid) or ''}"


def read_identity(path: Path) -> tuple[int, str | None]:
    """The pid and start time that `identity` wrote to `path`; (0, None) when it holds neither."""
    try:
        pid, _, started = path.read_text().strip().partition(" ")
        return int(pid), started or None
    except (OSError, ValueError):
        return 0, None


def signal_same(pid: int, started: str | None, number: signal.Signals, *, group: bool = False) -> bool:
    """Signal the recorded process (or the group it leads); False when it is gone or is another process."""
    if not is_same(pid, started):
        return False
    try:
        (os.killpg if group else os.kill)(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def wait_gone(pid: int, started: str | None, *, timeout: float) -> bool:
    """Poll until the recorded process has ended; False when it still runs after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while is_same(pid, started):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def descendants(pid: int) -> list[int]:
    """All live children of `pid`, their children and so on, parents first."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def children(pid: int) -> list[int]:
    """The live children of `pid` itself."""
    return [child for child, parent in _parents() if parent == pid]


def group_members(pgid: int) -> list[int]:
    """Live processes of the process group `pgid` (Linux; elsewhere an empty list)."""
    if not _LINUX:
        return []
    members = []
    for pid in _all_pids():
        fields = _stat_fields(pid)
        if fields and fields[0] not in ("Z", "X") and int(fields[2]) == pgid:
            members.append(pid)
    return members


def environment_of(pid: int) -> dict[str, str]:
    """The environment `pid` was started with; empty when it cannot be read."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    pairs = (item.partition("=") for item in os.fsdecode(raw).split("\0") if "=" in item)
    return {name: value for name, _, value in pairs}


def _parents() -> list[tuple[int, int]]:
    if not _LINUX:
        out = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
        return [(int(pid), int(ppid)) for pid, ppid in (line.split() for line in out.splitlines())]
    pairs = []
    for pid in _all_pids():
        fields = _stat_fields(pid)
        if fields:
            pairs.append((pid, int(fields[1])))
    return pairs


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat after the command name, which may itself hold spaces and brackets."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return text.rpartition(")")[2].split()


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return "-"
