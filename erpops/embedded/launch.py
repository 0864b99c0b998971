"""How a server program is started here: as whom, with which environment, and that it has really begun."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from erpops.embedded import unroot
from erpops.embedded.errors import EmbeddedError

ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
_POLL = 0.02


@dataclass(frozen=True)
class Launcher:
    """Words to put before a command and the Popen arguments that go with them.

    `owner` is the uid that must own the server's files, None when they stay with the caller.
    """

    prefix: tuple[str, ...] = ()
    popen: dict[str, Any] = field(default_factory=dict)
    owner: int | None = None


def launcher(program: Path, files: Path, *, die_with_parent: bool = False) -> Launcher:
    """The way in which `program`, which refuses uid 0, can be run by this user over its `files`.

    An ordinary user runs it directly. Root runs it in a user namespace, where the files stay root's;
    where those are refused, or the files were made so before, as the user nobody.
    """
    if os.geteuid() != 0:
        return Launcher(popen=dying_with_parent() if die_with_parent else {})
    parent = ("--die-with-parent", str(os.getpid())) if die_with_parent else ()
    handed_over = files.exists() and files.stat().st_uid == unroot.NOBODY
    for mode in ("nobody",) if handed_over else ("namespace", "nobody"):
        by_mode = (sys.executable, "-I", "-S", unroot.__file__, mode)
        if sys.platform == "linux" and _runs([*by_mode, str(program), "--version"]):
            return Launcher(prefix=(*by_mode, *parent), owner=unroot.NOBODY if mode == "nobody" else None)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and this root may neither use user namespaces nor become "
        "nobody: start as an ordinary user, or set DATABASE_URL to a server of yours."
    )


def dying_with_parent(number: signal.Signals = signal.SIGQUIT) -> dict[str, Any]:
    """Popen arguments that make the kernel send `number` when this process ends (Linux; elsewhere none).

    Only for a caller with a single thread, whose end is this thread's end.
    """
    if sys.platform != "linux":
        return {}
    return {"preexec_fn": partial(unroot.die_with_parent, os.getpid(), number)}


def spawn(
    command: list[str], *, log: Path, cwd: Path, stdin: bytes = b"", popen: dict[str, Any] | None = None
) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, so that Ctrl-C at the terminal does not reach it."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=ENVIRONMENT,
            start_new_session=True,
            **(popen or {}),
        )
    assert process.stdin is not None
    process.stdin.write(stdin)
    process.stdin.close()
    return process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As the servers do: a connection that is still closing does not occupy the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def wait_until(ready: Callable[[], bool], *, timeout: float, alive: Callable[[], bool] = lambda: True) -> bool:
    """Poll `ready` until it is true; False when `timeout` seconds passed or `alive` became false."""
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() >= deadline or not alive():
            return False
        time.sleep(_POLL)
    return True


def last_lines(log: Path, count: int = 4) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in lines[-count:])


def _runs(command: list[str], **popen: Any) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=False, **popen)
    except OSError:
        return False
    return done.returncode == 0
