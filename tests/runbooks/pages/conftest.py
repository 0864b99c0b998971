"""People, a runbook with every kind of step, and an incident to walk it in."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from erpops import access, beats, clock
from incidents import lifecycle
from incidents.models import Environment, Incident
from runbooks import addresses, executions
from runbooks.models import CommandRun, Execution, Match, Runbook, StepRun, Version


def command(text: str, risk: str = "read", **more: Any) -> dict[str, Any]:
    """A compiled command."""
    base: dict[str, Any] = {
        "line": 1,
        "end_line": 1,
        "kind": "shell",
        "text": text,
        "label": None,
        "programs": [text.split(maxsplit=1)[0]],
        "risk": risk,
        "flags": [],
        "parameters": [],
        "expected": [],
        "shares_shell_with": [],
        "notes": [],
        "why": [],
    }
    return base | more


def step(title: str, *commands: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A compiled step."""
    base: dict[str, Any] = {
        "number": "1",
        "title": title,
        "line": 1,
        "time_box_s": None,
        "condition": None,
        "optional": False,
        "manual": not commands,
        "option_group": None,
        "links": [],
        "prose": [],
        "commands": list(commands),
        "blocks": [],
    }
    return base | more


def phase(name: str, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A compiled phase."""
    base = {"phase": name, "heading": name.capitalize(), "line": 1, "time_box_s": None, "items": [], "prose": []}
    return base | {"steps": list(steps)} | more


def compiled(
    *phases: dict[str, Any], title: str = "Disk is full", alerts: tuple[str, ...] = ("DiskFull",)
) -> dict[str, Any]:
    """A compiled runbook."""
    return {
        "title": title,
        "line": 1,
        "kind": "incident",
        "category": None,
        "alerts": list(alerts),
        "severity": ["critical"],
        "response_time_s": None,
        "thresholds": [],
        "schedule": None,
        "symptoms": [],
        "phases": list(phases),
        "prose": [],
        "evidence": [],
    }


PID = {"name": "pid", "notation": "angle", "type": "pid", "line": 1}
DISK = compiled(
    phase(
        "diagnosis",
        step(
            "Look at the **disks**",
            command("df -h", expected=[{"text": "below 90 %", "line": 2, "assertion": None}], label="Usage"),
            command("du -sh /var", label="Who uses it"),
            prose=[{"line": 1, "text": "Which one is *full*? <script>alert(1)</script>"}],
        ),
        step("Find the writer", command("ps -p <pid> -o args", parameters=[PID])),
        time_box_s=300,
    ),
    phase(
        "resolution",
        step("If logs fill it", command("sync", risk="change"), condition="If logs fill it"),
        step("Restart the writer", command("systemctl restart writer", risk="disrupt")),
        step("Throw the old data away", command("rm -rf /var/old", risk="destroy")),
        step("Ask the owner", prose=[{"line": 9, "text": "Call the data team."}]),
        step("Look into it", command("htop", risk="blocked"), command("SELECT 1", kind="sql")),
    ),
    phase(
        "verification",
        items=[
            {"line": 20, "text": "Usage is below 80 %", "checkbox": True},
            {"line": 21, "text": "Writes work", "checkbox": True},
        ],
    ),
)


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """Make an account with roles."""

    def make(name: str, *roles: str) -> User:
        user = User.objects.create_user(name)
        user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
        return user

    return make


@pytest.fixture
def operator(person: Callable[..., User]) -> User:
    return person("olga", access.OPERATOR)


@pytest.fixture
def lead(person: Callable[..., User]) -> User:
    return person("lena", access.LEAD)


@pytest.fixture
def admin(person: Callable[..., User]) -> User:
    return person("ada", access.ADMIN)


@pytest.fixture
def signed_in() -> Callable[[User], Client]:
    """A browser of a person."""

    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def browser(operator: User, signed_in: Callable[[User], Client]) -> Client:
    """The operator's browser."""
    return signed_in(operator)


@pytest.fixture
def production(db: None) -> Environment:
    """A production environment that a worker serves."""
    environment = Environment.objects.create(name="production", label="Production", is_production=True)
    beats.beat(role="worker", queues=["env.production"])
    return environment


@pytest.fixture
def incident(production: Environment) -> Incident:
    return lifecycle.open_incident(title="Disk full on db-1", severity="SEV2", environment=production)


def shelve(document: dict[str, Any], *, slug: str = "disk-is-full") -> Runbook:
    """A published runbook of `document`, without going through the compiler."""
    now = clock.now()
    runbook, _ = Runbook.objects.get_or_create(
        slug=slug,
        defaults={
            "title": document["title"],
            "kind": document["kind"],
            "alerts": document["alerts"],
            "origin": f"test:{slug}",
            "created_at": now,
        },
    )
    number = runbook.versions.count() + 1
    runbook.versions.filter(state="published").update(state="superseded")
    runbook.current = Version.objects.create(
        runbook=runbook,
        number=number,
        text=f"# {document['title']}\n\nfree space runs out\n",
        sha256=f"{number:064d}",
        compiled=document,
        state="published",
        created_at=now,
    )
    runbook.save(update_fields=["current"])
    return runbook


@pytest.fixture
def runbook(db: None) -> Runbook:
    return shelve(DISK)


@pytest.fixture
def match(runbook: Runbook, incident: Incident) -> Match:
    return Match.objects.create(
        incident=incident,
        runbook=runbook,
        rank="exact",
        reasons=["Alert name equals DiskFull"],
        score=90,
        at=clock.now(),
    )


@pytest.fixture
def execution(runbook: Runbook, incident: Incident, operator: User) -> Execution:
    """The operator holds the baton."""
    return executions.start(runbook=runbook, incident=incident, environment=incident.environment, by=operator)


def at(execution: Execution, position: int, name: str = "walk_step", command: int | None = None) -> str:
    """The address of an act on a step, or on a command of it."""
    where = {"position": position} if command is None else {"position": position, "command": command}
    return addresses.of_walk(execution, name, **where)


def status(execution: Execution, position: int) -> str:
    """Of a step."""
    return StepRun.objects.get(execution=execution, position=position).status


def ended(execution: Execution, position: int, how: str, command: int = 0) -> CommandRun:
    """An attempt that a worker has finished."""
    step_run = StepRun.objects.get(execution=execution, position=position)
    now = clock.now()
    attempt = 1 + step_run.runs.filter(command=command).count()
    run = CommandRun.objects.create(
        step_run=step_run, command=command, attempt=attempt, kind="shell", text="df -h", script="df -h", risk="read",
        digest="d", queue="env.production", status=how, requested_by=execution.started_by, queued_at=now,
        started_at=now, ended_at=now, exit_code=0 if how == "succeeded" else 1, host="db-1",
    )  # fmt: skip
    executions.follow_runs(step_run=step_run)
    return run


HTMX = {"HX-Request": "true"}
