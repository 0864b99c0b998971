"""Which runbooks fit an incident, and why. The only writer of Match.

Exact: an alert names the runbook, by link or by alert name. Likely: the words of its title say the
same. Related: some of the words do. Every suggestion carries its reasons in words.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote, urlsplit

from django.db import connection, transaction
from django.utils.text import slugify

from erpops import clock
from incidents import timeline
from incidents.choices import IncidentStatus
from incidents.models import Alert, Incident
from runbooks.choices import MatchRank
from runbooks.models import Match, Matching, Runbook

BATCH = 50
FULL_EVERY_S = 10.0
OVERLAP_S = 30.0
MOST_RELATED = 5
_EXACT, _LIKELY, _RELATED = 90, 50, 10
_URL_ANNOTATIONS = ("runbook_url", "runbook", "runbookUrl", "playbook", "playbook_url")
_SERVICE_LABELS = ("service", "job", "app", "component")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Words that most runbooks and alerts share say nothing about which one fits.
_EMPTY = frozenset(
    "a alert alerts an and are at by critical for from has high how in incident is issue issues it low not of on or "
    "problem problems runbook runbooks sev the to too warning when with without erpops down up over under".split()
)
_next_full = 0.0
_seen_until: datetime | None = None


@dataclass
class _Candidate:
    runbook: Runbook
    score: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, score: int, reason: str) -> None:
        self.score = max(self.score, score)
        if reason not in self.reasons:
            self.reasons.append(reason)

    @property
    def rank(self) -> MatchRank:
        if self.score >= _EXACT:
            return MatchRank.EXACT
        return MatchRank.LIKELY if self.score >= _LIKELY else MatchRank.RELATED


def tick() -> int:
    """Look at incidents that nobody has looked at; now and then also at those that gained alerts."""
    ids = _new_incidents()
    if len(ids) < BATCH and _full_is_due():
        ids += [found for found in _changed_incidents() if found not in ids]
    if not ids:
        return 0
    shelf = _shelf()
    for incident in Incident.objects.filter(pk__in=ids).select_related("service"):
        _match(incident, shelf)
    return len(ids)


def match(*, incident: Incident) -> list[Match]:
    """Find the runbooks for `incident` anew; its matches, best first."""
    _match(incident, _shelf())
    return list(Match.objects.filter(incident=incident).select_related("runbook"))


def look_again() -> None:
    """The library has changed: open incidents are matched once more at the next look."""
    Matching.objects.exclude(incident__status=IncidentStatus.RESOLVED).delete()


def _match(incident: Incident, shelf: list[Runbook]) -> None:
    alerts = list(Alert.objects.filter(incident=incident)[:200])
    found = [candidate for runbook in shelf if (candidate := _weigh(runbook, incident, alerts)).score]
    found.sort(key=lambda candidate: (-candidate.score, candidate.runbook.title))
    strong = [candidate for candidate in found if candidate.score >= _LIKELY]
    chosen = strong + [candidate for candidate in found if candidate.score < _LIKELY][:MOST_RELATED]
    with transaction.atomic():
        now = clock.now()
        # The row is the claim: two engines that look at once write one after the other.
        Matching.objects.update_or_create(incident=incident, defaults={"alerts": len(alerts), "at": now})
        before = Match.objects.filter(incident=incident)
        best = before.order_by("-score").values_list("runbook_id", flat=True).first()
        before.exclude(runbook__in=[candidate.runbook for candidate in chosen]).delete()
        Match.objects.bulk_create(
            [
                Match(
                    incident=incident,
                    runbook=candidate.runbook,
                    rank=candidate.rank,
                    reasons=candidate.reasons,
                    score=candidate.score,
                    at=now,
                )
                for candidate in chosen
            ],
            update_conflicts=True,
            unique_fields=["incident", "runbook"],
            update_fields=["rank", "reasons", "score"],
        )
        if chosen and chosen[0].runbook.pk != best:
            _tell(incident, chosen[0])


def _tell(incident: Incident, best: _Candidate) -> None:
    timeline.add(
        incident=incident,
        kind="runbook.matched",
        text=f"Runbook found: {best.runbook.title} ({best.rank.label.lower()}: {best.reasons[0]})",
        data={"runbook": best.runbook.slug, "rank": best.rank.value, "reasons": best.reasons},
        noise=True,
    )


def _weigh(runbook: Runbook, incident: Incident, alerts: Iterable[Alert]) -> _Candidate:
    candidate = _Candidate(runbook)
    names = {name.casefold(): name for name in runbook.alerts}
    for alert in alerts:
        if _linked(runbook, alert):
            candidate.add(100, f"the alert {alert.name} links to it")
        if alert.name.casefold() in names:
            candidate.add(95, f"it is written for the alert {alert.name}")
    if candidate.score:
        return candidate
    title = words(runbook.title)
    for text, what in [*((alert.name, f"the alert {alert.name}") for alert in alerts), (incident.title, "the title")]:
        _weigh_words(candidate, title | words(" ".join(runbook.alerts)), title, words(text), what)
    _weigh_service(candidate, title, incident, alerts)
    return candidate


def _weigh_words(candidate: _Candidate, known: set[str], title: set[str], asked: set[str], what: str) -> None:
    shared = known & asked
    if not shared:
        return
    said = ", ".join(sorted(shared))
    covered = len(shared) / len(asked)
    if len(shared) >= 2 and (covered >= 0.75 or title <= asked):
        candidate.add(_LIKELY + round(30 * covered), f"its title and {what} say the same: {said}")
    elif asked == title:
        candidate.add(_LIKELY, f"its title and {what} say the same: {said}")
    else:
        candidate.add(_RELATED + round(30 * covered), f"it shares words with {what}: {said}")


def _weigh_service(candidate: _Candidate, title: set[str], incident: Incident, alerts: Iterable[Alert]) -> None:
    names = {str(alert.labels[label]) for alert in alerts for label in _SERVICE_LABELS if alert.labels.get(label)}
    if incident.service is not None:
        names.add(incident.service.name)
    for name in sorted(names):
        wanted = words(name)
        if wanted and wanted <= title:
            candidate.add(_LIKELY if candidate.score else _RELATED + 5, f"it is about the service {name}")


def _linked(runbook: Runbook, alert: Alert) -> bool:
    """Whether a link in the alert's annotations points at this runbook's page, file or heading."""
    for key in _URL_ANNOTATIONS:
        url = str(alert.annotations.get(key) or "")
        if not url:
            continue
        parts = urlsplit(url)
        segments = [unquote(part) for part in parts.path.split("/") if part]
        ends = {slugify(unquote(parts.fragment)), slugify(re.sub(r"\.\w+$", "", segments[-1])) if segments else ""}
        if ends & {runbook.slug, slugify(runbook.title)}:
            return True
    return False


def words(text: str) -> set[str]:
    """The words that say something, lower case, without plural s; `DiskSpaceLow` has two."""
    found = {word.casefold() for word in _WORD.findall(text)}
    return {word.removesuffix("s") if len(word) > 3 else word for word in found - _EMPTY if len(word) > 1} - _EMPTY


def _shelf() -> list[Runbook]:
    return list(Runbook.objects.filter(archived=False, current__isnull=False).only("slug", "title", "alerts"))


def _new_incidents() -> list[int]:
    """Open incidents that were opened since the last look and have not been matched: an index range."""
    global _seen_until  # noqa: PLW0603  (one per engine process)
    now = clock.now()
    # Overlapping: what was opened in a transaction that committed late is still seen.
    since = (_seen_until or now - clock.seconds(3600)) - clock.seconds(OVERLAP_S)
    found = Incident.objects.filter(opened_at__gte=since, matching=None).exclude(status=IncidentStatus.RESOLVED)
    ids = list(found.order_by("opened_at").values_list("pk", flat=True)[:BATCH])
    if len(ids) < BATCH:
        _seen_until = now
    return ids


def _full_is_due() -> bool:
    global _next_full  # noqa: PLW0603  (one per engine process)
    now = time.monotonic()
    if now < _next_full:
        return False
    _next_full = now + FULL_EVERY_S
    return True


def _changed_incidents() -> list[int]:
    """Open incidents without a match pass, or with more or fewer alerts than at their last one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.id FROM incidents_incident i
            LEFT JOIN runbooks_matching m ON m.incident_id = i.id
            LEFT JOIN (SELECT incident_id, count(*) AS n FROM incidents_alert
                       WHERE incident_id IS NOT NULL GROUP BY 1) a ON a.incident_id = i.id
            WHERE i.status <> 'resolved' AND (m.id IS NULL OR m.alerts <> least(coalesce(a.n, 0), 200))
            ORDER BY i.id DESC LIMIT %s
            """,
            [BATCH],
        )
        return [row[0] for row in cursor.fetchall()]
