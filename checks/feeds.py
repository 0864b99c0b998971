"""What the checks layer tells live pages."""

from django.db.models import Max

from checks.models import Result
from erpops import access
from erpops.sse import StateFeed


def version() -> int:
    """The newest result's number: it rises with every measurement, and with every gap."""
    return Result.objects.aggregate(newest=Max("pk"))["newest"] or 0


checks_feed = StateFeed("checks", allowed=lambda user: access.can(user, "see_console"), version=version)
