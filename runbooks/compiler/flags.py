"""The flags of a command, and what the executor does about each."""

from runbooks.compiler.contract import Why

ORDER = ("endless", "interactive", "tty", "compose_tty", "long", "root", "outage", "opaque", "secret")

EFFECTS = {
    "endless": "Never returns by itself: erpops takes a bounded sample and stops it.",
    "interactive": "Asks questions or opens a prompt: erpops gives it no keyboard, so it runs bounded or not at all.",
    "tty": "Asks for a terminal: erpops drops -t and -i, because the output goes to the page.",
    "compose_tty": "docker-compose exec takes a terminal by itself: erpops adds -T.",
    "long": "May take minutes: erpops runs it with a longer time limit, and it can be cancelled.",
    "root": "Needs root on the machine where it runs.",
    "outage": "Users are cut off while it runs: erpops says so before it asks.",
    "opaque": "Its effect cannot be seen from here: read the script before you approve it.",
    "secret": "May print a secret: erpops masks what it recognises before anything is stored.",
}


def why(flag: str, rule: str, line: int) -> Why:
    """The rule behind a flag and what follows from it."""
    return {"about": f"flag:{flag}", "rule": rule, "line": line, "effect": EFFECTS[flag]}
