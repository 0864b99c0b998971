"""How each kind of command is started: a kind's executor turns a job into a program or a call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from checks.probes import Place
from erpops.registry import Registry
from runbooks import command_user
from runbooks.command_user import Identity


class CannotStart(Exception):
    """Nothing was started; the sentence says what is missing on this worker."""


@dataclass(frozen=True)
class Job:
    """What is to be carried out: the constant text, and all that reaches it beside the text.

    `env` is the whole environment of a process, the parameters' `values` (as `parameters.bind` named them) among
    it. `places` are the environment's targets by kind, the first of each; `home` is the command's own directory;
    `shell_host` is the target that shell commands run on, empty for the worker itself, and `folder` where they start
    there, empty for `home`.
    """

    script: str
    env: Mapping[str, str]
    values: Mapping[str, str]
    risk: str
    places: Mapping[str, Place]
    home: Path
    timeout_s: int
    shell_host: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Launch:
    """What the supervisor starts: a program with its whole environment, or a call in a process of its own.

    A `call` runs in a child of the supervisor that has nothing but `env`, prints to standard output and error,
    and gives the exit status. `files` are written below the command's directory first, for its eyes only.
    `identity` is who a program becomes, also one that a call starts; None: it stays what the worker is. `folder` is
    where a program starts; empty: in the command's directory.
    """

    env: Mapping[str, str]
    argv: list[str] = field(default_factory=list)
    call: Callable[[], int] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    identity: Identity | None = None
    folder: str = ""

    @property
    def name(self) -> str:
        """What is started, for a sentence."""
        return self.argv[0] if self.argv else "The call"


# Raises CannotStart.
Executor = Callable[[Job], Launch]
executors: Registry[Executor] = Registry("executor")


def identified(launch: Launch, run_id: int) -> Launch:
    """The launch with who its program becomes, for whom the way to its directory is open. Raises `CannotStart`.

    A call is a function of ours: it stays what the worker is.
    """
    if launch.call is not None:
        return launch
    try:
        identity = command_user.identity(run_id)
        if identity is not None:
            command_user.open_the_way()
    except (KeyError, OSError) as error:
        raise CannotStart(
            f"ERPOPS_COMMAND_USER cannot be used on this worker: {error}. Nothing was started."
        ) from error
    return replace(launch, identity=identity)
