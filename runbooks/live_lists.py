"""What is there at this moment in an environment's targets: pods, containers, sessions… Each list only reads.

A list is asked for with a few seconds and gives a few hundred rows, or the sentence why it cannot be had.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
from psycopg.conninfo import make_conninfo

from checks.choices import TargetKind
from checks.connectors import docker, failures, kubernetes, web
from checks.probes import Place
from runbooks.executors import CannotStart
from runbooks.executors.sql import conninfo

ROWS = 200
ANSWER_S = 2.5
_BODY = 8_000_000
_BACKUP = re.compile(r"backup|dump|\.bak|base_|\.sql|\.tar|\.gz$|\.zst$|wal", re.IGNORECASE)


class NotThere(Exception):
    """The list cannot be had; the message is a sentence that says why."""


@dataclass(frozen=True)
class Row:
    """One thing: the value that a parameter takes, and what tells it from the others, by column."""

    value: str
    cells: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What a list is narrowed by: the namespace that the command names, the object whose revisions are meant."""

    namespace: str = ""
    owner: str = ""


@dataclass(frozen=True)
class LiveList:
    """One kind of list: what it is called, its columns (the value's first), the target that knows it, and asking it."""

    label: str
    columns: tuple[str, ...]
    target: str
    rows: Callable[[Place, Wanted], Iterable[Row]]


# -- Docker ----------------------------------------------------------------------------------------


def _engine(path: str, read: Callable[[Any], Iterator[Row]]) -> Callable[[Place, Wanted], list[Row]]:
    def rows(place: Place, wanted: Wanted) -> list[Row]:
        with _asking(place), docker.client(place, ANSWER_S) as client:
            return list(read(_json(client, path)))

    return rows


def _containers(found: Any) -> Iterator[Row]:
    for one in found:
        name = str((one["Names"] or [one["Id"][:12]])[0]).lstrip("/")
        yield Row(name, (str(one["Image"]), str(one["Status"])))


def _images(found: Any) -> Iterator[Row]:
    for one in found:
        for tag in one.get("RepoTags") or []:
            yield Row(str(tag), (_size(one["Size"]),))


def _volumes(found: Any) -> Iterator[Row]:
    for one in found.get("Volumes") or []:
        yield Row(str(one["Name"]), (str(one["Driver"]),))


def _networks(found: Any) -> Iterator[Row]:
    for one in found:
        yield Row(str(one["Name"]), (str(one["Driver"]),))


# -- Kubernetes ------------------------------------------------------------------------------------

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def _objects(group: str, plural: str, *, spread: bool = False) -> Callable[[Place, Wanted], list[Row]]:
    """The names of a kind of object, with the cluster's own columns; `spread` ones have no namespace."""

    def rows(place: Place, wanted: Wanted) -> list[Row]:
        server, namespace = kubernetes.server_and_namespace(place.address)
        within = "" if spread else f"/namespaces/{quote(wanted.namespace or namespace, safe='')}"
        with _asking(place), web.client(place, timeout_s=ANSWER_S) as client:
            client.headers["Accept"] = _TABLE
            found = _json(client, f"{server}/{group}{within}/{plural}?limit={ROWS}")
        return list(_table(found) if found.get("kind") == "Table" else _plain(found))

    return rows


def _table(found: Mapping[str, Any]) -> Iterator[Row]:
    kept = [i for i, one in enumerate(found["columnDefinitions"]) if not one.get("priority") and i][:3]
    for row in found.get("rows") or []:
        yield Row(str(row["cells"][0]), tuple(str(row["cells"][index]) for index in kept))


def _plain(found: Mapping[str, Any]) -> Iterator[Row]:
    for one in found.get("items") or []:
        phase = (one.get("status") or {}).get("phase", "")
        yield Row(str(one["metadata"]["name"]), (str(phase),))


def _revisions(place: Place, wanted: Wanted) -> list[Row]:
    """The revisions of a deployment, or of all of them, the newest first."""
    server, namespace = kubernetes.server_and_namespace(place.address)
    path = f"{server}/apis/apps/v1/namespaces/{quote(wanted.namespace or namespace, safe='')}/replicasets?limit={ROWS}"
    with _asking(place), web.client(place, timeout_s=ANSWER_S) as client:
        found = _json(client, path)
    rows = [_revision(one) for one in found.get("items") or []]
    meant = [row for row in rows if row.value and (not wanted.owner or row.cells[0] == wanted.owner)]
    return sorted(meant, key=lambda row: (row.cells[0], -int(row.value)))


