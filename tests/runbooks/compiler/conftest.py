"""Short ways to compile a text, a fence or one command."""

from collections.abc import Callable
from textwrap import dedent, indent

import pytest

from runbooks.compiler import compile_text
from runbooks.compiler.contract import Command, Document, Runbook, Step
from runbooks.compiler.findings import all_commands

Compile = Callable[[str], Document]


def document_of(text: str) -> Document:
    return compile_text(dedent(text).lstrip("\n"), path="page.md")


def step_of(body: str, tag: str = "bash") -> Step:
    """The one step of a runbook whose only fence holds ``body``."""
    fence = indent(f"```{tag}\n{body}\n```", "   ")
    document = compile_text(f"# Alarm\n\n## Diagnosis\n\n1. **Look**\n{fence}\n", path="page.md")
    return document["runbooks"][0]["phases"][0]["steps"][0]


def commands_of(body: str, tag: str = "bash") -> list[Command]:
    return step_of(body, tag)["commands"]


def command_of(body: str, tag: str = "bash") -> Command:
    (command,) = commands_of(body, tag)
    return command


@pytest.fixture
def compiled() -> Compile:
    return document_of


@pytest.fixture
def runbook() -> Callable[[str], Runbook]:
    def build(text: str) -> Runbook:
        (only,) = document_of(text)["runbooks"]
        return only

    return build


@pytest.fixture
def step() -> Callable[..., Step]:
    return step_of


@pytest.fixture
def commands() -> Callable[..., list[Command]]:
    return commands_of


@pytest.fixture
def command() -> Callable[..., Command]:
    return command_of


@pytest.fixture
def texts_of() -> Callable[[Document], list[str]]:
    return lambda document: [c["text"] for c in all_commands(document)]
