"""The supervisor, listed with the other commands. `manage.py up` itself enters erpops/up.py before Django."""

import argparse
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from erpops import up


class Command(BaseCommand):
    help = "Start the servers, the database, web, engine and workers on this machine, and watch over them."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        up.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(up.run(argparse.Namespace(**options)))