def _revision(one: Mapping[str, Any]) -> Row:
    meta = one["metadata"]
    number = (meta.get("annotations") or {}).get("deployment.kubernetes.io/revision", "")
    owner = next((each["name"] for each in meta.get("ownerReferences") or []), "")
    images = [each.get("image", "") for each in one["spec"]["template"]["spec"]["containers"]]
    running = (one.get("status") or {}).get("replicas", 0)
    return Row(
        str(number), (owner, ", ".join(images), "runs" if running else "", str(meta.get("creationTimestamp", "")))
    )


# -- PostgreSQL ------------------------------------------------------------------------------------

_RUNNING = """
    SELECT pid::text, coalesce(state, ''),
           coalesce(extract(epoch FROM clock_timestamp() - query_start)::int, 0) || ' s',
           coalesce(usename, ''), coalesce(datname, ''), regexp_replace(left(query, 160), '\\s+', ' ', 'g')
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
    ORDER BY (state = 'idle'), query_start LIMIT %s"""
_DATABASES = """
    SELECT datname,
           CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_size_pretty(pg_database_size(oid)) ELSE '' END,
           pg_get_userbyid(datdba)
    FROM pg_database WHERE NOT datistemplate ORDER BY datname LIMIT %s"""
_ROLES = """
    SELECT rolname, CASE WHEN rolsuper THEN 'superuser' WHEN rolcanlogin THEN 'may sign in' ELSE 'group' END
    FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%%' ORDER BY rolname LIMIT %s"""
_TABLES = """
    SELECT CASE WHEN schemaname = 'public' THEN relname ELSE schemaname || '.' || relname END,
           n_live_tup || ' rows',
           coalesce(to_char(greatest(last_vacuum, last_autovacuum), 'YYYY-MM-DD HH24:MI'), 'never')
    FROM pg_stat_user_tables ORDER BY n_live_tup DESC LIMIT %s"""
_INDEXES = """
    SELECT indexrelname, relname, idx_scan || ' scans'
    FROM pg_stat_user_indexes ORDER BY relname, indexrelname LIMIT %s"""


def _query(text: str) -> Callable[[Place, Wanted], list[Row]]:
    def rows(place: Place, wanted: Wanted) -> list[Row]:
        try:
            where = conninfo(place, 2, "erpops picker", read_only=True)
            with psycopg.connect(make_conninfo(where, connect_timeout=2), autocommit=True) as connection:
                found = connection.execute(text.encode(), [ROWS + 1]).fetchall()
        except CannotStart as error:
            raise NotThere(str(error)) from None
        except psycopg.errors.QueryCanceled:
            raise NotThere("PostgreSQL took longer than 2 s to list them.") from None
        except psycopg.Error as error:
            report = failures.report(error, where="PostgreSQL")
            raise NotThere(f"{report.said} {report.next_step}".strip()) from None
        return [Row(str(row[0]), tuple(str(cell) for cell in row[1:])) for row in found]

    return rows


# -- others ----------------------------------------------------------------------------------------


def _backups(place: Place, wanted: Wanted) -> list[Row]:
    """Files below a folder of this machine whose names look like backups, the newest first."""
    found: list[tuple[float, Row]] = []
    for seen, (folder, name) in enumerate(_files(Path(place.address))):
        if seen >= 5_000:
            break
        if not _BACKUP.search(name):
            continue
        try:
            about = Path(folder, name).stat()
        except OSError:
            continue
        when = datetime.fromtimestamp(about.st_mtime, UTC)
        row = Row(name, (f"{when:%Y-%m-%d %H:%M} UTC", _size(about.st_size), folder))
        found.append((about.st_mtime, row))
    return [row for _, row in sorted(found, key=lambda each: -each[0])]


def _files(top: Path) -> Iterator[tuple[str, str]]:
    if not top.is_dir():
        raise NotThere(f"{top} is no folder of this machine.")
    until = time.monotonic() + ANSWER_S
    for folder, below, names in os.walk(top):
        # Backups lie near the top; a database's own files are no names to pick from.
        if len(Path(folder).relative_to(top).parts) >= 3 or time.monotonic() > until:
            below.clear()
        yield from ((folder, name) for name in names)


def _label_values(label: str) -> Callable[[Place, Wanted], list[Row]]:
    def rows(place: Place, wanted: Wanted) -> list[Row]:
        with _asking(place), web.client(place, timeout_s=ANSWER_S) as client:
            found = _json(client, f"{place.address.rstrip('/')}/api/v1/label/{label}/values?limit={ROWS}")
        return [Row(str(value)) for value in found["data"]]

    return rows


