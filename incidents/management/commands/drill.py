"""Start a fire drill from the command line."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from incidents import drill


class Command(BaseCommand):
    help = "Start a fire drill: a real alert through the real webhook; prints where to go."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default="", help="where the console answers (default: ERPOPS_URL)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            incident = drill.start(base_url=options["url"].rstrip("/"))
        except drill.DrillFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{incident.reference} is open: {settings.PUBLIC_URL}/i/{incident.pk}/")
