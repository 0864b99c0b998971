"""What no executor carries out, and why, in a sentence. Pure."""

from collections.abc import Mapping
from typing import Any

from runbooks.choices import Risk

_SETTING = (
    "This is a setting, not a command: it takes effect where the service reads its settings, such as its .env, "
    "its Compose file or its deployment."
)
_VARIABLE = "This only sets a variable for the commands after it: they set it themselves when they run."


def why(command: Mapping[str, Any], runnable: bool) -> str:
    """Why `command` (as `units.as_run` gave it) is left to a person; empty if nothing in its text forbids a run.

    `runnable`: its kind has an executor.
    """
    if command["because"]:
        return str(command["because"])
    if command["risk"] == Risk.BLOCKED:
        return _blocked(command)
    if runnable:
        return ""
    if command["kind"] == "env":
        return _VARIABLE if command["risk"] == Risk.READ else _SETTING
    return f"erpops does not run {command['kind']} text."


def _blocked(command: Mapping[str, Any]) -> str:
    rule = next((str(why["rule"]) for why in command.get("why", []) if why["about"] == "risk"), "")
    if "interactive" not in command["flags"] or not rule:
        return f"This command cannot run as it is written{f': {rule}' if rule else ''}."
    if "opens a session" in rule:
        return f"{rule if rule != 'opens a session' else 'It opens a session'}, and there is no keyboard here."
    return f"{rule} needs a screen and a keyboard, and here is neither."