def _indices(place: Place, wanted: Wanted) -> list[Row]:
    path = f"{place.address.rstrip('/')}/_cat/indices?format=json&h=index,health,docs.count,store.size"
    with _asking(place), web.client(place, timeout_s=ANSWER_S) as client:
        found = _json(client, path)
    names = ("health", "docs.count", "store.size")
    return [Row(str(one["index"]), tuple(str(one.get(name) or "") for name in names)) for one in found]


# -- asking ----------------------------------------------------------------------------------------


@contextmanager
def _asking(place: Place) -> Iterator[None]:
    """What goes wrong on the way to `place` becomes a sentence."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        report = failures.report(error, where=place.address)
        raise NotThere(f"{report.said} {report.next_step}".strip()) from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise NotThere(f"{place.address} answers something else than was asked for.") from None


def _json(client: httpx.Client, path: str) -> Any:
    """The answer as JSON, read no further than a list can be long."""
    body = b""
    with client.stream("GET", path) as answer:
        if answer.status_code in {401, 403}:
            raise NotThere(f"The credential may not list them (HTTP {answer.status_code}). {failures.PASSWORD}")
        if answer.status_code >= 400:
            raise NotThere(f"The answer is HTTP {answer.status_code}, so there is no list.")
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > _BODY:
                raise NotThere("The list is longer than 8 MB: type the value.")
    return json.loads(body)


def _size(count: int) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1024 or unit == "GB":
            return f"{count:.0f} {unit}"
        count = count // 1024
    return ""


_Rows = Callable[[Place, Wanted], Iterable[Row]]


def _of(target: TargetKind, label: str, columns: str, rows: _Rows) -> LiveList:
    return LiveList(label, tuple(columns.split(", ")), target, rows)


_DOCKER, _CLUSTER, _SQL = TargetKind.DOCKER, TargetKind.KUBERNETES, TargetKind.POSTGRES
_CORE, _APPS, _BATCH = "api/v1", "apis/apps/v1", "apis/batch/v1"
_ALL_CONTAINERS = f"/containers/json?all=1&limit={ROWS + 1}"
_SESSION = "Process, State, For, User, Database, Query"
_DEPLOYMENT = "Deployment, Ready, Up to date, Available"
LISTS: dict[str, LiveList] = {
    "container": _of(_DOCKER, "containers", "Container, Image, State", _engine(_ALL_CONTAINERS, _containers)),
    "image": _of(_DOCKER, "images", "Image, Size", _engine("/images/json", _images)),
    "volume": _of(_DOCKER, "volumes", "Volume, Driver", _engine("/volumes", _volumes)),
    "network": _of(_DOCKER, "networks", "Network, Driver", _engine("/networks", _networks)),
    "pod": _of(_CLUSTER, "pods", "Pod, Ready, State, Restarts", _objects(_CORE, "pods")),
    "deployment": _of(_CLUSTER, "deployments", _DEPLOYMENT, _objects(_APPS, "deployments")),
    "statefulset": _of(_CLUSTER, "stateful sets", "Stateful set, Ready, Age", _objects(_APPS, "statefulsets")),
    "service": _of(_CLUSTER, "services", "Service, Type, Cluster IP, External IP", _objects(_CORE, "services")),
    "job": _of(_CLUSTER, "jobs", "Job, Completions, Duration, Age", _objects(_BATCH, "jobs")),
    "cronjob": _of(_CLUSTER, "cron jobs", "Cron job, Schedule, Suspended, Active", _objects(_BATCH, "cronjobs")),
    "namespace": _of(_CLUSTER, "namespaces", "Namespace, State, Age", _objects(_CORE, "namespaces", spread=True)),
    "node": _of(_CLUSTER, "nodes", "Node, State, Roles, Age", _objects(_CORE, "nodes", spread=True)),
    "revision": _of(_CLUSTER, "revisions", "Revision, Deployment, Image, Runs, Since", _revisions),
    "session": _of(_SQL, "running queries", _SESSION, _query(_RUNNING)),
    "database": _of(_SQL, "databases", "Database, Size, Owner", _query(_DATABASES)),
    "role": _of(_SQL, "database users", "User, Rights", _query(_ROLES)),
    "table": _of(_SQL, "tables", "Table, Rows, Vacuumed", _query(_TABLES)),
    "db_index": _of(_SQL, "indexes", "Index, Table, Used", _query(_INDEXES)),
    "instance": _of(TargetKind.PROMETHEUS, "watched instances", "Instance", _label_values("instance")),
    "watch_job": _of(TargetKind.PROMETHEUS, "watched jobs", "Job", _label_values("job")),
    "search_index": _of(TargetKind.ELASTIC, "search indices", "Index, Health, Documents, Size", _indices),
    "backup": _of(TargetKind.LOCAL, "backups", "Backup, Written, Size, Folder", _backups),
}
