"""What checks ask of a person: look at what fails and at what fell silent, replace credentials before they expire."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.urls import reverse

from checks import credentials
from checks.access import visible_checks, visible_targets
from checks.choices import Verdict
from checks.models import Check, Target
from erpops import access
from erpops.clock import Now
from erpops.needs import Need, Provider

RANK_FAILING, RANK_STALE, RANK_EXPIRING = 60, 65, 67
AT_MOST = 20


def _failing(user: User) -> QuerySet[Check] | None:
    if not access.can(user, "work_incidents"):
        return None
    return visible_checks(user).filter(
        Q(muted_until=None) | Q(muted_until__lte=Now()),
        enabled=True,
        target__enabled=True,
        verdict__in=[Verdict.DOWN, Verdict.WARNING, Verdict.UNKNOWN],
    )


def _looks(user: User, rows: QuerySet[Check], now: datetime) -> list[Need]:
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


def _expiring(user: User) -> QuerySet[Target] | None:
    return credentials.expiring(visible_targets(user)) if access.can(user, "edit_checks") else None


def _replacements(user: User, rows: QuerySet[Target], now: datetime) -> list[Need]:
    return [
        Need(
            rank=RANK_EXPIRING,
            verb="Replace the credential",
            title=f"{target.label}: it {found.words}",
            url=reverse("target_edit", args=[target.name]),
            detail=target.environment.label,
            group="checks",
        )
        for target in rows[:AT_MOST]
        if (found := credentials.expiry(target, now)) is not None
    ]


# Failing and silent checks that are neither muted nor switched off.
FAILING = Provider(_failing, _looks)
# Credentials of targets that have expired or soon do, for who can replace them.
EXPIRING = Provider(_expiring, _replacements)
