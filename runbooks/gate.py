"""What a command's risk asks of a person before it runs.

In production: a read one click, a change a second one, a disruption a reason, destroying the typed name of what it
acts on and another lead's approval (`runbooks.approvals`). Elsewhere a disruption is confirmed like a change, and
destroying is typed without an approver.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incidents.models import Environment
from runbooks.choices import Risk
from runbooks.refusals import Refused
from runbooks.touched import Touched

# Whatever is not a plain read asks first, and destroying is always typed.
_LOWER = {Risk.DISRUPT: Risk.CHANGE}
# What a disruption is usually needed for; the person picks, nothing is picked for them.
REASONS = ("users are affected", "the runbook asks for it", "tried on staging", "agreed with the team")


@dataclass(frozen=True)
class Confirmation:
    """What the person gave beside the click: `yes` for the second button, a reason, the typed target."""

    yes: bool = False
    reason: str = ""
    target: str = ""


def rung(*, risk: str, environment: Environment) -> Risk:
    """How strictly a command of `risk` is guarded there: less outside production, never not at all."""
    level = Risk(risk)
    return level if environment.is_production else _LOWER.get(level, level)


def needs_approval(*, risk: str, environment: Environment) -> bool:
    """Whether somebody else has to approve first: what destroys in production."""
    return risk == Risk.DESTROY and environment.is_production


def confirmation_of(given: Confirmation | Mapping[str, Any] | str | None) -> Confirmation:
    """`"yes"`, a mapping with reason and target, or nothing, as one thing."""
    if isinstance(given, Confirmation):
        return given
    if isinstance(given, Mapping):
        reason, target = str(given.get("reason", "")).strip(), str(given.get("target", "")).strip()
        return Confirmation(yes=bool(given.get("yes", True)), reason=reason, target=target)
    return Confirmation(yes=given == "yes")


def require(*, risk: str, environment: Environment, given: Confirmation, approved: bool = False) -> None:
    """Refuse with a sentence unless `given` is what the risk asks for; with `approved` it was said when asking."""
    level = rung(risk=risk, environment=environment)
    if level == Risk.BLOCKED:
        raise Refused(
            "This command cannot run as it is written: copy it, run it by hand and note what came of it.", code="risk"
        )
    if level == Risk.READ:
        return
    if not given.yes:
        raise Refused(f"This command makes changes in {environment.label}: confirm it.", code="confirmation")
    if level in {Risk.DISRUPT, Risk.DESTROY} and not given.reason and not approved:
        raise Refused("Users may notice this command: say why it is needed.", code="confirmation")


def word(*, environment: Environment, touched: Touched) -> str:
    """What is typed to confirm where: the one thing that the command acts on, else the environment."""
    return touched.word or environment.name


def require_word(*, risk: str, environment: Environment, given: Confirmation, touched: Touched) -> None:
    """Refuse unless the name of what is destroyed was typed; nothing less is asked to be typed."""
    if rung(risk=risk, environment=environment) != Risk.DESTROY:
        return
    wanted = word(environment=environment, touched=touched)
    if given.target != wanted:
        raise Refused(f"Type {wanted} to confirm what this is going to happen to.", code="confirmation")
