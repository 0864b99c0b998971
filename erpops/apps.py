from django.apps import AppConfig

from erpops import registry


class ErpopsConfig(AppConfig):
    name = "erpops"

    def ready(self) -> None:
        # These need loaded settings and apps.
        from erpops import sse, system_checks  # noqa: F401
        from erpops.doors import doors

        doors.add("/live", sse.application)
        registry.freeze_all()
