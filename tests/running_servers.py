"""Real PostgreSQL and Valkey for one test run, there before Django reads its settings.

Loaded with `-p` from the pytest configuration. The servers live in a fresh directory, forget nothing a
test can see but skip fsync, and end with the run, even when it is killed. Where tests run in several processes
(`pytest -n 2`), each has servers of its own and the process that hands out the tests has none. To use servers of
your own, in one process, set ERPOPS_TEST_DATABASE_URL (a role that may create databases) and
ERPOPS_TEST_REDIS_URL (it is flushed).
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from erpops.embedded.errors import EmbeddedError
from erpops.embedded.postgres import Postgres
from erpops.embedded.valkey import Valkey

_BYTECODE = Path(__file__).resolve().parent.parent / ".cache" / "bytecode"
_servers: list[Postgres | Valkey] = []
_directory: Path | None = None


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    _keep_bytecode()
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


def _keep_bytecode() -> None:
    """Where Python is told to write none beside the sources, each of the many processes of a run would compile all of
    them for itself, for more than a second: they share what the first one compiled.
    """
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode = False
        sys.pycache_prefix = str(_BYTECODE)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix


def _leave_to_workers() -> None:
    """Workers pass over the configured `-p`, and load what this variable names before Django's settings."""
    global _directory
    # For what one of them makes for all.
    _directory = Path(tempfile.mkdtemp(prefix="erpops-tests-"))
    os.environ.update(PYTEST_PLUGINS=__name__, ERPOPS_TEST_SHARED=str(_directory))
    os.environ.update(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", REDIS_URL="redis://127.0.0.1:1/0")


def _start() -> None:
    global _directory
    _directory = Path(tempfile.mkdtemp(prefix="erpops-tests-"))
    os.environ.setdefault("ERPOPS_TEST_SHARED", str(_directory))
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
