"""Queries: what the server refuses, and ratios that are always one."""

import re
from collections.abc import Iterator

from runbooks.compiler import queries
from runbooks.compiler.commands import Compiled
from runbooks.compiler.contract import Command
from runbooks.compiler.lint.found import Found, row_of
from runbooks.compiler.remarks import Remark

_SENT = re.compile(
    r"[?&' \"]query=(?P<query>[^\"'\s]*(?:\\\"[^\"]*\\\"[^\"'\s]*)*)|promtool\s+query\s+\w+\s+(?:https?://\S+\s+)?['](?P<asked>[^']+)'|--data-urlencode\s+[\"']query=(?P<encoded>[^']+)'"
)
_RATED = r"(?:rate|irate|increase|delta)\(\s*(?P<{0}>[a-zA-Z_:][\w:]*)\s*(?P<{0}labels>\{{[^}}]*\}})?\s*\[[^\]]+\]\s*\)"
_OF_ITSELF = re.compile(_RATED.format("one") + r"\s*/\s*" + _RATED.format("two"))
_GROUPED_METRIC = re.compile(r"^\s*[a-zA-Z_:][\w:]*_[\w:]*\s+(?:by|without)\s*\([\w\s,]*\)\s*$")
_AROUND = re.compile(r"(?:sum|avg|max|min|count|on|ignoring)\b[^/]*$")


def of_command(command: Command) -> Iterator[Found]:
    """The query that a command is, or that it sends."""
    text = command["text"]
    if command["kind"] == "promql":
        yield from of_itself(command["line"], text)
    elif command["kind"] in ("http", "shell") and "query" in text:
        for match in _SENT.finditer(text):
            query = (match["query"] or match["encoded"] or match["asked"] or "").replace('\\"', '"')
            yield from of_itself(row_of(command["line"], text, match.start()), query)


def of_itself(line: int, query: str) -> Iterator[Found]:
    """`rate(a{x}[5m]) / rate(a[5m])`: the same series stand on both sides, so each is divided by itself."""
    for match in _OF_ITSELF.finditer(query):
        same = match["one"] == match["two"] and (match["onelabels"] or "") != (match["twolabels"] or "")
        if same and not _AROUND.search(query[: match.start()]):
            message = "Prometheus divides each series by itself here, so the result is always 1 or nothing."
            yield line, "promql.of-itself", "error", message, "Sum both sides first: sum(rate(…)) / sum(rate(…))."


def of_fence(compiled: Compiled) -> Iterator[Found]:
    """Queries in comments, which the executor offers and the server refuses."""
    asked = False
    for entry in compiled.entries:
        if not isinstance(entry, Remark):
            asked = False
            continue
        text = entry.text
        if entry.kind == "query":
            query = text.partition(": ")[2] if ": " in text and not queries.kind_of(text) else text
            kind = queries.kind_of(query)
            problem = queries.problem(kind, query) if kind else None
            if problem:
                yield entry.line, problem[0], "error", problem[1], "Try the query in the expression browser."
        elif asked and _GROUPED_METRIC.match(text):
            message = "“by (…)” may follow an aggregation such as sum(…) only; Prometheus refuses this query."
            yield (
                entry.line,
                "promql.syntax",
                "error",
                message,
                "Put an aggregation around the metric, for example sum by (…) (metric).",
            )
        if re.search(r"\b(?:prometheus|promql|grafana)\b", text, re.IGNORECASE):
            asked = True
