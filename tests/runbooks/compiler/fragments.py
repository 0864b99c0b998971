"""Short ways to compile a text, a fence or one command, and the types of the fixtures that do it."""

from collections.abc import Callable
from textwrap import dedent, indent

from runbooks.compiler import compile_text
from runbooks.compiler.contract import Command, Document, Runbook, Step

Compile = Callable[[str], Document]
OneRunbook = Callable[[str], Runbook]
OneStep = Callable[..., Step]
Commands = Callable[..., list[Command]]
OneCommand = Callable[..., Command]


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
