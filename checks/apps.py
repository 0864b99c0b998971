from django.apps import AppConfig


class ChecksConfig(AppConfig):
    name = "checks"

    def ready(self) -> None:
        # Models exist only once the apps are loaded.
        from checks import bootstrap, feeds
        from checks import needs as provider
        from erpops.htmx import NavItem, nav
        from erpops.needs import needs
        from erpops.setup import steps
        from erpops.sse import feeds as all_feeds

        steps.add("checks", bootstrap.prepare)
        nav.add("checks", NavItem("Checks", "checks", "checks", "see_console", ("/checks/",), position=30, key="c"))
        needs.add("checks", provider.FAILING)
        needs.add("credentials", provider.EXPIRING)
        all_feeds.add("checks", feeds.checks_feed)
