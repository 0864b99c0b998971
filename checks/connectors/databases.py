"""PostgreSQL and Redis or Valkey."""

from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import redis
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from checks.choices import TargetKind
from checks.connectors import addresses, failures
from checks.connectors.kind import Connector, Handed, Report, connectors
from checks.probes.kind import Place

_PG_VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE", "sslmode": "PGSSLMODE"}


def _test_postgres(place: Place, timeout_s: float) -> Report:
    where = urlsplit(place.address).netloc.rpartition("@")[2] or place.address
    limits: dict[str, Any] = {"connect_timeout": max(2, int(timeout_s)), "application_name": "erpops-test"}
    if place.credential:
        limits["password"] = place.credential
    try:
        with psycopg.connect(make_conninfo(place.address, **limits), autocommit=True) as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'), current_user, current_database(),"
                " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
            ).fetchone()
    except psycopg.ProgrammingError:
        return Report(False, "The address is no PostgreSQL address.", "Write postgresql://user@host:5432/database.")
    except psycopg.OperationalError as error:
        return _refused_by_postgres(error, where)
    assert row is not None
    rights = " It is a superuser: a role that only reads is enough for most runbooks." if row[3] else ""
    return Report(True, f"PostgreSQL {row[0].split()[0]} answers: {row[1]} in the database {row[2]}.{rights}")


def _refused_by_postgres(error: psycopg.OperationalError, where: str) -> Report:
    text = str(error)
    if "password authentication failed" in text or "no password supplied" in text:
        return Report(False, f"PostgreSQL on {where} refuses the password.", failures.PASSWORD)
    if "does not exist" in text:
        said = text.rpartition("FATAL:")[2].strip().splitlines()[0]
        return Report(False, f"PostgreSQL on {where} says: {said}.", "Correct the user or the database in the address.")
    if "pg_hba.conf" in text:
        return Report(
            False, f"PostgreSQL on {where} lets nobody in from this machine.", "Add a line for it to pg_hba.conf."
        )
    return failures.report(error, where=where)


def _hand_over_postgres(name: str, place: Place, first: bool) -> Handed:
    values = {f"{name.upper().replace('-', '_')}_URL": place.address}
    try:
        parts = conninfo_to_dict(place.address)
    except psycopg.ProgrammingError:
        return Handed()
    if first:
        values |= {"DATABASE_URL": place.address}
        values |= {variable: str(parts[key]) for key, variable in _PG_VARIABLES.items() if parts.get(key)}
    if not place.credential:
        return Handed(values)
    keys = ("host", "port", "dbname", "user")
    line = ":".join([*(_pgpass(parts.get(key)) for key in keys), _pgpass(place.credential)])
    return Handed(values, {"password": place.credential}, {".pgpass": f"{line}\n"}, {"PGPASSFILE": ".pgpass"})


def _pgpass(value: Any) -> str:
    return str(value).replace("\\", "\\\\").replace(":", "\\:") if value else "*"


def _test_redis(place: Place, timeout_s: float) -> Report:
    where = urlsplit(place.address).netloc.rpartition("@")[2]
    extra: dict[str, Any] = {"password": place.credential} if place.credential else {}
    try:
        with redis.Redis.from_url(
            place.address, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, **extra
        ) as client:
            info: Any = client.info("server")
    except ValueError:
        return Report(False, "The address is no Redis address.", "Write redis://host:6379/0.")
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
        return Report(False, f"{where} refuses the password.", failures.PASSWORD)
    except redis.ResponseError as error:
        return Report(False, f"{where} says: {error}.", "Check the user and the database number in the address.")
    except redis.RedisError as error:
        return failures.report(error, where=where)
    what = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    return Report(True, f"{what} {info.get('valkey_version') or info['redis_version']} answers.")


def _hand_over_redis(name: str, place: Place, first: bool) -> Handed:
    values = {f"{name.upper().replace('-', '_')}_URL": place.address}
    if first:
        values["REDIS_URL"] = place.address
        parts = urlsplit(place.address)
        values |= {"REDIS_HOST": parts.hostname or "", "REDIS_PORT": str(parts.port or 6379)}
    if not place.credential:
        return Handed(values)
    # redis-cli reads no file: this is the way that keeps the password out of the process list.
    secret = {"REDISCLI_AUTH": unquote(place.credential)} if first else {}
    return Handed(values | secret, {"password": place.credential})


connectors.add(
    TargetKind.POSTGRES,
    Connector(
        address="postgresql://user@host:5432/database",
        credential="The password of that user.",
        trust="",
        clean=addresses.url({"postgres", "postgresql"}, "Write it as postgresql://user@host:5432/database."),
        test=_test_postgres,
        hand_over=_hand_over_postgres,
    ),
)
connectors.add(
    TargetKind.REDIS,
    Connector(
        address="redis://host:6379/0, or rediss:// with TLS",
        credential="The password, if the server asks for one.",
        trust="",
        clean=addresses.url({"redis", "rediss", "valkey"}, "Write it as redis://host:6379/0.", valkey="redis"),
        test=_test_redis,
        hand_over=_hand_over_redis,
    ),
)
