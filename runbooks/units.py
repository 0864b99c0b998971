"""What is executed for a command of the text: alone, or in one shell with those before it that it needs.

The commands of a fence share a shell where a later one uses a variable or the directory of an earlier one.
Each is still run by its own click, so the earlier ones that only read are run again before it, in the same
script. There is no terminal: options that ask for one are left out. Pure; every change is told in a sentence.
"""

import re
from collections.abc import Mapping
from typing import Any

from runbooks import bounding, walk
from runbooks.compiler import sql_sessions
from runbooks.compiler.verdict import RANK

_SHELLS = frozenset(["shell", "http", "script", "env"])
_CONTAINER_EXEC = re.compile(
    r"\b(?P<tool>docker|podman|nerdctl|kubectl|oc|crictl)\b(?P<between>(?:\s+(?!exec\b|run\b)[^\s|;&'\"`]+)*)\s+"
    r"(?P<verb>exec|run)\b(?P<options>[^|;&'\"`\n]*)"
)
_COMPOSE_EXEC = re.compile(
    r"\b(?P<tool>docker-compose|docker\s+compose|podman-compose)\b(?P<between>(?:\s+(?!exec\b|run\b)[^\s|;&'\"`]+)*)\s+"
    r"(?P<verb>exec|run)\b(?P<options>[^|;&'\"`\n]*)"
)
_WITH_VALUE = frozenset(
    "-e --env -u --user -w --workdir --env-file --detach-keys -n --namespace -c --container --context --kubeconfig "
    "-l --selector -v --volume --name --network -p --publish --entrypoint --pod-running-timeout --index".split()
)
_NO_TERMINAL = "No terminal here, so the option that asks for one (-t) is left out."
_NO_TTY = "No terminal here, so -T is added."


def as_run(compiled: Mapping[str, Any], command: Mapping[str, Any]) -> dict[str, Any]:
    """`command` as it is executed: `text` and `parameters` may cover earlier ones, `told` says what was done to it.

    Where it needs the shell of one that must not simply run again, its risk is `blocked` and `because` says why.
    """
    out: dict[str, Any] = {**command, "told": [], "because": ""}
    if command.get("kept_manual"):
        out["because"] = "It is kept for a person's hands."
        return out
    if command["kind"] == "sql":
        return _in_session(out, _needed(compiled, command))
    if command["kind"] not in _SHELLS:
        return out
    before = _needed(compiled, command)
    if unsafe := [other for other in before if not _repeatable(other)]:
        numbers = ", ".join(str(other["line"]) for other in unsafe)
        out["risk"] = "blocked"
        out["because"] = f"It needs the shell of line {numbers}, which changes something and is not run twice."
        return out
    if before:
        lines = ", ".join(str(other["line"]) for other in before)
        out["told"].append(f"Runs in one shell with line {lines}, which it needs.")
        out["text"] = "\n".join(["set -e", *(other["text"] for other in before), "set +e", command["text"]])
        out["parameters"] = _united([*before, command])
        out["kind"] = "script"
    for change in (without_terminal, bounding.bounded):
        out["text"], told = change(out["text"])
        out["told"] += told
    return out


def _in_session(out: dict[str, Any], before: list[dict[str, Any]]) -> dict[str, Any]:
    """SQL with the settings before it; the end of a transaction with all of it, for each run has its own session."""
    if not before:
        return out
    opening = next((other for other in before if sql_sessions.opens(other["text"])), None)
    if opening is not None and not sql_sessions.ends(out["text"]):
        line = opening["line"]
        out["risk"] = "blocked"
        out["because"] = f"It belongs to the transaction of line {line}: the line that ends it runs the whole of it."
        return out
    parts = [*before, out]
    out["told"].append(f"Runs in one session with line {', '.join(str(other['line']) for other in before)}.")
    out["parameters"] = _united(parts)
    out["risk"] = max((str(other["risk"]) for other in parts), key=RANK.__getitem__)
    out["flags"] = list(dict.fromkeys(flag for other in parts for flag in other["flags"]))
    out["text"] = "\n".join(_statement(other["text"]) for other in parts)
    return out


