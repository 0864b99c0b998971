from django.apps import AppConfig


class ChecksConfig(AppConfig):
    name = "checks"

    def ready(self) -> None:
        # Models exist only once the apps are loaded.
        from checks import bootstrap
        from erpops.setup import steps

        steps.add("checks", bootstrap.prepare)
