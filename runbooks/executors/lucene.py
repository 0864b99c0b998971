"""Lucene queries: the newest hits and how many there are, asked of the environment's Elasticsearch."""

import json
import re
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from checks.choices import TargetKind
from runbooks import typed_values
from runbooks.executors import Job, Launch, asking, tables

KEPT_HITS = 50
_TIME = "@timestamp"
_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")')
_OPERATOR = re.compile(r"(?<=\s)(?:and|or|not)(?=\s)|^not(?=\s)")
_COLUMNS = (_TIME, "level", "log.level", "service", "service.name", "host", "host.name", "message")


def launch(job: Job) -> Launch:
    """The call that asks; an address with a path searches that index. Raises CannotStart without a target."""
    asker = asking.asker(job, TargetKind.ELASTIC)
    query = typed_values.lucene_query(job.script, job.values)
    return Launch(call=partial(asking.told, partial(carry_out, asker, query.strip())), env=job.env)


def carry_out(asker: asking.Asker, query: str) -> int:
    """Ask and print. Raises Failed."""
    query = _with_operators(query)
    found = asker.data("/_search", {}, body=_search(query))
    hits = found["hits"]
    _table([{**hit.get("_source", {}), "_index": hit.get("_index", "")} for hit in hits["hits"]], hits["total"])
    buckets = found.get("aggregations", {}).get("over_time", {}).get("buckets", [])
    if len(buckets) > 1:
        print(f"hits over time  {tables.sparkline([float(bucket['doc_count']) for bucket in buckets])}")
    shards = found.get("_shards", {})
    if shards.get("failed"):
        print(f"{shards['failed']} of {shards['total']} shards did not answer: hits are missing.", file=sys.stderr)
    if not urlsplit(asker.place.address).path.strip("/"):
        print("All indices were searched: the target's address names none.", file=sys.stderr)
    return 0


def _with_operators(query: str) -> str:
    """Kibana's own language writes `and`, which Lucene would look for as a word."""
    parts = _QUOTED.split(query)
    read = "".join(
        part if index % 2 else _OPERATOR.sub(lambda m: m[0].upper(), part) for index, part in enumerate(parts)
    )
    if read != query:
        print(f"Read as: {read}", file=sys.stderr)
    return read


def _search(query: str) -> dict[str, Any]:
    """The newest hits, of the last hour where the query itself names no time."""
    text = {"query_string": {"query": query, "analyze_wildcard": True}}
    bounded: dict[str, Any] = {"bool": {"must": [text]}}
    if _TIME not in query:
        bounded["bool"]["filter"] = [{"range": {_TIME: {"gte": "now-1h", "lte": "now"}}}]
        print("The query names no time, so the last hour was searched.", file=sys.stderr)
    return {
        "query": bounded,
        "size": KEPT_HITS,
        "track_total_hits": True,
        "sort": [{_TIME: {"order": "desc", "unmapped_type": "date"}}],
        "aggs": {"over_time": {"auto_date_histogram": {"field": _TIME, "buckets": 40}}},
    }


def _table(hits: list[dict[str, Any]], total: Any) -> None:
    """What most logs have, each in its column; where a hit has no message, all of it."""
    count = int(total["value"] if isinstance(total, dict) else total)
    columns = [name for name in _COLUMNS if any(_field(hit, name) is not None for hit in hits)]
    if "message" not in columns:
        columns.append("document")
    rows = [[_shown(hit, name) for name in columns] for hit in hits]
    print("\n".join([*tables.table(columns, rows), tables.footer(len(rows), count)]))


def _field(hit: Mapping[str, Any], name: str) -> Any:
    """A field by its name, or by its path: `log.level` may be written either way."""
    if name in hit:
        return None if isinstance(hit[name], dict) else hit[name]
    first, dot, rest = name.partition(".")
    inside = hit.get(first)
    return _field(inside, rest) if dot and isinstance(inside, Mapping) else None


def _shown(hit: Mapping[str, Any], name: str) -> str:
    value = hit if name == "document" else _field(hit, name)
    if value is None:
        return ""
    return tables.cell(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
