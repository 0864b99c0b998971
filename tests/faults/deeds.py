"""One command of each kind that leaves an effect in the world. A new kind of command gets a line in `DEEDS`.

A deed leaves its effect first, says something, takes a moment, says something more, and ends with its `exit_code`.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runbooks.executors import executors
from tests.faults.world import World
from tests.runbooks.builders import command

# How long a command goes on between its first and its last word: time to be killed in.
TAKES_S = 0.15


@dataclass(frozen=True)
class Deed:
    """`text` is the command, given the world and the address of its server; `<attempt>` stands for the token."""

    kind: str
    text: Callable[[World, str], str]
    exit_code: int
    risk: str = "read"
    # What must be installed where it runs.
    program: str = ""

    def compiled(self, world: World, server: str) -> dict[str, Any]:
        """As the compiler would give it."""
        text = self.text(world, server)
        return command(text, self.risk, kind=self.kind, parameters=[{"name": "attempt"}] * ("<attempt>" in text))


def _shell(world: World, server: str) -> str:
    left = f"printf '%s\\n' <attempt> >> {world.file}; sync {world.file}"
    return f"{left}; echo one; sleep {TAKES_S}; echo two; exit 3"


def _script(world: World, server: str) -> str:
    # No value can stand in a script: the attempt's own directory is its token.
    return _shell(world, server).replace("<attempt>", '"$HOME"').replace("; ", "\n")


def _http(world: World, server: str) -> str:
    return f"curl -fsS --max-time 10 --data-raw <attempt> {server}; sleep {TAKES_S}; echo two; exit 4"


def _request(world: World, server: str) -> str:
    return "POST /effects/<attempt>"


def _sql(world: World, server: str) -> str:
    return f"INSERT INTO {world.table()} VALUES (<attempt>);\nSELECT pg_sleep({TAKES_S});\nSELECT 'two';"


DEEDS = {
    deed.kind: deed
    for deed in (
        Deed("shell", _shell, 3),
        Deed("script", _script, 3),
        Deed("http", _http, 4, program="curl"),
        Deed("request", _request, 0, risk="change"),
        Deed("sql", _sql, 0, risk="change"),
    )
}

# Kinds that only look: an execution leaves no trace that could be counted.
ONLY_LOOK = frozenset({"promql", "logql", "lucene"})


def lacking(kind: str) -> str:
    """Why no deed of that kind can be done here, as a sentence; empty if one can."""
    deed = DEEDS.get(kind)
    if executors.get(kind) is None:
        return f"erpops does not carry out {kind}"
    if deed is None:
        return f"{kind} is not in tests/faults/deeds.py"
    if deed.program and shutil.which(deed.program) is None:
        return f"{deed.program} is not installed: apt install {deed.program}"
    return ""


def available() -> list[Deed]:
    """A deed of every kind that can be carried out here."""
    return [deed for kind, deed in DEEDS.items() if not lacking(kind)]
