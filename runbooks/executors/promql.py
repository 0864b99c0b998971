"""PromQL: the value of now and the last hour, asked of the environment's Prometheus."""

import re
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from checks.choices import TargetKind
from runbooks import typed_values
from runbooks.executors import Job, Launch, asking, charts
from runbooks.executors.charts import STEP_S, Series

# What dashboards put in for their variables.
_VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}
_VARIABLE = re.compile(r"\$(?:__rate_interval|__interval|__range)\b|\$\{(__rate_interval|__interval|__range)\}")
_COMMENT = re.compile(r"(?m)^\s*#.*$")


def launch(job: Job) -> Launch:
    """The call that asks. Raises CannotStart without a Prometheus."""
    asker = asking.asker(job, TargetKind.PROMETHEUS)
    query = typed_values.metric_query(job.script, job.values)
    return Launch(call=partial(asking.told, partial(carry_out, asker, query)), env=job.env)


def carry_out(asker: asking.Asker, query: str) -> int:
    """Ask and print. Raises Failed."""
    query = _filled(query)
    now = _data(asker, "/api/v1/query", {"query": query})
    kind, result = now["resultType"], now["result"]
    if kind == "string":
        print(result[1])
        return 0
    if kind == "matrix":
        charts.show([_ranged(one) for one in result])
        return 0
    if kind == "scalar":
        result = [{"metric": {}, "value": result}]
    past = _past(asker, query)
    charts.show([Series(one["metric"], one["value"][1], past.get(_key(one["metric"]), ())) for one in result])
    return 0


def _past(asker: asking.Asker, query: str) -> dict[str, list[tuple[float, float]]]:
    """The points of the last hour by series, by the server's own clock. Without them the table has no chart."""
    try:
        end = float(_data(asker, "/api/v1/query", {"query": "time()"})["result"][1])
        asked = {"query": query, "start": str(end - charts.SPAN_S), "end": str(end), "step": str(STEP_S)}
        found = _data(asker, "/api/v1/query_range", asked)["result"]
    except asking.Failed as failure:
        print(f"No chart: {failure}", file=sys.stderr)
        return {}
    return {_key(one["metric"]): charts.points_of(one["values"]) for one in found}


def _data(asker: asking.Asker, path: str, params: Mapping[str, str]) -> Any:
    # As a form: a query in an address is bounded by every proxy on the way.
    answer = asker.data(path, params, form=True)
    for warning in [*answer.get("warnings", []), *answer.get("infos", [])]:
        print(f"{asker.label}: {warning}", file=sys.stderr)
    return answer["data"]


def _ranged(one: Mapping[str, Any]) -> Series:
    return Series(one["metric"], one["values"][-1][1], charts.points_of(one["values"]))


def _key(labels: Mapping[str, str]) -> str:
    # A range query leaves the metric's name out where an instant query of the same text has it, and the reverse.
    return charts.named({name: value for name, value in labels.items() if name != "__name__"})


def _filled(query: str) -> str:
    """The query without comment lines, and with what a dashboard would put in for its own variables."""

    def value(match: re.Match[str]) -> str:
        name = f"${match[1]}" if match[1] else match[0]
        print(f"{name} is {_VARIABLES[name]} here.", file=sys.stderr)
        return _VARIABLES[name]

    return _VARIABLE.sub(value, _COMMENT.sub("", query)).strip()
