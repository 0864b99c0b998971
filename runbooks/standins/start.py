"""The process of a stand-in: its arguments, its exit status, and what it says when it cannot."""

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from runbooks.standins.ending import REFUSED, Ended, NotUnderstood, err

_INSTALLED_AS = {"docker": "the Docker CLI", "docker-compose": "Docker Compose", "kubectl": "kubectl"}
_INSTALLED_AS |= dict.fromkeys(("redis-cli", "valkey-cli"), "redis-cli")


def start(name: str) -> NoReturn:
    """Be the program `name` with this process's arguments; ends the process."""
    # As programs do whose reader has gone: `docker logs … | head` ends quietly.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    status = carry_out(name, sys.argv[1:])
    sys.stdout.flush()
    # Threads that wait for input must not keep the process.
    os._exit(status & 0xFF)


def carry_out(name: str, words: list[str]) -> int:
    """The exit status of `name` called with `words`."""
    try:
        return _main(name)(words)
    except Ended as end:
        if end.said:
            err(end.said)
        return end.status
    except NotUnderstood as what:
        err(
            f"{name}: this worker has a stand-in for {_INSTALLED_AS[name]}, which does not know {what}. Nothing was "
            f"started. Install {_INSTALLED_AS[name]} on the worker, or run this by hand."
        )
        return REFUSED


def _main(name: str) -> Callable[[list[str]], int]:
    # One of the clients is loaded, never all: each costs a tenth of a second and more.
    if name == "kubectl":
        from runbooks.standins.kubectl.program import main as kubectl

        return kubectl
    if name in {"redis-cli", "valkey-cli"}:
        from runbooks.standins.redis import main as redis

        return redis
    if name == "docker-compose":
        from runbooks.standins.docker.compose import main as compose

        return compose
    from runbooks.standins.docker.program import main as docker

    return docker
