"""The only writer of verdicts and results.

A verdict turns worse when the last `bad_needed` measurements are all at least that bad, and better
when the last `good_needed` are all at least that good. Alerts go through the same door as
everybody's, in the transaction of the verdict: there is never one without the other.
"""

from datetime import datetime

from django.db import transaction

from checks import alerts
from checks.choices import Verdict
from checks.models import Check, Result
from checks.targets import Outcome
from erpops import clock
from erpops.claims import held
from erpops.nudges import nudge
from incidents.choices import Severity

TOPIC = "checks"
# From good to bad. The other verdicts say that nothing is known.
ORDER = [Verdict.UP, Verdict.WARNING, Verdict.DOWN]
_BAD = {Verdict.WARNING, Verdict.DOWN}


def reading(check: Check, outcome: Outcome) -> Verdict:
    """What one measurement says by itself."""
    if outcome.measurement is None:
        return Verdict.DOWN
    return against(
        outcome.measurement.value,
        warning_at=check.warning_at,
        critical_at=check.critical_at,
        rising=check.rising,
    )


def against(value: float, *, warning_at: float | None, critical_at: float | None, rising: bool) -> Verdict:
    """The verdict of a value under given thresholds; reaching a threshold counts."""
    for limit, verdict in ((critical_at, Verdict.DOWN), (warning_at, Verdict.WARNING)):
        if limit is not None and (value >= limit if rising else value <= limit):
            return verdict
    return Verdict.UP


def settle(now: str, readings: list[Verdict], *, bad_needed: int, good_needed: int) -> Verdict:
    """The verdict after `readings` (newest first) when it was `now`.

    From "new" or "unknown" a first good reading is enough to be up; a bad one alone proves nothing yet.
    """
    known = Verdict(now)
    base = ORDER.index(known) if known in ORDER else 0
    ranks = [ORDER.index(item) for item in readings]
    worse = min(ranks[:bad_needed]) if len(ranks) >= bad_needed else base
    better = max(ranks[:good_needed]) if len(ranks) >= good_needed else base
    if worse > base:
        return ORDER[worse]
    if better < base:
        return ORDER[better]
    if known not in ORDER and ranks[0] > 0:
        return known
    return ORDER[base]


def record(*, check: Check, outcome: Outcome) -> bool:
    """Keep one measurement and what it changes; False when this claim no longer holds the check."""
    with transaction.atomic():
        row = held(check).select_for_update(of=("self",)).first()
        if row is None:
            return False
        now = clock.now()
        Result.objects.create(
            checked=row,
            at=now,
            ok=outcome.measurement is not None,
            verdict=reading(row, outcome),
            value=outcome.measurement.value if outcome.measurement else None,
            duration_ms=outcome.duration_ms,
            message=outcome.measurement.message if outcome.measurement else outcome.problem,
        )
        _apply(row, outcome, now)
        _tell(row, outcome, now)
        row.lease_until, row.claimed_by = None, ""
        row.save(update_fields=[*_WRITTEN, "lease_until", "claimed_by"])
        nudge(TOPIC)
    return True


_WRITTEN = ["verdict", "verdict_since", "streak", "firing", "last_at", "last_value", "last_message"]


def _apply(check: Check, outcome: Outcome, now: datetime) -> None:
    window = max(check.bad_needed, check.good_needed)
    latest = Result.objects.filter(checked=check).exclude(verdict=Verdict.UNKNOWN)
    readings = [Verdict(item) for item in latest.values_list("verdict", flat=True)[:window]]
    # While an alert of its own stands, silence did not end it: the check is as bad as that alert says.
    before = check.verdict if check.verdict in ORDER or not check.firing else _raised_as(check)
    verdict = settle(before, readings, bad_needed=check.bad_needed, good_needed=check.good_needed)
    if verdict != check.verdict:
        check.verdict, check.verdict_since = verdict, now
    against_it = [item != verdict for item in readings]
    check.streak = against_it.index(False) if False in against_it else len(against_it)
    check.last_at = now
    check.last_value = outcome.measurement.value if outcome.measurement else None
    check.last_message = outcome.measurement.message if outcome.measurement else outcome.problem


def _raised_as(check: Check) -> Verdict:
    return Verdict.DOWN if check.firing == check.severity else Verdict.WARNING


def severity_of(check: Check) -> str:
    """How severe an alert of this check is now: a warning is one step below the check's own severity."""
    order = list(Severity.values)
    own = order.index(check.severity)
    return order[min(own + 1, len(order) - 1)] if check.verdict == Verdict.WARNING else check.severity


def _tell(check: Check, outcome: Outcome, now: datetime) -> None:
    """Raise or end the check's alert where verdict and alert disagree. A muted check raises nothing."""
    muted = check.muted_until is not None and check.muted_until > now
    quiet = muted or check.firing == severity_of(check)
    if check.verdict in _BAD and not quiet and alerts.accepted():
        check.firing = severity_of(check)
        alerts.fire(check=check, severity=check.firing, summary=summary(check, outcome), at=now)
    elif check.verdict == Verdict.UP and check.firing:
        check.firing = ""
        alerts.end(check=check, at=now)


def summary(check: Check, outcome: Outcome) -> str:
    """One sentence: what was found and what it may be."""
    if outcome.measurement is None:
        return f"{check.label} failed: {outcome.problem}"
    limit = check.critical_at if check.verdict == Verdict.DOWN else check.warning_at
    word = "critical" if check.verdict == Verdict.DOWN else "warning"
    found = f"{check.label}: {figure(outcome.measurement.value, check.unit)}"
    return found if limit is None else f"{found}, {word} at {figure(limit, check.unit)}"


def figure(value: float | None, unit: str) -> str:
    """A value with its unit, as precise as is useful: `4.2 ms`, `91 %`, `12`."""
    if value is None:
        return "–"
    whole = abs(value) >= 100 or value == int(value)
    return f"{value:,.{0 if whole else 1}f} {unit}".strip()


def fell_silent(check_id: int) -> bool:
    """Nothing has been measured for too long: the verdict is unknown, with a row that shows the gap.

    It raises no alert, and a standing one stands: silence is neither bad nor good.
    """
    with transaction.atomic():
        check = (
            Check.objects.select_for_update(of=("self",)).filter(pk=check_id).exclude(verdict=Verdict.UNKNOWN).first()
        )
        if check is None or check.last_at is None:
            return False
        now = clock.now()
        minutes = (now - check.last_at).total_seconds() / 60
        message = f"No measurement for {minutes:.0f} min: is a worker running, and is the broker there?"
        Result.objects.create(checked=check, at=now, ok=False, verdict=Verdict.UNKNOWN, duration_ms=0, message=message)
        check.verdict, check.verdict_since, check.last_message = Verdict.UNKNOWN, now, message
        check.save(update_fields=["verdict", "verdict_since", "last_message"])
        nudge(TOPIC)
    return True


def retire(*, check: Check) -> None:
    """The check is switched off, muted for good or removed: end its alert, forget its verdict."""
    with transaction.atomic():
        row = Check.objects.select_for_update(of=("self",)).get(pk=check.pk)
        if row.firing:
            alerts.end(check=row, at=clock.now())
        row.verdict, row.verdict_since, row.streak, row.firing = Verdict.NEW, None, 0, ""
        row.save(update_fields=["verdict", "verdict_since", "streak", "firing"])
        nudge(TOPIC)
