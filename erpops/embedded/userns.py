"""Run a program that refuses uid 0, as root, without a new OS user and without touching permissions.

`python -I -S userns.py [--die-with-parent PID] PROGRAM ARG…` enters a user namespace of its own in which
the caller appears as `nobody` and then becomes PROGRAM. On disk the caller stays the owner of every file.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NOBODY = 65534


def enter() -> None:
    """Become `nobody` in a new user namespace; raises OSError when that is forbidden."""
    uid, gid = os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {gid} 1")


def die_with_parent(parent: int, number: int) -> None:
    """Ask the kernel for signal `number` when `parent` ends; exits at once when it already has."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def main(arguments: list[str]) -> None:
    parent = 0
    if arguments[0] == "--die-with-parent":
        parent, arguments = int(arguments[1]), arguments[2:]
    try:
        enter()
    except OSError as error:
        sys.exit(f"user namespaces are refused: {error}")
    if parent:
        # Entering the namespace clears the parent-death signal, so it is asked for afterwards.
        die_with_parent(parent, signal.SIGQUIT)
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
