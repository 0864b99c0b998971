from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"

    def ready(self) -> None:
        # Models exist only once the apps are loaded.
        from erpops.doors import doors
        from erpops.htmx import NavItem, nav, needs
        from erpops.setup import steps
        from erpops.sse import feeds
        from incidents import bootstrap, unmanned
        from incidents import needs as waiting
        from incidents.channels import channels, email, slack, webhook
        from incidents.feeds import IncidentFeed, now_feed
        from incidents.navigation import ITEMS, PANELS
        from incidents.room import Panel, panels
        from incidents.views import escalation, webhooks

        steps.add("incidents", bootstrap.prepare)
        for name, module in {"email": email, "slack": slack, "webhook": webhook}.items():
            channels.add(name, module.CHANNEL)
        doors.add(webhooks.PREFIX, webhooks.application)
        feeds.add("incident", IncidentFeed())
        feeds.add("now", now_feed)
        for key, item in ITEMS.items():
            nav.add(key, item)
        for key, panel in PANELS.items():
            panels.add(key, panel)
        needs.add("incidents", waiting.incidents)
        needs.add("stakeholders", waiting.stakeholders)
        needs.add("reviews", waiting.reviews)
        needs.add("handovers", waiting.handovers)
        panels.add("escalation", Panel("context", "Escalation", "incidents/oncall/panel.html", escalation.context))
        nav.add("oncall", NavItem("On-call", "oncall", "oncall", "see_console", ("/oncall/",), position=60, key="o"))
        needs.add("unmanned", unmanned.needs)
