"""Every rule that a finding may name: what it means, why it matters, what to do, and an example of each kind.

The table is `rules.toml`; the examples are tests and stand on the pages of the rules.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Rule:
    """`level` is the highest that the rule reports. `bad` breaks it, `good` does not; both are Markdown.

    A rule between documents has several texts in an example, parted by a line of `=====`.
    """

    id: str
    level: str
    title: str
    why: str
    fix: str
    bad: str
    good: str

    @property
    def family(self) -> str:
        return self.id.partition(".")[0]


@cache
def _read() -> dict[str, Rule]:
    with (Path(__file__).parent / "rules.toml").open("rb") as file:
        return {name: Rule(id=name, **entry) for name, entry in tomllib.load(file).items()}


RULES: dict[str, Rule] = _read()
