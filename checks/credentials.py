"""When a target's credential was last handed out, and when it stops being valid."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from checks.models import Target
from erpops.clock import Now, seconds
from incidents.models import Environment

# Last use is known to the minute, and written as often.
PRECISION_S = 60
WARN_DAYS = 14


@dataclass(frozen=True)
class Expiry:
    """The day from which a credential is not valid any more, in words; `tone` is bad once it has come."""

    words: str
    tone: str


def handed_out(targets: QuerySet[Target]) -> None:
    """Note that the credentials of these targets were given to a command or a check, at most once a minute each.

    It waits for nobody: a row that is being written is noted the next time.
    """
    stale = targets.filter(Q(credential_used_at=None) | Q(credential_used_at__lt=Now() - seconds(PRECISION_S)))
    found = stale.exclude(credential="").order_by().values("pk").select_for_update(skip_locked=True)
    with transaction.atomic():
        Target.objects.filter(pk__in=found).update(credential_used_at=Now())


def handed_to_commands(environment: Environment) -> None:
    """The same for all that commands there receive. A database that does not answer is not waited for."""
    with suppress(OperationalError, InterfaceError):
        handed_out(environment.targets.filter(enabled=True))


def expiring(targets: QuerySet[Target]) -> QuerySet[Target]:
    """Those of `targets` in use whose credential has expired or does so within the warning time, the first first."""
    until = TruncDate(Now() + seconds(WARN_DAYS * 86_400))
    found = targets.filter(enabled=True, credential_expires_on__lte=until).exclude(credential="")
    return found.order_by("credential_expires_on", "pk")


def expiry(target: Target, now: datetime) -> Expiry | None:
    """What there is to say about the end of a target's credential; None while it is far off or unknown."""
    on = target.credential_expires_on
    if on is None or not target.credential:
        return None
    left = (on - timezone.localdate(now)).days
    if left > WARN_DAYS:
        return None
    if left <= 0:
        return Expiry("expired today" if left == 0 else f"expired {_days(-left)} ago", "bad")
    return Expiry(f"expires in {_days(left)}", "warn")


def _days(number: int) -> str:
    return f"{number} day{'s' if number > 1 else ''}"
