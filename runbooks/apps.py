from django.apps import AppConfig


class RunbooksConfig(AppConfig):
    name = "runbooks"

    def ready(self) -> None:
        # Models exist only once the apps are loaded.
        from erpops.setup import steps
        from runbooks import bootstrap

        steps.add("runbooks", bootstrap.prepare)
