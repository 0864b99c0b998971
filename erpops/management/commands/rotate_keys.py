"""Encrypt stored secrets anew."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction

from erpops import audit


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the first of ERPOPS_FIELD_KEYS. Put a new key in front, restart, run this; "
        "then the old key can be taken away."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            counts = {model._meta.label: _renew(model) for model in apps.get_models()}
            done = {label: count for label, count in counts.items() if count}
            audit.record(action="keys.rotate", target="secrets", counts=done)
        self.stdout.write(f"{sum(done.values())} stored secrets are encrypted with the first key.")


def _renew(model: type[models.Model]) -> int:
    """Write each secret of a table again, which encrypts it with the first key; how many."""
    fields = {field.attname: field for field in model._meta.concrete_fields if hasattr(field, "renewed")}
    if not fields:
        return 0
    rows = model._default_manager.select_for_update().only("pk", *fields).order_by("pk")
    count = 0
    try:
        for row in rows:
            for name, field in fields.items():
                setattr(row, name, field.renewed(getattr(row, name)))
            row.save(update_fields=list(fields))
            count += sum(bool(getattr(row, name)) for name in fields)
    except ValueError as error:
        raise CommandError(f"{model._meta.verbose_name}: {error} Nothing was changed.") from error
    return count
