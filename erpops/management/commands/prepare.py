"""Brings a database to the state that this version needs; the same every time it runs."""

import time
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.checks import Tags
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from erpops import access, audit, people, static_files
from erpops.setup import SetupContext, steps

LOCK = 7_267_002
WAIT_S = 120.0


class Command(BaseCommand):
    help = "Migrate the database and put what a fresh installation contains into it. Safe to run again."
    requires_system_checks = [Tags.compatibility]

    def handle(self, *args: Any, **options: Any) -> None:
        _take_turn()
        try:
            if _behind():
                call_command("migrate", interactive=False, verbosity=0)
                self.stdout.write("The database is migrated.")
            if static_files.collect():
                self.stdout.write("The static files are collected.")
            admin, password = _accounts()
            for name, step in steps.items():
                with transaction.atomic():
                    step(SetupContext(admin=admin, say=partial(self._say, name)))
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        if password and admin:
            self.stdout.write(f"FIRST_LOGIN {admin.get_username()} {password}")

    def _say(self, name: str, line: str) -> None:
        self.stdout.write(f"{name}: {line}")


def _take_turn() -> None:
    """Wait until no other `prepare` runs on this database.

    Asked again and again instead of waited for inside PostgreSQL: a waiting statement would hold a
    snapshot, for which a migration that builds an index concurrently waits in turn.
    """
    give_up = time.monotonic() + WAIT_S
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
            if cursor.fetchone()[0]:
                return
        if time.monotonic() > give_up:
            raise CommandError(
                f"Another `manage.py prepare` has been running for {WAIT_S:.0f} s on this database. "
                "Wait until it ends, or end it, then start again."
            )
        time.sleep(0.1)


def _behind() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _accounts() -> tuple[User | None, str]:
    """The role groups and, where nobody has an account yet, the first admin with its password."""
    with transaction.atomic():
        present = set(Group.objects.filter(name__in=access.ROLES).values_list("name", flat=True))
        Group.objects.bulk_create([Group(name=role) for role in access.ROLES if role not in present])
        if User.objects.exists():
            admins = User.objects.filter(is_active=True, groups__name=access.ADMIN)
            return admins.order_by("pk").first(), ""
        password = people.first_password()
        admin = User.objects.create_user("admin", email=_email(), password=password)
        admin.groups.set(Group.objects.filter(name__in=[access.ADMIN, access.LEAD, access.OPERATOR]))
        audit.record(action="account.create", target=f"user:{admin.pk}", roles=["admin", "lead", "operator"])
        return admin, password


def _email() -> str:
    address: str = settings.ADMIN_EMAIL
    if address:
        try:
            validate_email(address)
        except ValidationError as error:
            raise CommandError(
                f"ERPOPS_ADMIN_EMAIL is {address!r}, which is no e-mail address. Correct it or remove it."
            ) from error
    return address
