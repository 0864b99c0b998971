"""Every rule that a finding may name: what it means, why it matters, what to do, and an example of each kind.

The tables are `rules/*.toml`, one for each family; the examples are tests and stand on the pages of the rules.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import indent

_TABLES = Path(__file__).parent / "rules"


@dataclass(frozen=True, slots=True)
class Rule:
    """`level` is the highest that the rule reports. `bad` breaks it, `good` does not.

    With a `language` the examples are the content of a fence, else whole documents. "hex:" stands for bytes,
    "path:" for a file that is not there, and a line of `=====` parts the documents of a rule between documents.
    """

    id: str
    level: str
    title: str
    why: str
    fix: str
    bad: str
    good: str
    language: str = ""

    @property
    def family(self) -> str:
        return self.id.partition(".")[0]

    def document(self, example: str) -> str:
        """The Markdown around an example of this rule."""
        if not self.language:
            return example
        fence = f"```{self.language}\n{example.strip()}\n```"
        return f"# A\n\n1. Look\n\n{indent(fence, '   ')}\n"


@cache
def _read() -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    for path in sorted(_TABLES.glob("*.toml")):
        with path.open("rb") as file:
            rules |= {name: Rule(id=name, **entry) for name, entry in tomllib.load(file).items()}
    return rules


RULES: dict[str, Rule] = _read()
