"""What a command's risk asks of a person before it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from erpops import access
from incidents.models import Environment
from runbooks.choices import Risk
from runbooks.refusals import Refused

# Outside production a disruption is confirmed like a change. Whatever is not a plain read asks first, and
# destroying is always typed.
_LOWER = {Risk.DISRUPT: Risk.CHANGE}


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


def confirmation_of(given: Confirmation | Mapping[str, Any] | str | None) -> Confirmation:
    """`"yes"`, a mapping with reason and target, or nothing, as one thing."""
    if isinstance(given, Confirmation):
        return given
    if isinstance(given, Mapping):
        reason, target = str(given.get("reason", "")).strip(), str(given.get("target", "")).strip()
        return Confirmation(yes=bool(given.get("yes", True)), reason=reason, target=target)
    return Confirmation(yes=given == "yes")


def require(*, risk: str, environment: Environment, by: User, given: Confirmation) -> None:
    """Refuse with a sentence unless `given` is what the risk asks for."""
    level = rung(risk=risk, environment=environment)
    if level == Risk.BLOCKED:
        raise Refused(
            "This command cannot run as it is written: copy it, run it by hand and note what came of it.", code="risk"
        )
    if level == Risk.READ:
        return
    if not given.yes:
        raise Refused(f"This command makes changes in {environment.label}: confirm it.", code="confirmation")
    if level in {Risk.DISRUPT, Risk.DESTROY} and not given.reason:
        raise Refused("Users may notice this command: say why it is needed.", code="confirmation")
    if level == Risk.DESTROY:
        if environment.is_production and not access.can(by, "run_destroy"):
            who = access.roles_with("run_destroy")
            raise Refused(f"This command destroys something, which needs the role {who}.", code="permission")
        if given.target != environment.name:
            raise Refused(f"Type {environment.name} to confirm where this is going to happen.", code="confirmation")
