"""Requests that PostgreSQL could not serve: a conflict is tried again, an absent database is said."""

import logging
import random
import time
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.db import Error, InterfaceError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from psycopg_pool import PoolTimeout

from erpops.failpoints import failpoint

logger = logging.getLogger(__name__)

TRIES = 4
# Serialization failure and deadlock: the transaction left nothing behind, so the same act may be done again.
_CONFLICTS = frozenset(["40001", "40P01"])

View = Callable[..., HttpResponse]


class RetryConflicts:
    """Runs a view again when PostgreSQL ended its transaction for the sake of another one.

    A view acts in one transaction, and acts are harmless when done twice, so the whole view is done anew.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if iscoroutinefunction(view):
            return None
        for left in range(TRIES - 1, -1, -1):
            try:
                response = view(request, *args, **kwargs)
                if request.method == "POST":
                    failpoint("act.committed")
                return response
            except Error as error:
                if not left or not is_conflict(error) or transaction.get_connection().in_atomic_block:
                    raise
                logger.warning("%s %s is tried again: %s", request.method, request.path, str(error).split("\n")[0])
                time.sleep(random.uniform(0.01, 0.05))
        raise AssertionError("The last try answers or raises.")


def is_conflict(error: BaseException) -> bool:
    """Whether PostgreSQL refused a transaction only because of another one at the same time."""
    return getattr(error.__cause__, "sqlstate", None) in _CONFLICTS


def is_absent(error: BaseException | None) -> bool:
    """Whether there was no database to ask."""
    return isinstance(error, OperationalError | InterfaceError | PoolTimeout)
