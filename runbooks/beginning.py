"""The runbook that acknowledging begins: the one that matches exactly, if there is exactly one."""

from collections import defaultdict
from collections.abc import Collection

from django.contrib.auth.models import User
from django.urls import reverse

from erpops import access
from incidents import lifecycle
from incidents.access import may_operate
from incidents.beginnings import Beginning
from incidents.models import Incident
from runbooks import executions
from runbooks.choices import MatchRank
from runbooks.models import Execution, Match, Runbook
from runbooks.refusals import Refused


def beginnings(user: User, incidents: Collection[Incident]) -> dict[int, Beginning]:
    """For each incident the runbook that one click would start; two that claim the alert are chosen by a person."""
    if not access.can(user, "run_commands"):
        return {}
    places = {incident.environment_id: incident.environment for incident in incidents}
    allowed = {key for key, place in places.items() if may_operate(user, place)}
    mine = {incident.pk for incident in incidents if incident.environment_id in allowed}
    return {
        number: Beginning(found[0].title, reverse("walk_begin", args=[number]))
        for number, found in _exact(mine).items()
        if len(found) == 1
    }


def begin(*, incident: Incident, by: User) -> Execution:
    """Acknowledge, then start the one runbook that matches exactly. What cannot start is refused; nobody is paged."""
    lifecycle.acknowledge(incident=incident, by=by)
    found = _exact({incident.pk}).get(incident.pk, [])
    if len(found) != 1:
        raise Refused("There is no longer one runbook that matches exactly: choose one.")
    return executions.start(runbook=found[0], incident=incident, environment=incident.environment, by=by)


def _exact(incidents: Collection[int]) -> dict[int, list[Runbook]]:
    found: dict[int, list[Runbook]] = defaultdict(list)
    rows = Match.objects.filter(
        incident__in=incidents, rank=MatchRank.EXACT, runbook__archived=False, runbook__current__isnull=False
    )
    for match in rows.select_related("runbook"):
        found[match.incident_id].append(match.runbook)
    return found
