"""Fixtures that compile a text, a fence or one command."""

import pytest

from runbooks.compiler.contract import Runbook
from tests.runbooks.compiler.fragments import (
    Commands,
    Compile,
    OneCommand,
    OneRunbook,
    OneStep,
    command_of,
    commands_of,
    document_of,
    step_of,
)


@pytest.fixture
def compiled() -> Compile:
    return document_of


@pytest.fixture
def runbook() -> OneRunbook:
    def build(text: str) -> Runbook:
        (only,) = document_of(text)["runbooks"]
        return only

    return build


@pytest.fixture
def step() -> OneStep:
    return step_of


@pytest.fixture
def commands() -> Commands:
    return commands_of


@pytest.fixture
def command() -> OneCommand:
    return command_of
