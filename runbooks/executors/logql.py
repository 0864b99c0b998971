"""LogQL: the lines or the numbers of the last hour, asked of the environment's Loki."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from checks.choices import TargetKind
from runbooks import typed_values
from runbooks.executors import Job, Launch, asking, charts, tables
from runbooks.executors.charts import Series

KEPT_LINES = 200
_BUCKET_S = 120


def launch(job: Job) -> Launch:
    """The call that asks. Raises CannotStart without a Loki."""
    asker = asking.asker(job, TargetKind.LOKI)
    query = typed_values.metric_query(job.script, job.values)
    return Launch(call=partial(asking.told, partial(carry_out, asker, query.strip())), env=job.env)


def carry_out(asker: asking.Asker, query: str) -> int:
    """Ask and print. Raises Failed."""
    # Without a start and an end Loki takes the last hour, by its own clock.
    found = _range(asker, {"query": query, "limit": str(KEPT_LINES), "direction": "backward"})
    if found["resultType"] == "streams":
        _lines(found["result"])
        _volume(asker, query)
    else:
        charts.show([_series(one) for one in found["result"]])
    return 0


def _range(asker: asking.Asker, params: Mapping[str, str]) -> Any:
    return asker.data("/loki/api/v1/query_range", params)["data"]


def _series(one: Mapping[str, Any]) -> Series:
    values = one.get("values") or [one["value"]]
    return Series(one["metric"], values[-1][1], charts.points_of(values))


def _lines(streams: list[Mapping[str, Any]]) -> None:
    """The newest lines in the order of their time."""
    found = sorted(
        (int(value[0]), charts.named(stream["stream"]), value[1]) for stream in streams for value in stream["values"]
    )
    rows = [[_moment(at), labels, tables.cell(line.rstrip("\n"))] for at, labels, line in found]
    print("\n".join([*tables.table(("time (UTC)", "labels", "line"), rows), tables.footer(len(rows), len(rows))]))
    if len(rows) >= KEPT_LINES:
        print(f"Only the newest {KEPT_LINES} lines of the last hour are shown: narrow the query.", file=sys.stderr)


def _volume(asker: asking.Asker, query: str) -> None:
    """How many lines there were over the hour, also of those that are not shown."""
    asked = {"query": f"sum(count_over_time({query} [{_BUCKET_S}s]))", "step": str(_BUCKET_S)}
    try:
        found = _range(asker, asked)["result"]
    except asking.Failed:
        # Not every query of lines can be counted like this; the lines themselves are there.
        return
    for one in found[:1]:
        print(f"lines over the last hour  {tables.sparkline([value for _, value in charts.points_of(one['values'])])}")


def _moment(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03d}"
