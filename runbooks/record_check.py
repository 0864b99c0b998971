"""An exported record compared with the audit chain, with the tables, and with the outputs as they are stored.

Each fault is a sentence that names the place. A record of a walk that has gone on since is compared as far as it
goes: what has ended does not change any more.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from erpops.models import AuditEntry
from runbooks import record
from runbooks.choices import TERMINAL_RUNS, ExecutionStatus
from runbooks.models import Execution
from runbooks.staging import Content

# What may be otherwise while the walk goes on.
_WHILE_OPEN = {"status", "ended_at", "holder"}
# What may be otherwise at any time: an incident is renamed, an environment becomes production.
_PASSING = {"incident", "production"}


def differences(found: Mapping[str, Any]) -> Iterator[str]:
    """Everything in which the record is not what this console knows; nothing if it agrees."""
    try:
        if record.seal(found) != found.get("sha256"):
            yield "The file was changed after it was written: its SHA-256 is not that of its content."
        related = ("version__runbook", "environment", "incident", "started_by", "holder")
        execution = Execution.objects.select_related(*related).filter(pk=found["execution"]["id"]).first()
        if execution is None:
            yield f"There is no execution {found['execution']['id']} here."
            return
        yield from _chain(found, execution)
        yield from _version(execution)
        now = record.of(execution)
        yield from _facts(found, now)
        yield from _steps(found["steps"], now["steps"], over=_over(found))
        yield from _acts(found["events"], now["events"])
        yield from _told(now, execution)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield f"The record is not whole: {type(error).__name__} {error}."


def _over(found: Mapping[str, Any]) -> bool:
    return bool(found["execution"]["status"] != ExecutionStatus.ACTIVE)


def _chain(found: Mapping[str, Any], execution: Execution) -> Iterator[str]:
    """The entries that the record names are in the chain as it says, and it leaves none out."""
    named = {entry["seq"]: entry for entry in found["audit"]["entries"]}
    stored = {entry.seq: entry for entry in record.entries_of(execution.pk)}
    for seq, entry in named.items():
        if seq not in stored:
            yield f"Audit entry {seq} ({entry['action']}) is not in the chain of this execution."
        elif stored[seq].hash != entry["hash"] or stored[seq].action != entry["action"]:
            yield f"Audit entry {seq} is another one in the chain: {stored[seq].action}, {stored[seq].hash[:12]}…"
    last = found["audit"]["last"] or 0
    for seq, kept in stored.items():
        if seq is not None and seq <= last and seq not in named:
            yield f"Audit entry {seq} ({kept.action}) is missing from the record."


def _version(execution: Execution) -> Iterator[str]:
    """The stored text is still that of the hash under which it was walked."""
    version = execution.version
    content = Content(version.text, version.under, version.given, version.compiled, version.findings)
    if content.sha256 != version.sha256:
        yield f"The stored text of version {version.number} is not that of its SHA-256 any more."


def _facts(found: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    skip = _PASSING if _over(found) else _PASSING | _WHILE_OPEN
    for part in ("execution", "runbook"):
        yield from _compared(part, _without(found[part], skip), _without(now[part], skip))
    if _over(found):
        yield from _compared("values", found["values"], now["values"])
    for number, (said, is_now) in enumerate(zip(found["decisions"], now["decisions"], strict=False), start=1):
        yield from _compared(f"decision {number}", said, is_now)
    more = len(found["decisions"]) - len(now["decisions"])
    if more > 0 or (more and _over(found)):
        yield f"The record has {len(found['decisions'])} decisions, here are {len(now['decisions'])}."


def _steps(found: list[Any], now: list[Any], *, over: bool) -> Iterator[str]:
    if len(found) != len(now):
        yield f"The record has {len(found)} steps, the walk {len(now)}."
    for said, is_now in zip(found, now, strict=False):
        where = f"step {is_now['number']}"
        if over:
            yield from _compared(where, _without(said, {"commands"}), _without(is_now, {"commands"}))
        for command, command_now in zip(said["commands"], is_now["commands"], strict=True):
            yield from _command(f"{where}, command {command_now['number']}", command, command_now, over=over)


def _command(where: str, found: Mapping[str, Any], now: Mapping[str, Any], *, over: bool) -> Iterator[str]:
    yield from _compared(where, _without(found, {"runs"}), _without(now, {"runs"}))
    stored = {run["id"]: run for run in now["runs"]}
    for run in found["runs"]:
        place = f"{where}, attempt {run['attempt']}"
        if run["id"] not in stored:
            yield f"{place} is not stored here."
        elif run["status"] in TERMINAL_RUNS:
            yield from _compared(place, run, stored[run["id"]])
            yield from _printed(place, run["output"])
    if over and (left := set(stored) - {run["id"] for run in found["runs"]}):
        yield f"{where}: {len(left)} attempt{'' if len(left) == 1 else 's'} that ran are missing from the record."


def _printed(where: str, output: Mapping[str, Any]) -> Iterator[str]:
    """The output that stands in the record is that of its own hash."""
    # Bytes that are no text were replaced in the record, so its text has another hash.
    comparable = output["whole"] and "\ufffd" not in output["text"]
    if comparable and hashlib.sha256(output["text"].encode()).hexdigest() != output["sha256"]:
        yield f"{where}: the output in the record is not that of its SHA-256."


def _acts(found: list[Any], now: list[Any]) -> Iterator[str]:
    stored = {act["seq"]: act for act in now}
    for act in found:
        if act["seq"] not in stored:
            yield f"Act {act['seq']} ({act['kind']}) is not stored here."
        else:
            yield from _compared(f"act {act['seq']}", act, stored[act["seq"]])
    last = max((act["seq"] for act in found), default=0)
    for seq in stored:
        if seq < last and seq not in {act["seq"] for act in found}:
            yield f"Act {seq} ({stored[seq]['kind']}) is missing from the record."


def _told(now: Mapping[str, Any], execution: Execution) -> Iterator[str]:
    """What is stored of each attempt is what the audit chain was told when it was asked for and when it ended."""
    told = _by_run(execution)
    for step in now["steps"]:
        for command in step["commands"]:
            for run in command["runs"]:
                where = f"step {step['number']}, command {command['number']}, attempt {run['attempt']}"
                yield from _against_chain(where, run, told.get(run["id"], {}))


def _by_run(execution: Execution) -> dict[int, dict[str, AuditEntry]]:
    """The latest entry of each action about each attempt."""
    found: dict[int, dict[str, AuditEntry]] = {}
    for entry in record.entries_of(execution.pk).filter(action__startswith="command."):
        if "run" in entry.details:
            found.setdefault(int(entry.details["run"]), {})[entry.action] = entry
    return found


def _against_chain(where: str, run: Mapping[str, Any], told: Mapping[str, AuditEntry]) -> Iterator[str]:
    asked = told.get("command.requested") or told.get("command.repeated")
    if asked is None:
        yield f"{where}: the audit chain knows nothing of this attempt."
        return
    if asked.details.get("digest", run["digest"]) != run["digest"]:
        yield f"{where}: what was asked for (entry {asked.seq}) has another digest than what is stored."
    approval, allowed = run["approval"], asked.details.get("approval")
    if (approval or {}).get("id") != allowed:
        yield f"{where}: the approval that is stored is not the one of the chain (entry {asked.seq}: {allowed})."
    if approval and approval["digest"] != run["digest"]:
        yield f"{where}: it was allowed under another digest than it ran with."
    if asked.action == "command.requested" and asked.actor != run["requested_by"]:
        yield f"{where}: {asked.actor} asked for it (entry {asked.seq}), not {run['requested_by']}."
    ended = told.get("command.finished")
    if ended is None or "command.settled" in told:
        return
    for name in ("status", "exit_code"):
        if ended.details.get(name) != run[name]:
            yield (
                f"{where}: the {name.replace('_', ' ')} is {run[name]}, "
                f"but the chain (entry {ended.seq}) says {ended.details.get(name)}."
            )
    printed = ended.details.get("output_sha256")
    if printed and printed != run["output"]["sha256"]:
        yield f"{where}: the stored output is not the one that was printed (entry {ended.seq})."


def _without(found: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in names}


def _compared(where: str, found: Any, now: Any) -> Iterator[str]:
    """A sentence per value that differs, down through mappings and lists."""
    if isinstance(found, Mapping) and isinstance(now, Mapping):
        for name in sorted({*found, *now}):
            yield from _compared(f"{where}, {name.replace('_', ' ')}", found.get(name), now.get(name))
    elif isinstance(found, list) and isinstance(now, list) and len(found) == len(now):
        for number, (one, other) in enumerate(zip(found, now, strict=True), start=1):
            yield from _compared(f"{where} {number}", one, other)
    elif found != now:
        yield f"{where} is {_short(found)} in the record, but {_short(now)} here."


def _short(value: Any) -> str:
    said = repr(value) if not isinstance(value, str) else f"“{value}”"
    return said if len(said) <= 80 else f"{said[:79]}…"
