"""Between tests that commit: what one has left is deleted, and nothing else is touched.

Django truncates every table and creates all permissions anew, which takes longer than most tests.
"""

from functools import cache

from django.db import connection, transaction

# As the migrations left them.
_KEPT = {"auth_permission", "django_content_type", "django_migrations"}


def empty_the_database(test_case: object = None) -> None:
    """Delete all rows but those that the migrations made; sequences go on."""
    with connection.cursor() as cursor:
        cursor.execute(_which_are_filled())
        filled = [name for (name,) in cursor.fetchall()]
    if filled:
        _delete_from(filled)


def _delete_from(tables: list[str]) -> None:
    """Past the rules that refuse it: what is append-only goes, too."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in tables))
        cursor.execute("; ".join(f"DELETE FROM {name}" for name in tables))
        # A table with checks that are still to come cannot be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("; ".join(f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in tables))


@cache
def _which_are_filled() -> str:
    names = sorted(set(connection.introspection.table_names()) - _KEPT)
    return " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)
