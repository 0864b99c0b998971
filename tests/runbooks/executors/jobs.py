"""Jobs for executors, carried out in this process: what they print is the test's to capture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from checks.probes import Place
from runbooks.executors import Job, executors
from runbooks.parameters import bind
from tests.runbooks.builders import command


def job(
    text: str,
    kind: str,
    *,
    risk: str = "read",
    place: Mapping[str, Place] | None = None,
    values: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: int = 30,
) -> Job:
    """What a worker hands to an executor for a command of the text; each of `values` is a `<parameter>` in it."""
    given = values or {}
    bound = bind(command(text, kind=kind, parameters=[{"name": name} for name in given]), given)  # type: ignore[arg-type]
    home = Path("/nowhere/4711/work")
    return Job(bound.script, {**(env or {}), **bound.env}, bound.env, risk, place or {}, home, timeout_s)


def carried_out(text: str, kind: str, **given: Any) -> int:
    """The exit status of the call."""
    launch = executors[kind](job(text, kind, **given))
    assert launch.call is not None
    return launch.call()
