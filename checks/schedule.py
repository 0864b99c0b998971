"""When a check runs and when it is quiet: what people change without editing the check."""

from django.contrib.auth.models import User
from django.db import transaction

from checks.models import Check
from checks.verdicts import TOPIC
from erpops import audit
from erpops.clock import Now, seconds
from erpops.nudges import nudge

MUTE_CHOICES = [
    (1800, "30 minutes"),
    (3600, "1 hour"),
    (14_400, "4 hours"),
    (86_400, "1 day"),
    (604_800, "7 days"),
]


def run_now(*, check: Check, by: User) -> None:
    """Move its slot to this moment. Asking twice is asking once."""
    with transaction.atomic():
        Check.objects.filter(pk=check.pk, enabled=True).update(next_at=Now())
        audit.record(action="check.run", target=f"check:{check.pk}", by=by, name=check.name)


def mute(*, check: Check, for_s: int, by: User) -> None:
    """Raise nothing for `for_s` seconds; it is measured all the same."""
    with transaction.atomic():
        Check.objects.filter(pk=check.pk).update(muted_until=Now() + seconds(for_s))
        check.refresh_from_db(fields=["muted_until"])
        audit.record(action="check.mute", target=f"check:{check.pk}", by=by, name=check.name, seconds=for_s)
        nudge(TOPIC)


def unmute(*, check: Check, by: User) -> None:
    """Raise again, from the next measurement on."""
    with transaction.atomic():
        if Check.objects.filter(pk=check.pk, muted_until__gt=Now()).update(muted_until=None):
            audit.record(action="check.unmute", target=f"check:{check.pk}", by=by, name=check.name)
            nudge(TOPIC)
