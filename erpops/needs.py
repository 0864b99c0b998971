"""What waits for a person. Each layer says which rows may ask for somebody; one question finds out who has any."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Exists, QuerySet

from erpops import access
from erpops.clock import Now
from erpops.registry import Registry


@dataclass(frozen=True)
class Need:
    """Something that waits for a person. Lower `rank` is more urgent; `action` posts to a URL with one click.

    `button` is what that click is called, the verb if it is empty.
    """

    rank: int
    verb: str
    title: str
    url: str
    detail: str = ""
    severity: str = ""
    since: datetime | None = None
    due: datetime | None = None
    action: str = ""
    group: str = ""
    button: str = ""


@dataclass(frozen=True)
class Provider:
    """One kind of needs.

    `among` gives the rows that may ask something of a person, None for somebody of whom they never do. It depends on
    who that is and what they reach (`access.reach_of`) and on nothing else: times are the database's. Only where
    there are any rows, `found` is called with them and the database's time. `counted` is how many needs `found`
    would give, for a kind where preparing them costs more than counting.
    """

    among: Callable[[User], QuerySet[Any] | None]
    found: Callable[[User, QuerySet[Any], datetime], list[Need]]
    counted: Callable[[User, QuerySet[Any], datetime], int] | None = None


needs: Registry[Provider] = Registry("needs")
# Statements that a process keeps, some kilobytes each.
_KEPT = 256


def needs_of(user: User) -> list[Need]:
    """Everything that waits for `user`, most urgent first."""
    asking, now = _asking(user)
    found = [need for provider, rows in asking for need in provider.found(user, rows, now)]
    return sorted(found, key=lambda need: (need.rank, need.since.timestamp() if need.since else 0))


@dataclass(frozen=True)
class Bell:
    """How many needs `needs_of` would give, and when that was so by the database's clock."""

    number: int
    at: datetime


def bell_of(user: User) -> Bell:
    """What waits for `user`, only counted."""
    asking, now = _asking(user)
    counts = ((provider.counted or _counted(provider))(user, rows, now) for provider, rows in asking)
    return Bell(sum(counts), now)


def _counted(provider: Provider) -> Callable[[User, QuerySet[Any], datetime], int]:
    return lambda user, rows, now: len(provider.found(user, rows, now))


def _asking(user: User) -> tuple[list[tuple[Provider, QuerySet[Any]]], datetime]:
    """The providers that have rows for `user`, with these, and the database's time: all in one query."""
    question = _question(user)
    with connection.cursor() as cursor:
        cursor.execute(question.sql, question.values)
        now, *answers = cursor.fetchone()
    asked = [provider for provider, yes in zip(question.providers, answers, strict=True) if yes]
    return [(provider, rows) for provider in asked if (rows := provider.among(user)) is not None], now


@dataclass(frozen=True)
class _Question:
    """A statement that answers with the time, and for each of `providers` whether it has rows."""

    sql: str
    values: tuple[Any, ...]
    providers: list[Provider]


_questions: dict[Hashable, _Question] = {}


def _question(user: User) -> _Question:
    """The statement for `user`. Wording it takes ten times as long as asking it, so its words (never an answer) are
    kept for as long as the person reaches the same."""
    key = (user.pk, access.reach_of(user))
    question = _questions.get(key)
    if question is None:
        if len(_questions) >= _KEPT:
            _questions.clear()
        with connection.execute_wrapper(_refuse):
            question = _questions[key] = _worded(user)
    return question


def _worded(user: User) -> _Question:
    possible = [(provider, rows) for provider in needs.values() if (rows := provider.among(user)) is not None]
    there = [Exists(rows) for _, rows in possible]
    asked = User.objects.filter(pk=user.pk).values_list(Now(), *there)
    return _Question(*asked.query.sql_with_params(), [provider for provider, _ in possible])


def _refuse(*_asked: Any) -> NoReturn:
    raise RuntimeError("The rows of a need are described without asking the database: the description is kept.")
