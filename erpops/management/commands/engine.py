"""The engine process."""

from typing import Any

from django.core.management.base import BaseCommand

from erpops.engine import Engine


class Command(BaseCommand):
    help = "Run the engine: escalation, outbox, schedules, reaping. Needs PostgreSQL only."

    def handle(self, *args: Any, **options: Any) -> None:
        Engine().run()
