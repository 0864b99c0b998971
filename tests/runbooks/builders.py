"""Runbooks, people and incidents for tests, made through the functions that make them in earnest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, User

from erpops import beats
from incidents import lifecycle
from incidents.models import Environment, Incident
from runbooks import executions, library
from runbooks.models import CommandRun, Execution, Runbook, StepRun


def command(
    text: str, risk: str = "read", *, parameters: Sequence[dict[str, Any]] = (), **other: Any
) -> dict[str, Any]:
    """A compiled shell command."""
    given = [{"notation": "angle", "type": "text", "line": 1, **parameter} for parameter in parameters]
    base: dict[str, Any] = {"line": 1, "end_line": 1, "kind": "shell", "text": text, "label": None, "programs": []}
    rest: dict[str, Any] = {"flags": [], "expected": [], "shares_shell_with": [], "notes": [], "why": []}
    return {**base, **rest, "risk": risk, "parameters": given, **other}


def step(title: str, *commands: dict[str, Any], **other: Any) -> dict[str, Any]:
    """A compiled step."""
    base: dict[str, Any] = {"number": "1", "title": title, "line": 1, "time_box_s": None, "condition": None}
    rest: dict[str, Any] = {"optional": False, "option_group": None, "links": [], "prose": [], "blocks": []}
    return {**base, **rest, "manual": not commands, "commands": list(commands), **other}


def phase(name: str, *steps: dict[str, Any], items: Sequence[str] = ()) -> dict[str, Any]:
    """A compiled phase; without steps its items make it a checklist."""
    listed = [{"line": 1, "text": text, "checkbox": True} for text in items]
    base: dict[str, Any] = {"phase": name, "heading": name.capitalize(), "line": 1, "time_box_s": None, "prose": []}
    return {**base, "items": listed, "steps": list(steps)}


def compiled(title: str, *phases: dict[str, Any], alerts: Sequence[str] = ()) -> dict[str, Any]:
    """A compiled runbook."""
    base: dict[str, Any] = {"title": title, "line": 1, "kind": "incident", "category": None, "severity": []}
    rest: dict[str, Any] = {"response_time_s": None, "thresholds": [], "schedule": None, "symptoms": [], "prose": []}
    return {**base, **rest, "alerts": list(alerts), "phases": list(phases), "evidence": []}


def publish(*runbooks: dict[str, Any], path: str = "test.md", text: str = "") -> list[Runbook]:
    """Put compiled runbooks into the library, published."""
    document = {"path": path, "runbooks": list(runbooks), "checklists": [], "findings": []}
    text = text or repr(runbooks)
    report = library.import_documents(compiled=[document], texts={path: text}, by=None, publish_them=True)
    return [version.runbook for version in report.versions]


def person(name: str, *roles: str) -> User:
    """An active account with roles."""
    user = User.objects.create_user(name)
    user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
    return user


@dataclass
class Walk:
    """An execution under way, and short words for what is done with it."""

    execution: Execution
    user: User
    incident: Incident

    def step(self, position: int = 0) -> StepRun:
        return self.execution.steps.select_related("execution").get(position=position)

    def statuses(self) -> list[str]:
        return list(self.execution.steps.order_by("position").values_list("status", flat=True))

    def events(self) -> list[str]:
        return list(self.incident.events.values_list("kind", flat=True))


def walk(*commands: dict[str, Any], production: bool = False, worker: bool = True) -> Walk:
    """A walk of a runbook whose first step has `commands`, in the environment `test`."""
    return walk_of(compiled("Test", phase("diagnosis", step("Look", *commands))), production=production, worker=worker)


def walk_of(runbook: dict[str, Any], *, production: bool = False, worker: bool = True) -> Walk:
    """A walk of a compiled runbook, by a new operator, for a new incident."""
    place, _ = Environment.objects.get_or_create(name="test", defaults={"label": "Test", "is_production": production})
    user = User.objects.filter(username="op").first() or person("op", "operator")
    incident = lifecycle.open_incident(title="Something broke", severity="SEV2", environment=place, by=user)
    [shelved] = publish(runbook)
    if worker:
        beats.beat(role="worker", queues=["env.test"])
    execution = executions.start(runbook=shelved, incident=incident, environment=place, by=user)
    return Walk(execution, user, incident)


def effect(file: Path, rest: str = "") -> str:
    """A command that leaves one durable line per real execution, then does `rest`."""
    return f"echo ran >> {file}; sync {file}; {rest or 'true'}"


def effects(file: Path) -> int:
    """How often such a command was really executed."""
    return file.read_text().count("ran") if file.exists() else 0


def output_of(run: CommandRun) -> bytes:
    """The stored bytes of an attempt."""
    return b"".join(bytes(chunk.data) for chunk in run.chunks.order_by("seq"))
