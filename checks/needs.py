"""What checks ask of a person: look at what fails and at what fell silent, replace credentials before they expire."""

from django.contrib.auth.models import User
from django.db.models import Q
from django.urls import reverse

from checks import credentials
from checks.access import visible_checks, visible_targets
from checks.choices import Verdict
from erpops import access
from erpops.clock import Now
from erpops.htmx import Need

RANK_FAILING, RANK_STALE, RANK_EXPIRING = 60, 65, 67
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


def expiring(user: User) -> list[Need]:
    """Credentials of targets that have expired or soon do, for who can replace them."""
    if not access.can(user, "edit_checks"):
        return []
    return [
        Need(
            rank=RANK_EXPIRING,
            verb="Replace the credential",
            title=f"{target.label}: it {found.words}",
            url=reverse("target_edit", args=[target.name]),
            detail=target.environment.label,
            group="checks",
        )
        for target in credentials.expiring(visible_targets(user))[:AT_MOST]
        if (found := credentials.expiry(target)) is not None
    ]
