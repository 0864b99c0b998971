"""A risk, its flags and the rules behind them, and how several become one: the worst thing inside counts."""

from dataclasses import dataclass, field

from runbooks.compiler.contract import RISKS, Risk

RANK: dict[str, int] = {risk: index for index, risk in enumerate(RISKS)}
_CANCELS = {"bounded": "endless", "quick": "long", "plain": "secret"}


@dataclass(slots=True)
class Verdict:
    """``flags`` maps a flag to the rule that raised it; ``problems`` are (rule, message) pairs.

    ``programs`` are the programs met, outermost first.
    """

    risk: Risk = "read"
    rule: str = ""
    flags: dict[str, str] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    programs: list[str] = field(default_factory=list)

    def raise_to(self, risk: Risk, rule: str) -> None:
        """Take ``risk`` if it is worse than the present one."""
        if RANK[risk] > RANK[self.risk]:
            self.risk, self.rule = risk, rule

    def add(self, other: "Verdict") -> None:
        """Fold in what happens beside or inside this."""
        self.raise_to(other.risk, other.rule)
        self.rule = self.rule or other.rule
        self.programs += other.programs
        for flag, rule in other.flags.items():
            self.flags.setdefault(flag, rule)
        self.problems += other.problems

    def flag(self, name: str, rule: str) -> None:
        """Raise a flag; ``bounded``, ``quick`` and ``plain`` take one back."""
        if name in _CANCELS:
            self.flags.pop(_CANCELS[name], None)
        else:
            self.flags.setdefault(name, rule)
