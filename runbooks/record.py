"""One execution as one record: what ran where, with which values, who asked and who allowed it, what came of it.

A record is plain JSON that names the audit entries behind it and the SHA-256 of every output and of itself, so
`audit_verify --record` can compare it with what is stored (`runbooks.record_check`). Secrets are never in it.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from erpops import audit, clock
from erpops.models import AuditEntry
from incidents.models import TimelineEvent
from runbooks import output, units, walk
from runbooks.models import Approval, CommandRun, Execution, JournalEntry, StepRun
from runbooks.resolved import pieces
from runbooks.staging import title_of
from runbooks.walk import PHASES

FORMAT = "erpops execution record 1"
EXPORTED = "execution.exported"
# How much of an output stands in the record itself; its SHA-256 is always that of the whole stored output.
OUTPUT_BYTES = 65_536


def export(*, execution: Execution, by: User, form: str) -> dict[str, Any]:
    """The record of an execution as it stands; that it was taken out, and by whom, is itself on record."""
    with transaction.atomic():
        # Acts on one walk queue: what is read here is of one moment.
        Execution.objects.select_for_update(no_key=True).values_list("pk").get(pk=execution.pk)
        execution.refresh_from_db()
        found = of(execution)
        audit.record(
            action=EXPORTED,
            target=f"execution:{execution.pk}",
            by=by,
            form=form,
            sha256=found["sha256"],
        )
    return found


def of(execution: Execution) -> dict[str, Any]:
    """The record, sealed with its own SHA-256."""
    version = execution.version
    body: dict[str, Any] = {
        "format": FORMAT,
        "written_at": _time(clock.now()),
        "execution": _facts(execution),
        "runbook": {
            "slug": version.runbook.slug,
            "title": title_of(version.compiled),
            "version": version.number,
            "sha256": version.sha256,
        },
        "values": _shown(execution.values),
        "steps": _steps(execution),
        "decisions": _decisions(execution),
        "events": _events(execution),
        "audit": _audit(execution),
    }
    return {**body, "sha256": seal(body)}


def seal(body: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of a record without its seal."""
    bare = {name: value for name, value in body.items() if name != "sha256"}
    text = json.dumps(bare, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_name(execution: Execution, form: str) -> str:
    """What the file is called: `INC-12-run-7.json`."""
    return f"{execution.reference}-run-{execution.pk}.{form}"


def _facts(execution: Execution) -> dict[str, Any]:
    incident = execution.incident
    return {
        "id": execution.pk,
        "reference": execution.reference,
        "purpose": execution.purpose,
        "status": execution.status,
        "environment": execution.environment.name,
        "production": execution.environment.is_production,
        "incident": (
            {"reference": incident.reference, "title": incident.title, "severity": incident.severity}
            if incident
            else None
        ),
        "started_at": _time(execution.started_at),
        "started_by": _name(execution.started_by),
        "ended_at": _time(execution.ended_at),
        "holder": _name(execution.holder),
    }


def _steps(execution: Execution) -> list[dict[str, Any]]:
    compiled = execution.version.compiled
    runs: dict[tuple[int, int], list[CommandRun]] = defaultdict(list)
    attempts = CommandRun.objects.filter(step_run__execution=execution)
    attempts = attempts.select_related("requested_by", "approval__requested_by", "approval__decided_by")
    for run in attempts.order_by("attempt"):
        runs[run.step_run_id, run.command].append(run)
    found = []
    for step_run in execution.steps.select_related("changed_by").order_by("position"):
        step = walk.step_of(compiled, step_run)
        commands = [
            _command(index, units.as_run(compiled, command), runs.get((step_run.pk, index), []))
            for index, command in enumerate(walk.commands_of(step))
        ]
        found.append(_step(step_run, step, compiled["phases"][step_run.phase]) | {"commands": commands})
    return found


def _step(step_run: StepRun, step: Mapping[str, Any], phase: Mapping[str, Any]) -> dict[str, Any]:
    items = [walk.plain(item["text"]) for item in step.get("items", [])]
    return {
        "number": step_run.position + 1,
        "title": walk.plain(step["title"]),
        "phase": phase["heading"] or PHASES.get(phase["phase"], ""),
        "condition": walk.plain(step.get("condition") or ""),
        "status": step_run.status,
        "reason": step_run.reason,
        "note": step_run.note,
        "changed_at": _time(step_run.changed_at),
        "changed_by": _name(step_run.changed_by),
        "observed": step_run.observed,
        "items": [{"text": text, "ticked": index in step_run.ticked} for index, text in enumerate(items)],
    }


def _command(index: int, command: Mapping[str, Any], runs: Iterable[CommandRun]) -> dict[str, Any]:
    return {
        "number": index + 1,
        "kind": command["kind"],
        "risk": command["risk"],
        "text": command["text"],
        "runs": [_run(run, command) for run in runs],
    }


def _run(run: CommandRun, command: Mapping[str, Any]) -> dict[str, Any]:
    values = _shown(run.values)
    return {
        "id": run.pk,
        "attempt": run.attempt,
        "rendered": "".join(piece.text for piece in pieces(run.text, command["parameters"], values)),
        "script": run.script,
        "values": values,
        "risk": run.risk,
        "digest": run.digest,
        "requested_by": _name(run.requested_by),
        "approval": _approval(run.approval) if run.approval else None,
        "queue": run.queue,
        "host": run.host,
        "queued_at": _time(run.queued_at),
        "started_at": _time(run.started_at),
        "ended_at": _time(run.ended_at),
        "status": run.status,
        "exit_code": run.exit_code,
        "reason": run.reason,
        "output": _output(run),
    }


def _approval(approval: Approval) -> dict[str, Any]:
    """Who allowed it, when and how."""
    return {
        "id": approval.pk,
        "requested_by": _name(approval.requested_by),
        "asked_at": _time(approval.asked_at),
        "reason": approval.reason,
        "status": approval.status,
        "way": approval.way,
        "decided_by": _name(approval.decided_by),
        "decided_at": _time(approval.decided_at),
        "comment": approval.comment,
        "digest": approval.digest,
    }


def _output(run: CommandRun) -> dict[str, Any]:
    kept, size, whole = b"", 0, hashlib.sha256()
    for data in output.text(run=run):
        whole.update(data)
        size += len(data)
        if len(kept) < OUTPUT_BYTES:
            kept += data[: OUTPUT_BYTES - len(kept)]
    return {
        "sha256": whole.hexdigest(),
        "bytes": size,
        "dropped_bytes": run.dropped_bytes,
        "text": kept.decode("utf-8", "replace"),
        "whole": size <= OUTPUT_BYTES,
    }


def _events(execution: Execution) -> list[dict[str, Any]]:
    """The acts of this execution, oldest first: from the incident's timeline, or from its own journal."""
    acts: Iterable[TimelineEvent | JournalEntry] = JournalEntry.objects.filter(execution=execution)
    if execution.incident is not None:
        acts = TimelineEvent.objects.filter(incident=execution.incident, data__execution=execution.pk)
    return [
        {"seq": act.seq, "at": _time(act.at), "kind": act.kind, "by": _name(act.actor), "text": act.text}
        for act in acts.select_related("actor").order_by("seq")  # type: ignore[attr-defined]
    ]


def _decisions(execution: Execution) -> list[dict[str, Any]]:
    """What was decided at forks, and on what it rested; the latest of a fork counts."""
    return [
        {
            "step": decision.fork + 1,
            "kind": decision.kind,
            "choice": decision.choice,
            "reason": decision.reason,
            "implied": decision.implied,
            "evidence": decision.evidence,
            "at": _time(decision.at),
            "by": _name(decision.by),
        }
        for decision in execution.decisions.select_related("by").order_by("id")
    ]


def _audit(execution: Execution) -> dict[str, Any]:
    """The entries of the audit chain behind the acts: their numbers and hashes."""
    entries = entries_of(execution.pk).values_list("seq", "action", "hash")
    found = [{"seq": seq, "action": action, "hash": hashed} for seq, action, hashed in entries]
    return {
        "first": found[0]["seq"] if found else None,
        "last": found[-1]["seq"] if found else None,
        "entries": found,
    }


def entries_of(execution: int) -> "QuerySet[AuditEntry]":
    """What the audit chain holds of an execution, oldest first; that somebody took a record out is no part of it."""
    found = AuditEntry.objects.filter(target=f"execution:{execution}", seq__isnull=False)
    return found.exclude(action=EXPORTED).order_by("seq")


def _shown(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as people see them: a secret is its mask."""
    return {name: str(value) for name, value in values.items()}


def _name(user: User | None) -> str | None:
    return user.get_username() if user else None


def _time(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
