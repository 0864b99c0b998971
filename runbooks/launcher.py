"""A process that is forked before there is a command to run: already in its group, it becomes the program when told.

What takes time without depending on the command is done by then: the fork of a large process, a session of its
own, and moving it into a control group, for which the kernel may need ten milliseconds.
"""

import dataclasses
import json
import os
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from runbooks.command_user import Identity
from runbooks.containment import Containment, name_process
from runbooks.executors import Launch

_LENGTH = 8
_SAID = 4096
_OPEN_FILES = 4096


@dataclass(frozen=True)
class _Order:
    """What the process becomes. After `latest` (monotonic seconds, the machine's) it may not any more."""

    argv: list[str]
    env: Mapping[str, str]
    folder: Path
    identity: Identity | None
    latest: float


class Launcher:
    """Belongs to one supervisor, and is used once. `outputs` are the ends from which it reads, by stream."""

    def __init__(self, held: Containment) -> None:
        self._socket, theirs = socket.socketpair()
        ends = {stream: os.pipe() for stream in ("out", "err")}
        self.pid = os.fork()
        if self.pid == 0:
            # Or it would never hear that this end was closed.
            self._socket.close()
            _wait(held, theirs, out=ends["out"][1], err=ends["err"][1])
        theirs.close()
        self.outputs: dict[str, IO[bytes]] = {}
        for stream, (ours, written) in ends.items():
            os.close(written)
            self.outputs[stream] = os.fdopen(ours, "rb", buffering=0)

    def start(self, launch: Launch, *, folder: Path, latest: float) -> int:
        """The pid of the program, which runs by now. Raises `OSError` when it could not be started."""
        who = dataclasses.astuple(launch.identity) if launch.identity is not None else None
        sent = json.dumps([launch.argv, dict(launch.env), str(folder), who, latest]).encode()
        with self._socket:
            self._socket.sendall(len(sent).to_bytes(_LENGTH) + sent)
            # Closed without a word when it becomes the program.
            if said := self._socket.recv(_SAID):
                raise OSError(said.decode())
        return self.pid

    def dismiss(self) -> None:
        """Nothing is to be started: let it end."""
        self._socket.close()
        for pipe in self.outputs.values():
            pipe.close()


def _wait(held: Containment, told: socket.socket, *, out: int, err: int) -> NoReturn:
    try:
        name_process("erpops-next")
        os.setsid()
        held.enter()
        order = _received(told)
        if order is not None:
            _become(order, held, told, (os.open(os.devnull, os.O_RDONLY), out, err))
    except BaseException as error:
        told.send(str(error).encode()[:_SAID])
    finally:
        os._exit(127)


def _received(told: socket.socket) -> _Order | None:
    with told.makefile("rb") as stream:
        size = stream.read(_LENGTH)
        if len(size) < _LENGTH:
            return None
        argv, env, folder, who, latest = json.loads(stream.read(int.from_bytes(size)))
    return _Order(argv, env, Path(folder), Identity(*who) if who else None, latest)


def _become(order: _Order, held: Containment, told: socket.socket, streams: tuple[int, int, int]) -> NoReturn:
    """A program starts with these three descriptors and with the signals' defaults."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, told.fileno())
    os.closerange(told.fileno() + 1, _OPEN_FILES)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o077)
    os.chdir(order.folder)
    held.limits.enter()
    if order.identity is not None:
        order.identity.become()
    if time.monotonic() > order.latest:
        # A process may be stopped anywhere; by now another one may have decided about this attempt.
        raise TimeoutError("the worker was held up for longer than it may.")
    os.execvpe(order.argv[0], order.argv, order.env)
