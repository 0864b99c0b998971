from django.apps import AppConfig


class ChecksConfig(AppConfig):
    name = "checks"

    def ready(self) -> None:
        # Models exist only once the apps are loaded.
        from erpops.setup import steps
        from checks import bootstrap

        steps.add("checks", bootstrap.prepare)
