"""The board's view of all checks: what they say now, grouped by service, failing first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from checks import history
from checks.choices import Verdict
from checks.history import Curve
from checks.models import Check
from checks.verdicts import figure
from erpops import clock
from erpops.templatetags.words import duration

# The worst first.
RANK = {Verdict.DOWN: 0, Verdict.WARNING: 1, Verdict.UNKNOWN: 2, Verdict.NEW: 3, Verdict.UP: 4}
TONES = {Verdict.DOWN: "bad", Verdict.WARNING: "warn"}


@dataclass(frozen=True)
class Cell:
    """One check as people see it."""

    name: str
    label: str
    url: str
    verdict: str
    verdict_label: str
    value: str
    threshold: str
    message: str
    pending: str
    at: datetime | None
    muted_until: datetime | None
    enabled: bool
    tone: str
    curve: Curve | None


@dataclass(frozen=True)
class Group:
    """The checks of one service."""

    label: str
    environment: str
    cells: list[Cell]


@dataclass(frozen=True)
class Board:
    """All of it, with the sentence above it."""

    groups: list[Group]
    summary: str
    tone: str
    as_of: datetime
    total: int


def board(checks: Iterable[Check]) -> Board:
    """Arrange `checks` (with target, service and environment at hand)."""
    now = clock.now()
    rows = sorted(checks, key=_order)
    day = history.day_of_all() if rows else {}
    groups: dict[tuple[str, str], list[Cell]] = {}
    for check in rows:
        target = check.target
        key = (target.service.label if target.service else target.label, target.environment.label)
        groups.setdefault(key, []).append(cell(check, now=now, curves=day))
    summary, tone = summarise(rows, now)
    arranged = [Group(label, environment, cells) for (label, environment), cells in groups.items()]
    return Board(arranged, summary, tone, now, len(rows))


def _order(check: Check) -> tuple[int, int, str]:
    service = check.target.service
    return (_rank(check), service.position if service else 999, check.label)


def _rank(check: Check) -> int:
    return RANK[Verdict(check.verdict)] if watched(check) else 5


def watched(check: Check) -> bool:
    """Whether it is measured at all."""
    return check.enabled and check.target.enabled


def summarise(checks: Iterable[Check], now: datetime) -> tuple[str, str]:
    """`2 failing, 1 stale, 41 fine` and the tone of it."""
    counts = {"failing": 0, "muted": 0, "stale": 0, "new": 0, "fine": 0, "off": 0}
    for check in checks:
        counts[_class(check, now)] += 1
    words = {
        "stale": "without data",
        "new": "not measured yet",
        "off": "switched off",
        "muted": "muted while bad",
    }
    parts = [f"{count} {words.get(kind, kind)}" for kind, count in counts.items() if count]
    tone = "bad" if counts["failing"] else "warn" if counts["stale"] else ""
    return ", ".join(parts) or "No checks", tone


def _class(check: Check, now: datetime) -> str:
    if not watched(check):
        return "off"
    if check.verdict in TONES:
        return "muted" if is_muted(check, now) else "failing"
    return {Verdict.UNKNOWN: "stale", Verdict.NEW: "new"}.get(Verdict(check.verdict), "fine")


def is_muted(check: Check, now: datetime) -> bool:
    """Whether it raises nothing at the moment."""
    return check.muted_until is not None and check.muted_until > now


def cell(check: Check, *, now: datetime, curves: history.Slots) -> Cell:
    """One check, in words."""
    value = figure(check.last_value, check.unit) if check.last_at else "–"
    return Cell(
        name=check.name,
        label=check.label,
        url=reverse("check", args=[check.name]),
        verdict=check.verdict,
        verdict_label=_verdict_label(check, now),
        value=value,
        threshold=threshold(check),
        message=check.last_message,
        pending=_pending(check),
        at=check.last_at,
        muted_until=check.muted_until if is_muted(check, now) else None,
        enabled=watched(check),
        tone=TONES.get(Verdict(check.verdict), ""),
        curve=history.curve(
            check,
            curves.get(check.pk, []),
            words=f"{check.label} over 24 hours, {value} now{_limit_words(check)}",
        ),
    )


def _verdict_label(check: Check, now: datetime) -> str:
    if not watched(check):
        return "Switched off"
    label = str(Verdict(check.verdict).label)
    if check.verdict == Verdict.UNKNOWN and check.last_at:
        return f"{label} for {duration((now - check.last_at).total_seconds() // 60 * 60)}"
    return label


def threshold(check: Check) -> str:
    """`warning 70, critical 85 %`."""
    limits = (("warning", check.warning_at), ("critical", check.critical_at))
    sign = "" if check.rising else "≤ "
    found = ", ".join(f"{word} {sign}{figure(limit, '')}" for word, limit in limits if limit is not None)
    return f"{found} {check.unit}".strip() if found else ""


def _limit_words(check: Check) -> str:
    return f", {threshold(check)}" if threshold(check) else ""


def _pending(check: Check) -> str:
    """That measurements speak against the verdict, but not enough of them yet."""
    if not check.streak or check.verdict == Verdict.UNKNOWN:
        return ""
    needed, word = (check.good_needed, "better") if check.verdict in TONES else (check.bad_needed, "bad")
    return f"{check.streak} {word} in a row, {needed} turn it"
