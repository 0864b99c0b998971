"""Where the value of a parameter can be picked from: the lists of the environment's targets that fit it.

Asking only reads, takes a few seconds at most, and keeps a few hundred rows; what a target holds of secrets is masked.
"""

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass, replace
from typing import Any

from checks.choices import TargetKind
from checks.probes import Place
from runbooks import secret_values
from runbooks.answers import key_of, qualifiers
from runbooks.live_lists import LISTS, ROWS, NotThere, Row, Wanted
from runbooks.redact import Masker

PATIENCE_S = 3.0
SECRETS = "secret"
_MASKED = "•••"
_BY_TYPE = {"pod": ("pod",), "container": ("container",), "revision": ("revision",), "host": ("instance", "node")}
_BY_WORD: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("backup|dump|snapshot|restore", ("backup",)),
    ("database|db|dbname|datname", ("database",)),
    ("table|relation", ("table",)),
    ("index", ("db_index", "search_index")),
    ("role|owner|user|username|usename", ("role",)),
    ("namespace|ns", ("namespace",)),
    ("deployment|deploy", ("deployment",)),
    ("statefulset|sts", ("statefulset",)),
    ("service|svc", ("service",)),
    ("cronjob", ("cronjob",)),
    ("job", ("job", "watch_job")),
    ("node", ("node",)),
    ("instance", ("instance",)),
    ("image|tag", ("image",)),
    ("volume", ("volume",)),
    ("network", ("network",)),
)
_SQL = re.compile(r"\bpsql\b|\bpg_\w+\(|\bselect\b", re.IGNORECASE)
_NAMESPACE = re.compile(r"(?:^|\s)(?:-n|--namespace)[ =]([a-z0-9][a-z0-9-]{0,62})(?=\s|$)")
_OWNER = re.compile(r"\bdeploy(?:ments?(?:\.apps)?)?[/ ]([a-z0-9][a-z0-9.-]{0,252})")
_MOMENT = re.compile(r"20\d\d[-_.]?\d\d[-_.]?\d\d(?:[T_.-]?\d\d[:_.-]?\d\d(?:[:_.-]?\d\d)?)?")
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="picker")


@dataclass(frozen=True)
class Listing:
    """A list as it stands now. `problem` says why there is none, `more` that it was cut."""

    name: str
    label: str
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    more: bool = False
    problem: str = ""


def lists_for(item: Mapping[str, Any], text: str) -> tuple[str, ...]:
    """The names of the lists from which parameter `item` of a command `text` may be picked, the best first."""
    if secret_values.is_secret(item["name"]):
        return (SECRETS,)
    if item["type"] == "pid":
        return ("session",) if _SQL.search(text) else ()
    if item["type"] in _BY_TYPE:
        return _BY_TYPE[item["type"]]
    words = set(key_of(item["name"]).split("_"))
    for pattern, names in _BY_WORD:
        if words & set(pattern.split("|")):
            # A person of the application is no user of its database.
            return names if names != ("role",) or re.search(r"\b(?:role|grant|-U)\b", text, re.IGNORECASE) else ()
    return ()


def wanted_by(text: str, values: Mapping[str, str]) -> Wanted:
    """What the command itself and the values given so far narrow a list to."""
    by_key = {key_of(name): value for name, value in values.items()}
    named, owner = _NAMESPACE.search(text), _OWNER.search(text)
    namespace = named[1] if named else by_key.get("namespace") or by_key.get("ns") or ""
    return Wanted(namespace, owner[1] if owner else by_key.get("deployment", ""))


def ask(
    name: str, item: Mapping[str, Any], places: Mapping[str, Place], wanted: Wanted, secrets: Mapping[str, str]
) -> Listing:
    """The list called `name` as it stands now, for parameter `item`; never raises, never takes long."""
    live = LISTS[name]
    empty = Listing(name, live.label, live.columns)
    place = places.get(live.target)
    if place is None:
        kind = TargetKind(live.target).label
        return replace(empty, problem=f"This environment has no {kind} target: an admin can register one.")
    work = _threads.submit(lambda: list(live.rows(place, wanted)))
    try:
        found = work.result(PATIENCE_S)
    except NotThere as error:
        return replace(empty, problem=str(error))
    except TookTooLong:
        work.cancel()
        return replace(empty, problem=f"It did not answer within {PATIENCE_S:.0f} s: type the value, or try again.")
    rows = list(_masked(_as_moments(found) if item["type"] == "timestamp" else found, secrets))
    return replace(empty, rows=tuple(_ordered(rows[:ROWS], item)), more=len(rows) > ROWS)


def references(secrets: Mapping[str, str]) -> Listing:
    """The secrets of the environment, by name only: what is picked is the name, which a command's start resolves."""
    rows = tuple(Row(name) for name in sorted(secrets) if secrets[name])
    problem = "" if rows else "This environment's targets have no credentials, so there is no secret to refer to."
    return Listing(SECRETS, "secrets of the environment", ("Secret",), rows, problem=problem)


def _as_moments(rows: Iterable[Row]) -> list[Row]:
    """Of backups, the moments in their names, which restoring asks for."""
    found = ((row, _MOMENT.search(row.value)) for row in rows)
    return [Row(moment[0], (row.value, *row.cells)) for row, moment in found if moment]


def _masked(rows: Iterable[Row], secrets: Mapping[str, str]) -> Iterable[Row]:
    first = Masker(dict(secrets))

    def clean(text: str) -> str:
        masker = first.twin()
        return (masker.feed(text.encode()) + masker.flush()).decode("utf-8", "replace")

    for row in rows:
        if row.value and clean(row.value) == row.value:
            yield Row(row.value, tuple(clean(cell) for cell in row.cells))


def _ordered(rows: list[Row], item: Mapping[str, Any]) -> list[Row]:
    """What bears the words of the parameter's name first: `<postgres-pod>` is probably one called postgres."""
    words = qualifiers(item)
    return sorted(rows, key=lambda row: not (words and all(word in row.value.lower() for word in words)))