def _statement(text: str) -> str:
    """A statement that another may follow."""
    return text if text.startswith("\\") or text.rstrip().endswith(";") else f"{text}\n;"


def judged_by(command: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The expectations of a command that a machine can judge."""
    return [item["assertion"] for item in command["expected"] if item["assertion"]]


def may_wait(command: Mapping[str, Any]) -> bool:
    """True if it can be tried again until its expected result holds: it only reads, ends, and says what to expect."""
    ends = "endless" not in command["flags"] and "interactive" not in command["flags"]
    return command["risk"] == "read" and ends and bool(judged_by(command))


def without_terminal(text: str) -> tuple[str, list[str]]:
    """`text` without the options that ask for a terminal, and what was done in sentences."""
    composed = _COMPOSE_EXEC.sub(_with_no_tty, text)
    plain = _CONTAINER_EXEC.sub(_without_t, composed)
    told = [_NO_TTY] if composed != text else []
    return plain, told + ([_NO_TERMINAL] if plain != composed else [])


def _needed(compiled: Mapping[str, Any], command: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The commands whose shell it needs, with those that they need, in order of the text."""
    wanted, found = list(command.get("shares_shell_with", [])), dict[int, dict[str, Any]]()
    if not wanted:
        return []
    by_line = {other["line"]: other for other in walk.all_commands(compiled)}
    while wanted:
        line = wanted.pop()
        if line in by_line and line not in found and line != command["line"]:
            found[line] = by_line[line]
            wanted += by_line[line].get("shares_shell_with", [])
    return [found[line] for line in sorted(found)]


def _repeatable(command: Mapping[str, Any]) -> bool:
    """Reading twice is harmless; so is setting a variable of the shell that runs it."""
    if command["risk"] == "read":
        return "interactive" not in command["flags"] and "endless" not in command["flags"]
    substitutes = "$(" in command["text"] or "`" in command["text"]
    return command["kind"] == "env" and command["risk"] == "change" and not substitutes


def _united(commands: list[Any]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for command in commands:
        for parameter in command["parameters"]:
            found.setdefault((parameter["name"], parameter["notation"]), parameter)
    return list(found.values())


def _with_no_tty(match: re.Match[str]) -> str:
    own, skip = [], False
    for word in match["options"].split():
        # What follows the service belongs to the inner command.
        if not skip and not word.startswith("-"):
            break
        own.append("" if skip else word)
        skip = not skip and word in _WITH_VALUE
    if any(re.fullmatch(r"-\w*T\w*|--no-TTY|-d|--detach", word) for word in own):
        return match.group()
    return f"{match.group()[: match.start('options') - match.start()]} -T{match['options']}"


def _without_t(match: re.Match[str]) -> str:
    head = match.group()[: match.start("options") - match.start()]
    parts = re.split(r"(\s+)", match["options"])
    kept, skip, own = [], False, True
    for part in parts:
        if not part or part.isspace():
            kept.append(part)
            continue
        if own and not skip and _asks_for_terminal(part):
            shorter = part.replace("t", "", 1) if not part.startswith("--") else "-"
            if shorter == "-":
                kept[-1:] = []
            else:
                kept.append(shorter)
            continue
        # What follows the container's name (docker) or `--` (kubectl) belongs to the inner command.
        own = own and part != "--" and (skip or part.startswith("-") or match["tool"] in {"kubectl", "oc"})
        skip = not skip and part in _WITH_VALUE
        kept.append(part)
    return head + "".join(kept)


def _asks_for_terminal(part: str) -> bool:
    return part in {"--tty", "--tty=true"} or bool(re.fullmatch(r"-[iqd]*t[iqd]*", part))
