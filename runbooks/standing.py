"""How runbooks have stood so far: walks and their ends, rehearsals, what steps and commands take. Reads only.

Counted in SQL over all that is asked for at once. Durations are in seconds; a typical one is a median, which says
little while there are few: `few` tells.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from erpops.templatetags.words import duration
from runbooks.walk import NOT_TAKEN, OTHER_OPTION

UNVERIFIED_AFTER_DAYS = 90
FEW = 5
# How far back steps and commands are counted.
DAYS = 365


@dataclass(frozen=True)
class Typical:
    """What something takes: median and 90th percentile of `n` that were measured."""

    median_s: float
    p90_s: float
    n: int

    @property
    def few(self) -> bool:
        return self.n < FEW

    def __str__(self) -> str:
        if self.few:
            return f"{_said(self.median_s)} so far ({self.n} run{'' if self.n == 1 else 's'})"
        usual, long = _said(self.median_s), _said(self.p90_s)
        return f"usually {usual}" if usual == long else f"usually {usual}, p90 {long}"


@dataclass(frozen=True)
class Rehearsed:
    """The latest finished rehearsal of a runbook: `works` of `reads` commands that only read."""

    execution: int
    at: datetime
    version: int
    place: str
    works: int
    failed: int
    reads: int


@dataclass(frozen=True)
class Standing:
    """Whether a runbook can be trusted. `days` since it was verified, or since it came into the library."""

    runs: int = 0
    completed: int = 0
    given_up: int = 0
    last_run_at: datetime | None = None
    took: Typical | None = None
    verified_at: datetime | None = None
    days: int = 0
    changed_since: bool = False
    rehearsed: Rehearsed | None = None

    @property
    def going_on(self) -> int:
        return self.runs - self.completed - self.given_up

    @property
    def stale(self) -> bool:
        """Nobody has seen it work for too long."""
        return self.days > UNVERIFIED_AFTER_DAYS


@dataclass(frozen=True)
class StepStanding:
    """What became of a step in all walks that came to it; `took` is what its commands took together."""

    reached: int
    passed: int
    failed: int
    skipped: int
    took: Typical | None

    @property
    def few(self) -> bool:
        return self.reached < FEW

    @property
    def passed_percent(self) -> int:
        return round(100 * self.passed / self.reached) if self.reached else 0

    @property
    def skipped_percent(self) -> int:
        return round(100 * self.skipped / self.reached) if self.reached else 0


_RUNBOOKS = """
SELECT r.id, count(e.id), count(e.id) FILTER (WHERE e.status = 'completed'),
       count(e.id) FILTER (WHERE e.status = 'abandoned'), max(e.started_at),
       percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM e.ended_at - e.started_at))
           FILTER (WHERE e.status = 'completed'),
       r.verified_at, greatest(0, extract(day FROM now() - coalesce(r.verified_at, r.created_at)))::int,
       coalesce(c.created_at > r.verified_at, false)
