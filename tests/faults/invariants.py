"""What must hold after every fault, whatever it was: the database compared with the world, as sentences.

G1 what was acknowledged is stored · G2 nothing is executed twice · G3 labels are true · G4 every page ends ·
G5 repetitions are bounded and marked · G6 timeline, audit chain and output have no gap · G7 nothing is left without an
owner · G8 nothing runs behind an end that is written down.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from erpops import pids
from tests.faults.world import World
from tests.peers import rows

Rows = Callable[[str], list[tuple[Any, ...]]]
TERMINAL = {"succeeded", "failed", "timed_out", "stopped", "stop_unconfirmed", "not_started", "outcome_unknown"}
# A lease may be over for this long before somebody must have taken its row over.
TAKEN_OVER_S = 8


@dataclass(frozen=True)
class Run:
    """One attempt as the database has it."""

    id: int
    status: str
    exit_code: int | None
    reason: str
    started: bool
    asked_for: int
    told: list[str]

    @property
    def settled(self) -> bool:
        """Whether a person has said how it ended."""
        return self.reason.startswith("Outcome unknown;") or "checked that nothing of it runs" in self.reason


@dataclass
class Evidence:
    """Everything that is compared."""

    ask: Rows
    world: World
    data: Path
    runs: list[Run] = field(default_factory=list)
    effects: Counter[int] = field(default_factory=Counter)


@dataclass
class Verdict:
    """Sentences about what is wrong, and what was looked at."""

    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


_RUNS = """
SELECT run.id, run.status, run.exit_code, run.reason, run.started_at IS NOT NULL,
    (SELECT count(*) FROM erpops_auditentry WHERE action = 'command.requested' AND details->'run' = to_jsonb(run.id)),
    ARRAY(SELECT details->>'status' FROM erpops_auditentry WHERE action = 'command.finished'
        AND details->'run' = to_jsonb(run.id) ORDER BY id)
FROM runbooks_commandrun run ORDER BY run.id
"""


def judge(*, database_url: str, world: World, data: Path, within: float = 0.0) -> Verdict:
    """The verdict, as soon as nothing is wrong, or as it stands after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        verdict = _look(Evidence(partial(rows, database_url), world, data))
        if not verdict.violations or time.monotonic() >= deadline:
            return verdict
        time.sleep(0.2)


def _look(evidence: Evidence) -> Verdict:
    evidence.runs = [Run(*row) for row in evidence.ask(_RUNS)]
    evidence.effects = evidence.world.effects()
    verdict = Verdict()
    for name, check in INVARIANTS.items():
        verdict.violations += [f"{name}: {sentence}" for sentence in check(evidence)]
    verdict.counts.update(_counts(evidence))
    verdict.counts["violations"] = len(verdict.violations)
    return verdict


def acknowledged_is_stored(evidence: Evidence) -> Iterator[str]:
    stored = Counter(name for (name,) in evidence.ask("SELECT name FROM incidents_alert WHERE incident_id IS NOT NULL"))
    for name in evidence.world.acknowledged:
        if stored[name] != 1:
            yield f"the alert {name} was acknowledged and is stored {stored[name]} times"


def nothing_runs_twice(evidence: Evidence) -> Iterator[str]:
    for run_id, times in evidence.effects.items():
        if times > 1 or run_id == 0:
            yield f"run {run_id} was executed {times} times"
    for run in evidence.runs:
        if run.asked_for != 1:
            yield f"run {run.id} was asked for {run.asked_for} times"


def labels_are_true(evidence: Evidence) -> Iterator[str]:
    for run in evidence.runs:
        done, promised = evidence.effects[run.id], evidence.world.promised.get(run.id)
        if promised is None or run.settled:
            continue
        if done and (not run.started or run.status in {"queued", "claimed", "not_started"}):
            yield f"run {run.id} was executed and is said to be {run.status}"
        if run.status in {"succeeded", "failed"}:
            if done != 1:
                yield f"run {run.id} is said to have {run.status} and was executed {done} times"
            if run.exit_code != promised or (run.status == "succeeded") != (promised == 0):
                yield f"run {run.id} ended with {promised} and is said to have {run.status} with {run.exit_code}"


_PAGES = """
SELECT message.id, left(message.idem_key, 32), message.status, message.repeats, message.channel, EXISTS (
    SELECT FROM incidents_timelineevent event WHERE event.incident_id = message.incident_id
    AND event.kind = 'message.failed' AND event.data->'message' = to_jsonb(message.id))
FROM incidents_message message WHERE message.kind = 'page'
"""
_CALLS = """
SELECT called.incident_id, called.level, called.times, (SELECT count(*) FROM incidents_message message WHERE
    message.kind = 'page' AND message.incident_id = called.incident_id AND message.level = called.level)
FROM (SELECT incident_id, (data->>'level')::int AS level, count(*) AS times FROM incidents_timelineevent
    WHERE kind = 'escalation.called' GROUP BY 1, 2) called
"""


