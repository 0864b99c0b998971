"""The only source of time.

Deadlines, leases and stamps come from the database, so that every process agrees whatever its own
clock says. Tests move it by shadowing `now()` in the database; nothing here knows of that.
"""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import DateTimeField, Func


class Now(Func):
    """`now()` of the database in a query: the start of the running transaction."""

    function = "now"
    template = "%(function)s()"
    output_field = DateTimeField()


def now() -> datetime:
    """The database's time (aware, UTC). Inside a transaction it is that transaction's start."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]


def seconds(value: float) -> timedelta:
    """A duration of `value` seconds."""
    return timedelta(seconds=value)
