from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"

    def ready(self) -> None:
        # Models exist only once the apps are loaded.
        from erpops import access
        from erpops.doors import doors
        from erpops.htmx import NavItem, nav
        from erpops.needs import needs
        from erpops.setup import steps
        from erpops.sse import feeds
        from incidents import bootstrap, unmanned
        from incidents import needs as waiting
        from incidents.access import hidden_environments
        from incidents.channels import channels, email, slack, webhook
        from incidents.feeds import IncidentFeed, now_feed
        from incidents.navigation import ITEMS, PANELS
        from incidents.room import Panel, panels
        from incidents.views import escalation, webhooks

        steps.add("incidents", bootstrap.prepare)
        access.bounds.add("environments", hidden_environments)
        for name, module in {"email": email, "slack": slack, "webhook": webhook}.items():
            channels.add(name, module.CHANNEL)
        doors.add(webhooks.PREFIX, webhooks.application)
        feeds.add("incident", IncidentFeed())
        feeds.add("now", now_feed)
        for key, item in ITEMS.items():
            nav.add(key, item)
        for key, panel in PANELS.items():
            panels.add(key, panel)
        needs.add("incidents", waiting.INCIDENTS)
        needs.add("stakeholders", waiting.STAKEHOLDERS)
        needs.add("reviews", waiting.REVIEWS)
        needs.add("handovers", waiting.HANDOVERS)
        panels.add("escalation", Panel("context", "Escalation", "incidents/oncall/panel.html", escalation.context))
        nav.add("oncall", NavItem("On-call", "oncall", "oncall", "see_console", ("/oncall/",), position=60, key="o"))
        needs.add("unmanned", unmanned.STUCK)
        needs.add("gaps", unmanned.GAPS)
        needs.add("policy", unmanned.NO_POLICY)
