"""How each kind of command is started: a kind's executor turns a script into an argv."""

from collections.abc import Callable
from dataclasses import dataclass

from erpops.registry import Registry


class CannotStart(Exception):
    """Nothing was started; the sentence says what is missing on this worker."""


@dataclass(frozen=True)
class Launch:
    """What the supervisor starts: an argv and the whole environment, built from nothing."""

    argv: list[str]
    env: dict[str, str]


# (script, env, risk) -> Launch. Raises CannotStart.
Executor = Callable[[str, dict[str, str], str], Launch]
executors: Registry[Executor] = Registry("executor")
