from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"

    def ready(self) -> None:
        # Models exist only once the apps are loaded.
        from erpops.doors import doors
        from erpops.setup import steps
        from incidents import bootstrap
        from incidents.views import webhooks

        steps.add("incidents", bootstrap.prepare)
        doors.add(webhooks.PREFIX, webhooks.application)
