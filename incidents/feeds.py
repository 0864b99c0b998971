"""What the incidents layer tells live pages: `incident:<number>` and `now`."""

from typing import Any

from django.db.models import Sum

from erpops import access
from erpops.sse import Frame, StateFeed, changed
from incidents.access import visible_incidents
from incidents.models import Incident


class IncidentFeed:
    """`incident:<number>`: its cursor is the number of the latest timeline event."""

    def allowed(self, user: Any, key: str) -> bool:
        return key.isdecimal() and visible_incidents(user).filter(pk=int(key)).exists()

    def newest(self, key: str) -> int:
        return Incident.objects.filter(pk=int(key)).values_list("event_seq", flat=True).first() or 0

    def after(self, key: str, cursor: int) -> list[Frame]:
        seq = self.newest(key)
        return [changed(f"incident:{key}", seq)] if seq > cursor else []


def version() -> int:
    """How many timeline events there are. Unlike the highest id it also moves when a slow transaction
    commits after one that began later."""
    return Incident.objects.aggregate(all=Sum("event_seq"))["all"] or 0


now_feed = StateFeed("now", allowed=lambda user: access.can(user, "see_console"), version=version)
