"""Run a program that refuses uid 0, as root, without a new OS user and without opening any directory.

`python -I -S unroot.py namespace|nobody [--die-with-parent PID] PROGRAM ARG…` becomes PROGRAM

- `namespace`: in a user namespace of its own, where the caller appears as `nobody`. On disk the caller
  stays the owner of every file. Refused inside a chroot and by the seccomp profile of many containers.
- `nobody`: as the real user `nobody`, that keeps of root's powers only the one to pass through closed
  directories, so that the program and its files are reached wherever they lie. The files must be nobody's.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

NOBODY = 65534
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITIES_V3 = 0x20080522


def enter_namespace() -> None:
    """Become `nobody` in a new user namespace; OSError where that is refused."""
    uid, gid = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {gid} 1")


def become_nobody() -> None:
    """Become the real `nobody`, keeping one capability; OSError where this root may not."""
    # Keeps capabilities over the change of uid, and lets access(2), which initdb asks, heed them.
    _call("prctl", PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    # Containers usually grant the second one only.
    if not (_keep(CAP_DAC_READ_SEARCH) or _keep(CAP_DAC_OVERRIDE)):
        raise OSError("this root has no power over closed directories")


def die_with_parent(parent: int, number: int) -> None:
    """Ask the kernel for signal `number` when `parent` ends; exits at once when it already has."""
    # A shell's `&` ignores SIGQUIT for everything below it; a server that inherits this would stay.
    signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def _keep(capability: int) -> bool:
    """Hand one capability, and no other, through exec; False when this process does not have it."""
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0)
    # Effective, permitted, inheritable; then the same for capabilities above 31.
    wanted = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    try:
        _call("capset", header, wanted)
        _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)
    except OSError:
        return False
    return True


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def main(arguments: list[str]) -> None:
    mode, *arguments = arguments
    parent = 0
    if arguments[0] == "--die-with-parent":
        parent, arguments = int(arguments[1]), arguments[2:]
    try:
        (enter_namespace if mode == "namespace" else become_nobody)()
    except OSError as error:
        sys.exit(f"root cannot be left by {mode}: {error}")
    if parent:
        # A change of identity clears the parent-death signal, so it is asked for afterwards.
        die_with_parent(parent, signal.SIGQUIT)
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
