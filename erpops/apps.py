from django.apps import AppConfig

from erpops import registry


class ErpopsConfig(AppConfig):
    name = "erpops"

    def ready(self) -> None:
        # These need loaded settings and apps.
        from erpops import live, presence, system_checks  # noqa: F401
        from erpops.doors import doors
        from erpops.htmx import NavItem, nav
        from erpops.sse import feeds

        doors.add("/live", live.application)
        feeds.add(presence.KIND, presence.PresenceFeed())
        nav.add("people", NavItem("People", "people", "people", "edit_people", ("/people/",), position=90))
        registry.freeze_all()
