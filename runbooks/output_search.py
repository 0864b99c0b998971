"""Finding lines in the output of all steps of a walk: by PostgreSQL, in what is stored, which is masked.

Chunks that share a line are joined first, so that a word is found wherever the pipe has cut it, and
colours are taken out, so that they hide nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection, transaction

from runbooks import sgr
from runbooks.models import CommandRun, Execution
from runbooks.refusals import Refused

# Lines shown of one attempt; the others are counted.
LINES_EACH = 50
LONGEST = 200
PATIENCE_MS = 5_000
_QUERY = r"""
WITH chunk AS (
    SELECT run_id, seq, line, stream, data,
        count(*) FILTER (WHERE NOT cont) OVER (PARTITION BY run_id ORDER BY seq) AS part
    FROM runbooks_outputchunk WHERE run_id = ANY(%(runs)s)
), part AS (
    SELECT run_id, min(line) AS line, min(stream) AS stream,
        regexp_replace(encode(string_agg(data, ''::bytea ORDER BY seq), 'escape'), E'\x1b\\[[0-9;:]{0,60}m', '', 'g')
            AS body
    FROM chunk GROUP BY run_id, part
), hit AS (
    SELECT run_id, part.line + found.at - 1 AS number, stream, found.body,
        count(*) OVER (PARTITION BY run_id) AS every,
        row_number() OVER (PARTITION BY run_id ORDER BY part.line + found.at) AS place
    FROM part, string_to_table(part.body, E'\n') WITH ORDINALITY AS found(body, at)
    WHERE part.body ~* %(pattern)s AND found.body ~* %(pattern)s
)
SELECT run_id, number, stream, decode(body, 'escape'), every FROM hit
WHERE place <= %(limit)s ORDER BY run_id, number
"""


@dataclass(frozen=True)
class Hit:
    """A line that holds what was asked for: `before`, `match` and `after` are its text."""

    number: int
    stream: str
    before: str
    match: str
    after: str


@dataclass(frozen=True)
class Found:
    """The hits in one attempt; `total` also counts those that are not shown."""

    run: CommandRun
    hits: list[Hit]
    total: int

    @property
    def more(self) -> int:
        return self.total - len(self.hits)


def find(*, execution: Execution, text: str) -> list[Found]:
    """Where `text` stands in the output of `execution`, whatever its case: by step, command and attempt.

    Raises `Refused` if there is so much output that it takes too long.
    """
    text = " ".join(text.split("\n"))[:LONGEST]
    if not text.strip():
        return []
    related = CommandRun.objects.filter(step_run__execution=execution).select_related("step_run", "requested_by")
    runs = list(related.order_by("step_run__position", "command", "-attempt"))
    rows: dict[int, list[Hit]] = {}
    totals: dict[int, int] = {}
    for run_id, number, stream, data, total in _rows([run.pk for run in runs], text):
        rows.setdefault(run_id, []).append(_hit(number, stream, bytes(data), text))
        totals[run_id] = total
    return [Found(run, rows[run.pk], totals[run.pk]) for run in runs if run.pk in rows]


def _rows(runs: list[int], text: str) -> Iterator[tuple[int, int, str, bytes, int]]:
    asked: dict[str, Any] = {"runs": runs, "pattern": _pattern(text), "limit": LINES_EACH}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {PATIENCE_MS}")
            cursor.execute(_QUERY, asked)
            yield from cursor.fetchall()
    except OperationalError as error:
        if "statement timeout" not in str(error):
            raise
        why = "There is too much output to be searched at once. Download an output and search in the file."
        raise Refused(why) from error


def _pattern(text: str) -> str:
    """A regular expression for `text` in bytes that are written as `encode(…, 'escape')` writes them.

    PostgreSQL ignores the case of ASCII letters there; the forms of others are listed.
    """
    return "".join(
        _literal(char)
        if char.isascii()
        else f"(?:{'|'.join(sorted(map(_literal, {char, char.lower(), char.upper()})))})"
        for char in text
    )


def _literal(text: str) -> str:
    written = "".join(
        f"\\{byte:03o}" if byte >= 0x80 or not byte else "\\\\" if byte == 0x5C else chr(byte)
        for byte in text.encode("utf-8", "surrogatepass")
    )
    return "".join(char if char.isalnum() else f"\\{char}" for char in written)


def _hit(number: int, stream: str, data: bytes, text: str) -> Hit:
    line = sgr.visible(data.removesuffix(b"\r").decode("utf-8", "replace"))
    at = line.lower().find(text.lower())
    # Some letters get longer in lower case; then nothing is marked.
    if at < 0 or len(line.lower()) != len(line):
        return Hit(number, stream, line, "", "")
    return Hit(number, stream, line[:at], line[at : at + len(text)], line[at + len(text) :])