FROM runbooks_runbook r
LEFT JOIN runbooks_version c ON c.id = r.current_id
LEFT JOIN runbooks_version v ON v.runbook_id = r.id
LEFT JOIN runbooks_execution e ON e.version_id = v.id AND e.purpose = 'walk'
WHERE r.id = ANY(%s)
GROUP BY r.id, c.created_at
"""
_REHEARSED = """
SELECT DISTINCT ON (v.runbook_id) v.runbook_id, e.id, e.ended_at, v.number, p.label, n.works, n.failed, n.reads
FROM runbooks_rehearsal h
JOIN runbooks_execution e ON e.id = h.execution_id AND e.status = 'completed'
JOIN runbooks_version v ON v.id = e.version_id
JOIN incidents_environment p ON p.id = e.environment_id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE o.verdict = 'passed') AS works,
           count(*) FILTER (WHERE o.verdict = 'failed') AS failed,
           count(*) FILTER (WHERE o.verdict <> 'not_read') AS reads
    FROM runbooks_rehearsalresult o WHERE o.rehearsal_id = h.id
) n
WHERE v.runbook_id = ANY(%s)
ORDER BY v.runbook_id, e.ended_at DESC
"""
# A step is known by its phase and its title, so that it keeps its history when the text around it changes.
_STEPS = """
WITH walked AS (
    SELECT e.version_id, s.phase, s.step, s.status,
           (SELECT sum(extract(epoch FROM c.ended_at - c.started_at)) FROM runbooks_commandrun c
            WHERE c.step_run_id = s.id AND c.status = 'succeeded' AND NOT c.waits) AS took
    FROM runbooks_steprun s
    JOIN runbooks_execution e ON e.id = s.execution_id
    JOIN runbooks_version v ON v.id = e.version_id
    WHERE v.runbook_id = %s AND e.purpose = 'walk' AND e.started_at > now() - %s * interval '1 day'
      AND s.status IN ('passed', 'failed', 'skipped') AND s.reason <> ALL(%s)
), named AS (
    SELECT w.version_id, w.phase, w.step, v.compiled #>> ARRAY['phases', w.phase::text, 'phase'] AS part,
           coalesce(v.compiled #>> ARRAY['phases', w.phase::text, 'steps', w.step::text, 'title'], '') AS title
    FROM (SELECT DISTINCT version_id, phase, step FROM walked) w JOIN runbooks_version v ON v.id = w.version_id
)
SELECT part, title, count(*), count(*) FILTER (WHERE status = 'passed'), count(*) FILTER (WHERE status = 'failed'),
       count(*) FILTER (WHERE status = 'skipped'), count(took),
       percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY took)
FROM walked JOIN named USING (version_id, phase, step)
GROUP BY part, title
"""
_COMMANDS = """
SELECT c.text, count(*), percentile_cont(ARRAY[0.5, 0.9])
           WITHIN GROUP (ORDER BY extract(epoch FROM c.ended_at - c.started_at))
FROM runbooks_commandrun c
JOIN runbooks_steprun s ON s.id = c.step_run_id
JOIN runbooks_execution e ON e.id = s.execution_id
JOIN runbooks_version v ON v.id = e.version_id
WHERE v.runbook_id = %s AND c.text = ANY(%s) AND c.status = 'succeeded' AND NOT c.waits AND c.started_at IS NOT NULL
  AND c.ended_at > now() - %s * interval '1 day'
GROUP BY c.text
"""


def of_runbooks(runbooks: Collection[int]) -> dict[int, Standing]:
    """The standing of each; two queries however many there are."""
    keys = list(runbooks)
    if not keys:
        return {}
    last = {row[0]: Rehearsed(*row[1:]) for row in _rows(_REHEARSED, [keys])}
    return {
        pk: Standing(
            runs=runs,
            completed=completed,
            given_up=given_up,
            last_run_at=last_run,
            took=_typical(took, completed),
            verified_at=verified,
            days=days,
            changed_since=changed,
            rehearsed=last.get(pk),
        )
        for pk, runs, completed, given_up, last_run, took, verified, days, changed in _rows(_RUNBOOKS, [keys])
    }


def of_steps(runbook: int) -> dict[tuple[str, str], StepStanding]:
    """What became of each step of a runbook, by its phase and its title as compiled; one without steps has no title."""
    rows = _rows(_STEPS, [runbook, DAYS, [NOT_TAKEN, OTHER_OPTION]])
    return {
        (part, title): StepStanding(reached, passed, failed, skipped, _typical(took, timed))
        for part, title, reached, passed, failed, skipped, timed, took in rows
    }


def of_commands(runbook: int, texts: Collection[str]) -> dict[str, Typical]:
    """What commands of a runbook take when they succeed, by their text; rehearsals count like walks."""
    if not texts:
        return {}
    return {text: Typical(took[0], took[1], n) for text, n, took in _rows(_COMMANDS, [runbook, list(texts), DAYS])}


def _typical(took: list[float] | None, n: int) -> Typical | None:
    return Typical(took[0], took[1], n) if took and n else None


def _rows(query: str, asked: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, asked)
        return cursor.fetchall()


def _said(seconds: float) -> str:
    return "under 1 s" if seconds < 1 else duration(round(seconds))
