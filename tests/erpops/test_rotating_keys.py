"""A new key takes over without anything that is stored being lost; a lost key is said and changes nothing."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import InvalidToken
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from checks.models import Target
from erpops import secrets
from incidents.models import Environment
from runbooks import secret_values
from runbooks.models import Execution
from tests.runbooks.builders import command, walk

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_box() -> Iterator[None]:
    secrets._box.cache_clear()
    yield
    secrets._box.cache_clear()


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT credential FROM checks_target")
        return str(cursor.fetchone()[0])


def test_secrets_are_read_with_the_old_key_until_the_new_one_has_written_them_all() -> None:
    place = Environment.objects.create(name="prod", label="Production")
    with override_settings(FIELD_KEYS=["old"]):
        Target.objects.create(name="db", label="DB", kind="postgres", environment=place, credential="hunter2")
    before = stored()
    secrets._box.cache_clear()
    with override_settings(FIELD_KEYS=["new", "old"]):
        assert Target.objects.get().credential == "hunter2"
        call_command("rotate_keys")
    assert stored() != before
    secrets._box.cache_clear()
    with override_settings(FIELD_KEYS=["new"]):
        assert Target.objects.get().credential == "hunter2"


def test_secret_parameters_of_walks_are_written_anew_too() -> None:
    with override_settings(FIELD_KEYS=["old"]):
        place = walk(command("true"))
        Execution.objects.filter(pk=place.execution.pk).update(values={"db-password": "hunter2", "host": "db1"})
    secrets._box.cache_clear()
    with override_settings(FIELD_KEYS=["new", "old"]):
        call_command("rotate_keys")
    secrets._box.cache_clear()
    with override_settings(FIELD_KEYS=["new"]):
        values = Execution.objects.get().values
        assert secret_values.opened(values) == {"db-password": "hunter2", "host": "db1"}


def test_a_key_that_is_gone_is_said_and_nothing_is_changed() -> None:
    place = Environment.objects.create(name="prod", label="Production")
    with override_settings(FIELD_KEYS=["lost"]):
        Target.objects.create(name="db", label="DB", kind="postgres", environment=place, credential="hunter2")
    before = stored()
    secrets._box.cache_clear()
    with override_settings(FIELD_KEYS=["other"]), pytest.raises(CommandError, match="put the old key back"):
        call_command("rotate_keys")
    assert stored() == before
    with pytest.raises(InvalidToken):
        secrets._box().decrypt(before.encode())
