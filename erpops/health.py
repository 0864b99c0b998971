"""Whether the console does its work: its processes live, and what is due is begun."""

from collections.abc import Callable
from dataclasses import dataclass

from erpops import beats
from erpops.registry import Registry

# Each gives sentences on work that nobody begins, for people who may see the console; none when all is well.
waits: Registry[Callable[[], list[str]]] = Registry("waiting work")


@dataclass(frozen=True)
class Part:
    """One of the console's own parts: whether it is well, that in words, and what follows if it is not."""

    well: bool
    state: str
    follows: str = ""


def waiting() -> list[str]:
    """Sentences on due work that nobody begins."""
    return [sentence for find in waits.values() for sentence in find()]


def parts() -> list[Part]:
    """Whether paging and running commands work right now."""
    living = beats.living()
    return [_engine("engine" in living), _worker("worker" in living)]


def _engine(lives: bool) -> Part:
    if lives:
        return Part(True, "Engine runs")
    return Part(False, "Engine does not run", "Nobody is paged and no check is due until it runs again.")


def _worker(lives: bool) -> Part:
    if not lives:
        return Part(False, "Worker does not run", "Commands and checks wait until it runs again.")
    left = waiting()
    return Part(False, "Work waits", " ".join(left)) if left else Part(True, "Worker runs")
