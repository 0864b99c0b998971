"""Waiting until it holds: a command that only reads is tried again until it prints what it should.

All tries are one attempt. Each is told with its time, and what it printed follows.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from runbooks.compiler.assertions import Assertion, judge
from runbooks.executors import Launch

LIMIT_S = 300.0
# The end by itself comes before the supervisor's.
MARGIN_S = 5
FIRST_PAUSE_S, LONGEST_PAUSE_S, SLOWER = 3.0, 10.0, 1.5
JUDGED_BYTES = 65_536
# What a try leaves running may hold its output open this long.
_LINGER_S = 1.0


def until_holds(launch: Launch, expected: Sequence[Assertion], *, try_s: float) -> Launch:
    """The same start, again and again: 0 once all of `expected` hold, 1 if they do not within the limit.

    One try has `try_s` seconds.
    """
    return replace(launch, argv=[], call=partial(_repeat, launch, tuple(expected), try_s))


def _repeat(launch: Launch, expected: tuple[Assertion, ...], try_s: float) -> int:
    began, pause, number = time.monotonic(), FIRST_PAUSE_S, 0
    while True:
        number += 1
        passed = time.monotonic() - began
        print(f"— try {number}, after {passed:.0f} s")
        status, output = _try(launch, min(try_s, max(1.0, LIMIT_S - passed)))
        held, said = _judged(expected, output, status)
        if held:
            print(f"— it holds: {said}")
            return 0
        left = LIMIT_S - (time.monotonic() - began)
        if left <= pause:
            print(f"— it did not hold within {LIMIT_S:.0f} s: {said}")
            return 1
        print(f"— not yet: {said}")
        time.sleep(pause)
        pause = min(pause * SLOWER, LONGEST_PAUSE_S)


def _judged(expected: tuple[Assertion, ...], output: str, status: int | None) -> tuple[bool, str]:
    """Whether all hold, and what was compared. What a failed command did not print proves nothing."""
    if status is None:
        return False, "it was not done in time"
    if status != 0 and not any(assertion["op"] == "exit" for assertion in expected):
        return False, f"it ended with {status}"
    verdicts = [judge(assertion, output, status) for assertion in expected]
    wrong = next((verdict for verdict in verdicts if not verdict.ok), None)
    return wrong is None, (wrong.reason if wrong else "; ".join(verdict.reason for verdict in verdicts))


def _try(launch: Launch, limit_s: float) -> tuple[int | None, str]:
    """One try: its exit status (None if it was not done in time) and the beginning of its output."""
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = os.pipe()
    pid = _start_call(launch.call, ours, theirs) if launch.call else _start_program(launch, theirs)
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as pipe:
        return _watch(pid, pipe.fileno(), time.monotonic() + limit_s)


def _start_program(launch: Launch, theirs: int) -> int:
    process = subprocess.Popen(
        launch.argv,
        cwd=launch.folder or None,
        env=dict(launch.env),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        process_group=0,
        preexec_fn=launch.identity.become if launch.identity else None,  # noqa: PLW1509
    )
    # Its status is collected by `_watch`, for which Popen must not wait.
    process.returncode = 0
    return process.pid


def _start_call(call: Callable[[], int], ours: int, theirs: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.setpgid(0, 0)
        os.close(ours)
        os.dup2(theirs, 1)
        status = call()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status & 0xFF)


def _watch(pid: int, pipe: int, until: float) -> tuple[int | None, str]:
    """Pass on what it prints until it ends; what is over its time is killed with all its group."""
    kept, status, open_until = bytearray(), None, until
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < open_until:
            data = os.read(pipe, 65536) if selector.select(0.05) else None
            if data:
                os.write(1, data)
                kept += data[: JUDGED_BYTES - len(kept)]
            if status is None and (ended := os.waitpid(pid, os.WNOHANG))[0]:
                status = os.waitstatus_to_exitcode(ended[1])
                open_until = min(until, time.monotonic() + _LINGER_S)
            if data == b"" and status is not None:
                break
    if status is None:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return status, kept.decode("utf-8", "replace")
