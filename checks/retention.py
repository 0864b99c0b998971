"""Forgets results that nobody looks at any more."""

from checks.models import Result
from erpops import clock
from erpops.clock import seconds

KEEP_DAYS = 14
BATCH = 2000


def forget() -> int:
    """Drop results older than two weeks, a small batch of the oldest at a time; how many."""
    oldest = Result.objects.order_by("pk").values_list("pk", "at")[:BATCH]
    limit = clock.now() - seconds(KEEP_DAYS * 86_400)
    return Result.objects.filter(pk__in=[pk for pk, at in oldest if at < limit]).delete()[0]
