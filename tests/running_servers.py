"""Real PostgreSQL and Valkey for one test run, there before Django reads its settings.

Loaded with `-p` from the pytest configuration. The servers live in a fresh directory, forget nothing a
test can see but skip fsync, and end with the run, even when it is killed. Where tests run in several processes
(`pytest -n 2`), each has servers of its own and the process that hands out the tests has none. To use servers of
your own, in one process, set ERPOPS_TEST_DATABASE_URL (a role that may create databases) and
ERPOPS_TEST_REDIS_URL (it is flushed).
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from erpops.embedded.errors import EmbeddedError
from erpops.embedded.postgres import Postgres
from erpops.embedded.valkey import Valkey

_servers: list[Postgres | Valkey] = []
_directory: Path | None = None


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    if early_config.known_args_namespace.numprocesses and "PYTEST_XDIST_WORKER" not in os.environ:
        _leave_to_workers()
        return (yield)
    try:
        _start()
    except EmbeddedError as error:
        _stop()
        raise pytest.UsageError(str(error)) from error
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    _stop()


def _leave_to_workers() -> None:
    """Workers pass over the configured `-p`, and load what this variable names before Django's settings."""
    os.environ["PYTEST_PLUGINS"] = __name__
    os.environ.update(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", REDIS_URL="redis://127.0.0.1:1/0")


def _start() -> None:
    global _directory
    _directory = Path(tempfile.mkdtemp(prefix="erpops-tests-"))
    os.environ.update(
        ERPOPS_DATA=str(_directory / "data"),
        DATABASE_URL=os.environ.get("ERPOPS_TEST_DATABASE_URL") or _postgres(_directory),
        REDIS_URL=os.environ.get("ERPOPS_TEST_REDIS_URL") or _valkey(_directory),
    )


def _postgres(directory: Path) -> str:
    server = Postgres(directory, durable=False, die_with_parent=True)
    _servers.append(server)
    server.start()
    # Faults that only a superuser can cause (ALTER SYSTEM, ending any session) are injected through this.
    os.environ["ERPOPS_TEST_ADMIN_URL"] = server.admin_url
    return server.url


def _valkey(directory: Path) -> str:
    server = Valkey(directory, durable=False, die_with_parent=True)
    _servers.append(server)
    server.start()
    return server.url


def _stop() -> None:
    while _servers:
        _servers.pop().stop(hurry=True)
    if _directory is not None:
        shutil.rmtree(_directory, ignore_errors=True)
