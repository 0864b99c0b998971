"""Walk the audit chain; compare exported records with it."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from erpops import audit
from erpops.models import AuditEntry


class Command(BaseCommand):
    help = "Check the audit chain from its first entry; names the first bad row and exits 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--record",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help="an exported record (JSON) to compare with the chain and with what is stored; names what differs",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        fault = next(audit.faults(), None)
        if fault:
            raise CommandError(fault)
        self.stdout.write(f"The audit chain holds: {AuditEntry.objects.count()} entries.")
        wrong = [said for path in options["record"] for said in self._compare(path)]
        if wrong:
            raise CommandError("\n".join(wrong))

    def _compare(self, path: Path) -> list[str]:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            compare = audit.records.get(str(record["format"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CommandError(f"{path} is no record that could be read: {error}. Give the JSON file.") from error
        if compare is None:
            known = ", ".join(audit.records)
            raise CommandError(f"{path} has the format {record['format']!r}; this version checks {known}.")
        found = [f"{path}: {said}" for said in compare(record)]
        if not found:
            self.stdout.write(f"{path} agrees with the chain and with what is stored.")
        return found