def every_page_ends(evidence: Evidence) -> Iterator[str]:
    for incident, level, calls, pages in evidence.ask(_CALLS):
        if pages < calls:
            yield f"level {level} of incident {incident} was called {calls} times with {pages} pages"
    for message, _, status, _, _, told in evidence.ask(_PAGES):
        if status not in {"sent", "failed", "cancelled"}:
            yield f"page {message} is still {status}"
        if status == "failed" and not told:
            yield f"page {message} failed and its timeline does not say so"


def repetitions_are_bounded(evidence: Evidence) -> Iterator[str]:
    if evidence.world.taken is None:
        return
    taken = Counter(evidence.world.taken())
    for message, key, status, repeats, _, _ in evidence.ask(_PAGES):
        if taken[key] > 1 + repeats:
            yield f"page {message} was taken {taken[key]} times and repeated {repeats} times"
        if status == "sent" and not taken[key]:
            yield f"page {message} is said to be sent and no receiver took it"


_TIMELINE = """
SELECT incident.id, incident.event_seq, count(event.id), coalesce(max(event.seq), 0)
FROM incidents_incident incident LEFT JOIN incidents_timelineevent event ON event.incident_id = incident.id
GROUP BY incident.id HAVING count(event.id) <> incident.event_seq OR coalesce(max(event.seq), 0) <> incident.event_seq
"""
_CHAIN = """
SELECT seq FROM (SELECT seq, prev_hash, hash, erpops_audit_digest(entry) AS digest, lag(seq) OVER links AS before,
    lag(hash) OVER links AS link FROM erpops_auditentry entry WINDOW links AS (ORDER BY seq)) chain
WHERE seq IS NULL OR seq <> coalesce(before, 0) + 1 OR prev_hash <> coalesce(link, repeat('0', 64)) OR hash <> digest
"""
_OUTPUT = """
SELECT run.id, run.output_seq, count(chunk.id), coalesce(max(chunk.seq), 0)
FROM runbooks_commandrun run LEFT JOIN runbooks_outputchunk chunk ON chunk.run_id = run.id
GROUP BY run.id HAVING count(chunk.id) <> run.output_seq OR coalesce(max(chunk.seq), 0) <> run.output_seq
"""


def nothing_has_a_gap(evidence: Evidence) -> Iterator[str]:
    for incident, said, found, last in evidence.ask(_TIMELINE):
        yield f"the timeline of incident {incident} has {found} events up to {last}, and says {said}"
    for (seq,) in evidence.ask(_CHAIN):
        yield f"the audit chain is broken at {seq}"
    for run_id, said, found, last in evidence.ask(_OUTPUT):
        yield f"run {run_id} has {found} chunks up to {last}, and says {said}"
    for run in evidence.runs:
        # An end is told once; one that was unknown may be learned later.
        ways = [[run.status], ["outcome_unknown", run.status]]
        if run.status in TERMINAL and not run.settled and run.told not in ways:
            yield f"run {run.id} is {run.status}, and the audit tells of {list(run.told)}"


def nothing_is_lost(evidence: Evidence) -> Iterator[str]:
    for run in evidence.runs:
        if run.status not in TERMINAL:
            yield f"run {run.id} is still {run.status}"
    late = f"lease_until < now() - interval '{TAKEN_OVER_S} s'"
    for table, states in (("runbooks_commandrun", "'claimed', 'running'"), ("incidents_message", "'sending'")):
        for (row,) in evidence.ask(f"SELECT id FROM {table} WHERE status IN ({states}) AND {late}"):
            yield f"row {row} of {table} has had no owner for {TAKEN_OVER_S} s"


def nothing_runs_on(evidence: Evidence) -> Iterator[str]:
    over = {run.id for run in evidence.runs if run.status in TERMINAL - {"stop_unconfirmed"}}
    spools = evidence.data / "spool"
    for run in sorted(over):
        supervisor, started = pids.read_identity(spools / str(run) / "supervisor.pid")
        if pids.is_same(supervisor, started):
            yield f"run {run} is over and has the supervisor {supervisor}"
    for pid in _all_pids():
        home = Path(pids.environment_of(pid).get("HOME", "/"))
        if (
            home.name == "work"
            and home.parent.parent == spools
            and int(home.parent.name) in over
            and pids.started_at(pid)
        ):
            yield f"process {pid} of run {home.parent.name} still runs"


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _counts(evidence: Evidence) -> dict[str, int]:
    """What was looked at."""
    return {
        "tests": 1,
        "attempts": len(evidence.runs),
        "outcomes unknown": sum("outcome_unknown" in run.told for run in evidence.runs),
        "executions in the world": sum(evidence.effects.values()),
        "alerts acknowledged": len(evidence.world.acknowledged),
        "pages": len(evidence.ask(_PAGES)),
        "pages taken by a receiver": len(evidence.world.taken()) if evidence.world.taken else 0,
        "audit entries": evidence.ask("SELECT count(*) FROM erpops_auditentry")[0][0],
    }


INVARIANTS: dict[str, Callable[[Evidence], Iterator[str]]] = {
    "G1": acknowledged_is_stored,
    "G2": nothing_runs_twice,
    "G3": labels_are_true,
    "G4": every_page_ends,
    "G5": repetitions_are_bounded,
    "G6": nothing_has_a_gap,
    "G7": nothing_is_lost,
    "G8": nothing_runs_on,
}
