from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"

    def ready(self) -> None:
        # Models exist only once the apps are loaded.
        from erpops.doors import doors
        from erpops.htmx import nav, needs
        from erpops.setup import steps
        from erpops.sse import feeds
        from incidents import bootstrap
        from incidents.channels import channels, email, slack, webhook
        from incidents import needs as waiting
        from incidents.feeds import IncidentFeed, now_feed
        from incidents.navigation import ITEMS, PANELS
        from incidents.room import panels
        from incidents.views import webhooks

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
