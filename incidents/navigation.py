"""Where this layer stands in the rail, and its own panels in the room."""

from erpops.htmx import NavItem
from incidents.room import Panel
from incidents.views.room import alerts_context
from incidents.views.status import comms_context

ITEMS = {
    "now": NavItem("Now", "now", "now", "see_console", ("/",), position=10, key="n"),
    "incidents": NavItem("Incidents", "incidents", "incidents", "see_console", ("/i/",), position=20, key="i"),
    "reviews": NavItem("Reviews", "reviews", "reviews", "write_postmortem", ("/reviews/",), position=70),
    "status": NavItem("Status", "status", "status", "read_status", ("/status/",), position=75),
    "environments": NavItem(
        "Environments", "environments", "globe", "edit_environments", ("/environments/", "/workers/"), position=80
    ),
    "sources": NavItem("Alert sources", "sources", "targets", "edit_sources", ("/sources/",), position=85),
}
PANELS = {
    "comms": Panel("context", "Messages", "incidents/status/comms.html", comms_context),
    "alerts": Panel("context", "Alerts", "incidents/room/alerts.html", alerts_context),
}
