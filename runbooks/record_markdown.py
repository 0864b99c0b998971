"""A record as a document for people: everything that the JSON says, in the order in which it was done. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from runbooks.choices import ExecutionStatus, RunStatus, StepStatus

# How much of each output stands in the document; the JSON has more, the console all of it.
OUTPUT_LINES, OUTPUT_CHARS = 200, 16_384
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


def written(record: Mapping[str, Any]) -> str:
    """The document. Times are UTC; nothing of what commands printed can break out of its block."""
    return (
        "\n".join(
            [*_head(record), *_values(record), *_steps(record), *_decisions(record), *_acts(record), *_proof(record)]
        )
        + "\n"
    )


def _head(record: Mapping[str, Any]) -> Iterator[str]:
    execution, runbook, incident = record["execution"], record["runbook"], record["execution"]["incident"]
    yield f"# {_line(runbook['title'])}: {execution['reference']}"
    yield ""
    if incident:
        yield f"- Incident: {incident['reference']} {_line(incident['title'])} ({incident['severity']})"
    yield f"- Environment: {execution['environment']}{' (production)' if execution['production'] else ''}"
    yield f"- Runbook: `{runbook['slug']}`, version {runbook['version']}, SHA-256 `{runbook['sha256']}`"
    yield f"- Started: {_time(execution['started_at'])} by {execution['started_by']}"
    state = ExecutionStatus(execution["status"]).label
    yield f"- {state}{': ' + _time(execution['ended_at']) if execution['ended_at'] else ''}"
    yield f"- Record written: {_time(record['written_at'])}; all times are UTC"
    yield ""


def _values(record: Mapping[str, Any]) -> Iterator[str]:
    if record["values"]:
        yield "## Values"
        yield ""
        for name, value in record["values"].items():
            yield f"- {_line(name)}: {_code(value)}"
        yield ""


def _steps(record: Mapping[str, Any]) -> Iterator[str]:
    for step in record["steps"]:
        yield f"## Step {step['number']}: {_line(step['title'])}"
        yield ""
        yield f"{StepStatus(step['status']).label}{_who(step)}."
        for name, label in (("reason", "Reason"), ("note", "Note"), ("condition", "Condition")):
            if step[name]:
                yield f"{label}: {_line(step[name])}"
        yield ""
        for item in step["items"]:
            yield f"- [{'x' if item['ticked'] else ' '}] {_line(item['text'])}"
        if step["items"]:
            yield ""
        yield from _observed(step)
        for command in step["commands"]:
            yield from _command(command)


def _who(step: Mapping[str, Any]) -> str:
    by = f" by {step['changed_by']}" if step["changed_by"] else ""
    return f"{by}, {_time(step['changed_at'])}" if step["changed_at"] else by


def _command(command: Mapping[str, Any]) -> Iterator[str]:
    yield f"### Command {command['number']} ({command['risk'].upper()}, {command['kind']})"
    yield ""
    if not command["runs"]:
        yield from _block(command["text"])
        yield "Not run."
        yield ""
    for run in command["runs"]:
        yield from _run(run)


def _run(run: Mapping[str, Any]) -> Iterator[str]:
    yield from _block(run["rendered"])
    ended = f", {_time(run['ended_at'])}" if run["ended_at"] else ""
    code = f", exit {run['exit_code']}" if run["exit_code"] is not None else ""
    host = f" on {run['host']}" if run["host"] else ""
    yield f"- Attempt {run['attempt']}: {RunStatus(run['status']).label}{code}{ended}{host}"
    yield f"- Asked for by {run['requested_by']}, {_time(run['queued_at'])}"
    if run["approval"]:
        yield f"- {_approval(run['approval'])}"
    if run["reason"]:
        yield f"- Reason: {_line(run['reason'])}"
    for name, value in run["values"].items():
        yield f"- {_line(name)} = {_code(value)}"
    yield f"- Digest `{run['digest']}`"
    printed = run["output"]
    yield f"- Output: {printed['bytes']} bytes, SHA-256 `{printed['sha256']}`"
    yield ""
    if printed["text"]:
        text, cut = _short(printed["text"])
        yield from _block(text)
        if cut or not printed["whole"]:
            yield "The rest is left out here; the console keeps all of it."
            yield ""


def _approval(approval: Mapping[str, Any]) -> str:
    ways = {"second": "Approved", "break_glass": "Allowed by breaking the glass", "solo": "Allowed alone (solo mode)"}
    comment = f": {_line(approval['comment'])}" if approval["comment"] else ""
    who = f"{ways.get(approval['way'], approval['way'])} by {approval['decided_by'] or 'nobody'}"
    return f"{who}, {_time(approval['decided_at'])}{comment}"


def _observed(step: Mapping[str, Any]) -> Iterator[str]:
    for answer in step["observed"].values():
        held = "holds" if answer["holds"] else "does not hold"
        yield f"- Seen by {answer['by']}: {_line(answer['text'])} ({held})"
    if step["observed"]:
        yield ""


def _decisions(record: Mapping[str, Any]) -> Iterator[str]:
    if record["decisions"]:
        yield "## Decisions"
        yield ""
        for decision in record["decisions"]:
            because = f": {_line(decision['reason'])}" if decision["reason"] else ""
            choice = f"step {int(decision['choice']) + 1}" if decision["choice"].isdecimal() else decision["choice"]
            yield f"- {_time(decision['at'])} {decision['by']}, at step {decision['step']}: {_line(choice)}{because}"
        yield ""


def _acts(record: Mapping[str, Any]) -> Iterator[str]:
    yield "## What was done"
    yield ""
    for act in record["events"]:
        yield f"- {_time(act['at'])} {act['by'] or 'erpops'}: {_line(act['text'])}"
    yield ""


def _proof(record: Mapping[str, Any]) -> Iterator[str]:
    chain = record["audit"]
    yield "## Proof"
    yield ""
    if chain["entries"]:
        count = len(chain["entries"])
        yield f"Audit entries {chain['first']} to {chain['last']}, {count} of them about this execution."
    yield f"SHA-256 of the record as JSON: `{record['sha256']}`."
    yield "`manage.py audit_verify --record FILE` checks that file."


def _block(text: str) -> Iterator[str]:
    """Fenced with more backticks than the text has in a row."""
    longest = max((len(found) for found in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield fence
    yield text.rstrip("\n")
    yield fence
    yield ""


def _short(text: str) -> tuple[str, bool]:
    text = _CONTROLS.sub("", text).rstrip("\n")
    kept = "\n".join(text[:OUTPUT_CHARS].split("\n")[:OUTPUT_LINES])
    return kept, len(kept) < len(text)


def _line(text: str) -> str:
    """Text of people and documents in one line, without meaning of its own."""
    return re.sub(r"([\\\[\]*_<>#|])", r"\\\1", " ".join(str(text).split()))


def _code(text: str) -> str:
    one = " ".join(str(text).split())
    fence = "`" * (max((len(found) for found in re.findall(r"`+", one)), default=0) + 1)
    return f"{fence} {one} {fence}" if "`" in one else f"`{one}`"


def _time(value: str | None) -> str:
    return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S}" if value else ""
