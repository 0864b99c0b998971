"""What an exit status says, by the program that gave it: grep's 1 is no failure of grep."""

from functools import lru_cache

from runbooks.compiler import shell
from runbooks.executors.shell import KINDS

_GREP = {1: "grep found nothing", 2: "grep could not read what it was to search"}
_CURL = {
    2: "curl refuses its options",
    3: "curl reads brackets and braces of the address as a pattern: -g turns that off",
    6: "the host's name did not resolve",
    7: "nothing listens there",
    22: "the server answered with an error",
    28: "no answer in time",
    35: "no TLS connection came about",
    52: "an empty answer",
    60: "the server's certificate is not trusted",
}
_NOTHING_FITS = {1: "no process fits"}
_WORDS = {
    **dict.fromkeys(("grep", "egrep", "fgrep", "zgrep"), _GREP),
    **dict.fromkeys(("pgrep", "pkill"), _NOTHING_FITS),
    "curl": _CURL,
    "cmp": {1: "they differ"},
    "diff": {1: "they differ"},
    "find": {1: "not everything could be read"},
    "lsof": {1: "nothing that may be seen fits"},
    "pg_isready": {1: "the server refuses connections", 2: "the server does not answer"},
    "ping": {1: "no answer", 2: "the host's name did not resolve, or it may not be asked"},
    "timeout": {124: "its own time limit ended it"},
    "xargs": {123: "what it started failed"},
}
_OF_BASH = {126: "not executable", 127: "command not found"}
_STARTS = frozenset(("sudo", "time", "command", "nohup", "env"))


def of(*, kind: str, script: str, code: int) -> str:
    """What `code` says as the exit status of `script`; empty where only a person can tell."""
    if kind not in KINDS:
        return ""
    return _WORDS.get(last_program(script), {}).get(code) or _OF_BASH.get(code, "")


@lru_cache(maxsize=2048)
def last_program(script: str) -> str:
    """The program whose exit status is that of the script: the last of its only pipeline; else empty."""
    parts = [part for part in shell.split_units(script) if isinstance(part, shell.Unit)]
    if len(parts) != 1 or "$(" in script or "`" in script or script.rstrip().endswith("&"):
        return ""
    found = parts[0].invocations
    if not found or len(found) != 1 + len(found[0].after):
        return ""
    names = [word.value for word in found[-1].words]
    while names and names[0] in _STARTS:
        names = names[1:]
    return names[0] if names else ""
