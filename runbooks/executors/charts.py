"""Series of a monitoring system as a table: labels, value, and the last hour as a small chart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbooks.executors import tables

KEPT_SERIES = 100
# One point a minute over an hour.
STEP_S, SPAN_S = 60, 3600


@dataclass(frozen=True)
class Series:
    """One series: its labels, its value of now as the server writes it, and its points (seconds, value)."""

    labels: Mapping[str, str]
    value: str
    points: Sequence[tuple[float, float]] = field(default_factory=tuple)


def named(labels: Mapping[str, str]) -> str:
    """`up{instance="a:9090", job="prometheus"}`."""
    inside = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "__name__")
    return f"{labels.get('__name__', '')}{{{inside}}}" if inside or "__name__" not in labels else labels["__name__"]


def points_of(values: Iterable[Sequence[Any]]) -> list[tuple[float, float]]:
    """The pairs of a range query as numbers."""
    return [(float(at), float(value)) for at, value in values]


def show(series: Sequence[Series]) -> None:
    """Print the first series as a table; how many there are is said below it."""
    kept = series[:KEPT_SERIES]
    times = [at for one in kept for at, _ in one.points]
    first, last = min(times, default=0.0), max(times, default=0.0)
    rows = [[tables.cell(named(one.labels)), one.value, _chart(one.points, first, last)] for one in kept]
    print("\n".join(tables.table(("series", "value", "last hour"), rows, right=frozenset({1}))))
    print(tables.footer(len(kept), len(series)))


def _chart(points: Sequence[tuple[float, float]], first: float, last: float) -> str:
    """The points of a series in columns of equal time, so that series stand under each other."""
    if not points:
        return ""
    width = min(60, max(1, len({at for at, _ in points})))
    span = (last - first) or 1.0
    columns: list[float | None] = [None] * width
    for at, value in points:
        columns[min(width - 1, int((at - first) / span * width))] = value
    return tables.sparkline(columns)
