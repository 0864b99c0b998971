"""SQL commands of a fence that belong together: settings of the session, and transactions."""

import re

from runbooks.compiler.contract import Command

_SETTING = re.compile(r"^\s*(?:SET\s+(?!GLOBAL\b|PERSIST\b|TRANSACTION\b|LOCAL\b)\w|\\(?:x|timing)\s*$)", re.IGNORECASE)
_OPENS = re.compile(r"^\s*(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_ENDS = re.compile(r"^\s*(?:COMMIT|END|ABORT|ROLLBACK(?!\s+(?:TRANSACTION\s+|WORK\s+)?TO\b))\b", re.IGNORECASE)


def opens(text: str) -> bool:
    """True for the statement that opens a transaction."""
    return bool(_OPENS.match(text))


def ends(text: str) -> bool:
    """True for the statement that ends a transaction."""
    return bool(_ENDS.match(text))


def share(commands: list[Command]) -> None:
    """What a command needs in its session: the settings before it, and in a transaction all since its begin."""
    settings: list[int] = []
    transaction: list[int] = []
    for command in commands:
        needs = [line for line in settings + transaction if line != command["line"]]
        if needs:
            command["shares_shell_with"] = sorted(set(needs))
        if transaction or opens(command["text"]):
            transaction.append(command["line"])
        elif _SETTING.match(command["text"]):
            settings.append(command["line"])
        if ends(command["text"]):
            transaction = []
