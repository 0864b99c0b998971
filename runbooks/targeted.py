"""Which kind of target a command needs that no shell runs, and the sentence where the environment has none."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from checks.choices import TargetKind
from runbooks.compiler import requests

# Kinds of targets that speak HTTP, in the order in which a request looks for its own.
SERVED = (
    TargetKind.HTTP,
    TargetKind.ELASTIC,
    TargetKind.PROMETHEUS,
    TargetKind.LOKI,
    TargetKind.ALERTMANAGER,
    TargetKind.GRAFANA,
)
_NEEDED = {
    "sql": TargetKind.POSTGRES,
    "promql": TargetKind.PROMETHEUS,
    "logql": TargetKind.LOKI,
    "lucene": TargetKind.ELASTIC,
}
_PATHS: tuple[tuple[re.Pattern[str], TargetKind], ...] = (
    (re.compile(r"/?loki/"), TargetKind.LOKI),
    (re.compile(r"/?api/v2/(?:alerts|silences|silence|status|receivers)\b"), TargetKind.ALERTMANAGER),
    (
        re.compile(
            r"/?api/v1/(?:query|query_range|query_exemplars|series|labels?|targets|rules|alerts|status|metadata)\b"
        ),
        TargetKind.PROMETHEUS,
    ),
    (re.compile(r"/?api/(?:dashboards|datasources|search|annotations|folders|org|ds)\b"), TargetKind.GRAFANA),
    (re.compile(r"/?(?:[\w.*,<>{}-]+/)?_[a-z]"), TargetKind.ELASTIC),
)


def kind_of_path(url: str) -> TargetKind:
    """Whose interface a path belongs to; a plain HTTP service where it tells nothing."""
    return next((kind for pattern, kind in _PATHS if pattern.match(url)), TargetKind.HTTP)


def lacking(command: Mapping[str, Any], targets: Collection[str], provided: Collection[str]) -> str:
    """A sentence that names the kind of target to register for `command`; empty if it has what it needs.

    `targets` are the kinds that the environment has, `provided` the names of its variables.
    """
    kind = command["kind"]
    if kind == "request":
        wanted = _of_request(command["text"])
        fits = wanted is None or wanted in targets or TargetKind.HTTP in targets
    else:
        wanted = _NEEDED.get(kind)
        fits = wanted is None or wanted in targets or (kind == "sql" and "DATABASE_URL" in provided)
    if fits or wanted is None:
        return ""
    return f"This environment has no {wanted.label} target, so this cannot run here: an admin can register one."


def _of_request(text: str) -> TargetKind | None:
    """None for an absolute address, and for a request whose `Host` decides."""
    try:
        request = requests.parse(text)
    except ValueError:
        return None
    named = any(name.lower() == "host" for name, _ in request.headers)
    return None if "://" in request.url or named else kind_of_path(request.url)
