"""What checks measured: curves of the last day, days of the last week, and what other thresholds would have done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Avg, Count, F, Max, Min, Q, Value, Window
from django.db.models.functions import Lag, TruncDate

from checks.choices import Verdict
from checks.models import Check, Result
from checks.verdicts import ORDER, against, settle
from erpops import clock

SLOT_S = 1800
SLOTS = 48
CURVES_KEPT_S = 60
PREVIEW_DAYS = 7
WIDTH, HEIGHT, MARGIN = 100.0, 32.0, 2.0

# For each check: the slot (0 is a day ago), and the lowest and highest value in it.
Slots = dict[int, list[tuple[int, float, float]]]


@dataclass(frozen=True)
class Curve:
    """A sparkline: `points` for a polyline in 100 × 32, and the height of the threshold's line."""

    points: str
    limit_y: str
    label: str


def day_of_all() -> Slots:
    """The last 24 hours of every check in slots of half an hour; at most a minute old."""
    return cache.get_or_set("checks:day", _read_day, CURVES_KEPT_S) or {}


def _read_day() -> Slots:
    found: Slots = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT checked_id, floor(extract(epoch FROM at - (now() - %(length)s * interval '1 second'))
                      / %(slot)s)::int AS slot, min(value), max(value)
               FROM checks_result
               WHERE value IS NOT NULL AND at > now() - %(length)s * interval '1 second'
               GROUP BY 1, 2 ORDER BY 1, 2""",
            {"slot": SLOT_S, "length": SLOT_S * SLOTS},
        )
        for check_id, slot, lowest, highest in cursor.fetchall():
            found.setdefault(check_id, []).append((min(slot, SLOTS - 1), lowest, highest))
    return found


def curve(check: Check, slots: Sequence[tuple[int, float, float]], *, words: str) -> Curve | None:
    """The worst value of each slot as a line; None while there is nothing to draw."""
    if len(slots) < 2:
        return None
    values = [(slot, highest if check.rising else lowest) for slot, lowest, highest in slots]
    limit = check.critical_at if check.critical_at is not None else check.warning_at
    top = max([value for _, value in values] + ([limit] if limit is not None else [])) or 1.0
    bottom = min([0.0] + [value for _, value in values])

    def height(value: float) -> float:
        return HEIGHT - MARGIN - (value - bottom) / ((top - bottom) or 1.0) * (HEIGHT - 2 * MARGIN)

    points = " ".join(f"{slot / (SLOTS - 1) * WIDTH:.1f},{height(value):.1f}" for slot, value in values)
    return Curve(points, f"{height(limit):.1f}" if limit is not None else "", words)


def days(check: Check) -> Sequence[Mapping[str, Any]]:
    """The last two weeks, a row for each day, newest first: how often measured, how often bad, lowest to highest."""
    rows = (
        Result.objects.filter(checked=check)
        .exclude(verdict=Verdict.UNKNOWN)
        .order_by()
        .annotate(day=TruncDate("at"))
        .values("day")
        .annotate(
            measured=Count("pk"),
            bad=Count("pk", filter=Q(verdict__in=[Verdict.WARNING, Verdict.DOWN])),
            lowest=Min("value"),
            average=Avg("value"),
            highest=Max("value"),
        )
        .order_by("-day")
    )
    return list(rows[:14])


def latest(check: Check, *, before: int | None = None, limit: int = 50) -> list[Result]:
    """Results, newest first; `before` is the id that the last page ended with."""
    found = Result.objects.filter(checked=check).order_by("-pk")
    return list((found.filter(pk__lt=before) if before else found)[:limit])


def changes(check: Check, *, limit: int = 20) -> list[Result]:
    """The measurements of the last week that read otherwise than the one before them, newest first."""
    before = Window(Lag("verdict", default=Value("")), order_by=["at", "pk"])
    rows = Result.objects.filter(checked=check, at__gt=_week_ago()).annotate(before=before)
    return list(rows.exclude(verdict=F("before")).order_by("-at", "-pk")[:limit])


@dataclass(frozen=True)
class Preview:
    """What thresholds would have done over `measured` measurements: alerts, and how often it got critical."""

    fired: int
    critical: int
    measured: int


def would_have_fired(
    check: Check,
    *,
    warning_at: float | None,
    critical_at: float | None,
    rising: bool,
    bad_needed: int,
    good_needed: int,
) -> Preview:
    """Walk the last seven days of `check` with other thresholds."""
    verdict, fired, critical, count = Verdict.NEW, 0, 0, 0
    readings: list[Verdict] = []
    window = max(bad_needed, good_needed)
    rows = Result.objects.filter(checked=check, at__gt=_week_ago()).exclude(verdict=Verdict.UNKNOWN)
    for value in rows.order_by("at", "pk").values_list("value", flat=True).iterator(2000):
        count += 1
        now = (
            Verdict.DOWN
            if value is None
            else against(value, warning_at=warning_at, critical_at=critical_at, rising=rising)
        )
        readings = [now, *readings[: window - 1]]
        then = settle(verdict, readings, bad_needed=bad_needed, good_needed=good_needed)
        fired += then in ORDER[1:] and verdict not in ORDER[1:]
        critical += then == Verdict.DOWN and verdict != Verdict.DOWN
        verdict = then
    return Preview(fired, critical, count)


def _week_ago() -> datetime:
    return clock.now() - clock.seconds(PREVIEW_DAYS * 86_400)
