"""What checks ask of a person: look at what fails, and at what fell silent."""

from django.contrib.auth.models import User
from django.db.models import Q
from django.urls import reverse

from checks.access import visible_checks
from checks.choices import Verdict
from erpops import access
from erpops.clock import Now
from erpops.htmx import Need

RANK_FAILING, RANK_STALE = 60, 65
AT_MOST = 20


def needs(user: User) -> list[Need]:
    """Failing and silent checks that are neither muted nor switched off."""
    if not access.can(user, "work_incidents"):
        return []
    rows = visible_checks(user).filter(
        Q(muted_until=None) | Q(muted_until__lte=Now()),
        enabled=True,
        target__enabled=True,
        verdict__in=[Verdict.DOWN, Verdict.WARNING, Verdict.UNKNOWN],
    )
    return [
        Need(
            rank=RANK_STALE if check.verdict == Verdict.UNKNOWN else RANK_FAILING,
            verb="Look at",
            title=f"{check.label}: {Verdict(check.verdict).label.lower()}",
            url=reverse("check", args=[check.name]),
            detail=f"{check.target.environment.label} · {check.last_message}".rstrip(" ·"),
            since=check.verdict_since,
            group="checks",
        )
        for check in rows.order_by("verdict_since", "pk")[:AT_MOST]
    ]
