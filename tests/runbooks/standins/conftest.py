"""What the tests of the stand-ins share."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from runbooks.standins import start
from tests.runbooks.standins.calling import Call, Said, Standins
from tests.runbooks.standins.engines import Engine, engine


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """A real engine, shared by all tests: each file has containers of its own."""
    with engine() as running:
        yield running


@pytest.fixture
def here(
    docker_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """A stand-in of docker called in this process, which is ten times as fast as a process of its own."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine.url)
    monkeypatch.setenv("HOME", str(tmp_path))
    return partial(_called, capfd)


def _called(capfd: pytest.CaptureFixture[str], name: str, *words: str) -> Said:
    capfd.readouterr()
    status = start.carry_out(name, list(words))
    printed, said = capfd.readouterr()
    return status, printed.replace("\r\n", "\n"), said


@pytest.fixture
def standins(docker_engine: Engine, tmp_path: Path) -> Standins:
    """The stand-ins of docker, pointed at the engine."""
    return Standins(tmp_path, {"DOCKER_HOST": docker_engine.url})
