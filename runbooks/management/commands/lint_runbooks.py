"""Look for mistakes in Markdown runbooks, for people and for CI. Needs no database."""

import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from runbooks.compiler import compile_paths
from runbooks.compiler.lint import RULES, add_overdue
from runbooks.lint_reports import FORMATS, LEVELS, allowed, selected

CLEAN, FOUND, USAGE = 0, 1, 2


class Command(BaseCommand):
    help = "Look for mistakes in Markdown runbooks. Exits 1 when something is found, 2 when it is used wrongly."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", metavar="PATH", help="a Markdown file or a folder that is walked")
        parser.add_argument("--format", choices=FORMATS, default="text", help="how to print what was found")
        parser.add_argument("--level", choices=LEVELS, default="info", help="the lowest level that is printed")
        parser.add_argument("--fail-on", choices=LEVELS, default="error", help="the lowest level that fails")
        parser.add_argument("--rule", action="append", default=[], metavar="ID", help="only this rule; may be repeated")
        parser.add_argument(
            "--ignore", action="append", default=[], metavar="ID", help="not this rule; may be repeated"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = [name for name in [*options["rule"], *options["ignore"]] if name not in RULES]
        if unknown:
            raise CommandError(f"There is no rule {unknown[0]}. The rules: {', '.join(RULES)}.", returncode=USAGE)
        documents = compile_paths(options["paths"])["documents"]
        if not documents:
            sentence = "No Markdown files there: name a file, or a folder that holds .md files."
            raise CommandError(sentence, returncode=USAGE)
        # The day of the machine: no database is asked here.
        add_overdue(documents, datetime.now(UTC).date())
        narrowed = {"rules": options["rule"], "ignored": options["ignore"]}
        found = selected(documents, level=options["level"], **narrowed)
        self.stdout.write(FORMATS[options["format"]](found, allowed(documents, **narrowed)))
        if selected(documents, level=options["fail_on"], **narrowed):
            sys.exit(FOUND)
