"""Which runbooks fit an incident, and why. The only writer of Match.

Exact: an alert names the runbook, by link or by alert name. Likely: the words of its title say the
same. Related: some of the words do. Every suggestion carries its reasons in words.
"""

import time
from datetime import datetime

from django.db import connection, transaction
from django.db.models import CharField, QuerySet
from django.db.models.expressions import RawSQL

from erpops import clock
from incidents import timeline
from incidents.choices import IncidentStatus
from incidents.models import Alert, Incident
from runbooks import platforms, weighing
from runbooks.models import Match, Matching, Runbook
from runbooks.weighing import LIKELY, Candidate

BATCH = 50
FULL_EVERY_S = 10.0
OVERLAP_S = 30.0
MOST_RELATED = 5
# What the incident itself says, as far as it counts here: another digest, and it is matched anew.
_BASIS = "md5(concat_ws('|', {0}.title, {0}.severity, coalesce({0}.service_id, 0), {0}.environment_id))"
_next_full = 0.0
_seen_until: datetime | None = None


def tick() -> int:
    """Look at incidents that nobody has looked at; now and then also at those that gained alerts."""
    ids = _new_incidents()
    if len(ids) < BATCH and _full_is_due():
        ids += [found for found in _changed_incidents() if found not in ids]
    if not ids:
        return 0
    _match_all(ids)
    return len(ids)


def match(*, incident: Incident) -> list[Match]:
    """Find the runbooks for `incident` anew; its matches, best first."""
    _match_all([incident.pk])
    return list(Match.objects.filter(incident=incident).select_related("runbook"))


def look_again() -> None:
    """The library has changed: open incidents are matched once more at the next look."""
    Matching.objects.exclude(incident__status=IncidentStatus.RESOLVED).delete()


def _match_all(ids: list[int]) -> None:
    incidents = list(_with_basis().filter(pk__in=ids).select_related("service", "environment"))
    shelf, places = _shelf(), platforms.of_environments([incident.environment for incident in incidents])
    for incident in incidents:
        _match(incident, shelf, places[incident.environment_id])


def _with_basis() -> QuerySet[Incident]:
    basis = RawSQL(_BASIS.format("incidents_incident"), [], output_field=CharField())  # noqa: S611  (constant text)
    return Incident.objects.annotate(basis=basis)


def _match(incident: Incident, shelf: list[Runbook], runs_on: frozenset[str]) -> None:
    alerts = list(Alert.objects.filter(incident=incident)[:200])
    found = [candidate for runbook in shelf if (candidate := weighing.weigh(runbook, incident, alerts)).score]
    written = platforms.of_runbooks([candidate.runbook.pk for candidate in found])
    for candidate in found:
        written_for, severities = written[candidate.runbook.pk]
        weighing.fit(candidate, incident, written_for=written_for, severities=severities, runs_on=runs_on)
    found.sort(key=lambda candidate: (-candidate.score, candidate.runbook.title))
    strong = [candidate for candidate in found if candidate.score >= LIKELY]
    chosen = strong + [candidate for candidate in found if candidate.score < LIKELY][:MOST_RELATED]
    with transaction.atomic():
        now = clock.now()
        # The row is the claim: two engines that look at once write one after the other.
        seen = {"alerts": len(alerts), "basis": incident.basis, "at": now}  # type: ignore[attr-defined]
        Matching.objects.update_or_create(incident=incident, defaults=seen)
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
            _tell(incident, chosen[0], again=best is not None)


def _tell(incident: Incident, best: Candidate, *, again: bool) -> None:
    what = "Another runbook fits better now" if again else "Runbook found"
    timeline.add(
        incident=incident,
        kind="runbook.matched",
        text=f"{what}: {best.runbook.title} ({best.rank.label.lower()}: {best.reasons[0]})",
        data={"runbook": best.runbook.slug, "rank": best.rank.value, "reasons": best.reasons},
        # People have looked at the list by then.
        noise=not again,
    )


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
    """Open incidents without a match pass, or that have changed since: other alerts, severity, service, title."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT i.id FROM incidents_incident i
            LEFT JOIN runbooks_matching m ON m.incident_id = i.id
            LEFT JOIN (SELECT incident_id, count(*) AS n FROM incidents_alert
                       WHERE incident_id IS NOT NULL GROUP BY 1) a ON a.incident_id = i.id
            WHERE i.status <> 'resolved' AND (m.id IS NULL OR m.alerts <> least(coalesce(a.n, 0), 200)
                                           OR m.basis <> {_BASIS.format("i")})
            ORDER BY i.id DESC LIMIT %s
            """,
            [BATCH],
        )
        return [row[0] for row in cursor.fetchall()]
