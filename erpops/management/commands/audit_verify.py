"""Walk the audit chain."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from erpops import audit
from erpops.models import AuditEntry


class Command(BaseCommand):
    help = "Check the audit chain from its first entry; names the first bad row and exits 1."

    def handle(self, *args: Any, **options: Any) -> None:
        fault = next(audit.faults(), None)
        if fault:
            raise CommandError(fault)
        self.stdout.write(f"The audit chain holds: {AuditEntry.objects.count()} entries.")
