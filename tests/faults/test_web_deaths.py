"""The web process dies in the middle of what somebody asked for, and they ask again: it is done once.

Each death is that of a real web process (the server, the doors, the views), forked from this one so that it is ready
at once. The client sees its connection break, and sends the same again to the next one.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import httpx
import pytest
import uvicorn
from django.contrib.auth.models import User
from django.middleware.csrf import CSRF_SECRET_LENGTH
from django.test import Client
from django.urls import reverse
from django.utils.crypto import get_random_string

from erpops import beats, wire
from erpops.embedded.launch import free_port, port_is_free
from erpops.models import AuditEntry
from incidents import lifecycle, sources
from incidents.models import Alert, Environment, Incident, TimelineEvent
from runbooks import addresses, approvals, gate
from runbooks.choices import ApprovalState
from runbooks.models import Approval, CommandRun
from tests.faults.deeds import DEEDS
from tests.faults.standins import deliver, in_child, wait_ended, walk_of_deeds
from tests.faults.world import World
from tests.runbooks.builders import Walk, command, person, walk
from tests.runbooks.running import until

pytestmark = pytest.mark.django_db(transaction=True)

# Deaths at each place that `make test-full` makes.
SOME, FULL = 3, 200


class Web:
    """One web process; `armed` is the failpoint at which it dies."""

    def __init__(self, armed: str = "") -> None:
        self.port = free_port()
        self.pid = in_child(partial(_serve, self.port), armed=armed)
        until(lambda: not port_is_free(self.port), 20)

    def end(self) -> None:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def _serve(port: int) -> None:
    config = uvicorn.Config(
        "erpops.asgi:application", http=wire.Protocol, host="127.0.0.1", port=port, log_config=None, access_log=False
    )
    asyncio.run(uvicorn.Server(config).serve())


@pytest.fixture
def survivor(transactional_db: None) -> Iterator[Web]:
    """The web process that takes over from each that dies."""
    web = Web()
    yield web
    web.end()


@dataclass
class Asker:
    """Somebody with a browser, or a sender with a token, who sends one request until it is answered."""

    path: str
    data: dict[str, str] = field(default_factory=dict)
    json: dict[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)

    @classmethod
    def signed_in(cls, user: User, path: str, **data: str) -> "Asker":
        client = Client()
        client.force_login(user)
        secret = get_random_string(CSRF_SECRET_LENGTH)
        cookies = {name: str(morsel.value) for name, morsel in client.cookies.items()} | {"csrftoken": secret}
        return cls(path, data, headers={"X-CSRFToken": secret}, cookies=cookies)

    def send(self, web: Web) -> int | None:
        """The status of the answer; None if the connection broke instead."""
        with httpx.Client(trust_env=False, cookies=self.cookies, timeout=20) as client:
            try:
                answer = client.post(
                    f"http://127.0.0.1:{web.port}{self.path}",
                    data=None if self.json else self.data,
                    json=self.json,
                    headers=self.headers,
                )
            except httpx.TransportError:
                return None
        assert answer.status_code < 400, answer.text[:2000]
        return answer.status_code


class Deliveries:
    """Alerts, each with a key of its own."""

    points = ("delivery.before_commit", "delivery.committed")

    def __init__(self, world: World, times: int) -> None:
        self.world = world
        environment = Environment.objects.create(name="prod", label="Production")
        _, token = sources.create(name="Monitoring", kind="generic", environment=environment)
        self.headers = {"Authorization": f"Bearer {token}"}

    def asker(self, number: int) -> Asker:
        name = f"alert-{number}"
        body = {"name": name, "severity": "high", "key": name, "group": name, "summary": name}
        return Asker("/hooks/generic", json=body, headers=self.headers)

    def between(self, number: int) -> None:
        """Nothing else happens before it is sent again."""

    def require_once(self, number: int) -> None:
        name = f"alert-{number}"
        self.world.acknowledged.append(name)
        incident = Incident.objects.get(title=name)
        assert Alert.objects.filter(name=name, incident=incident).count() == 1
        assert incident.events.filter(kind="incident.opened").count() == 1


class Runs:
    """Clicks on Run. What was committed is carried out to its end before the click is sent again."""

    points = ("run.before_commit", "act.committed")

    def __init__(self, world: World, times: int) -> None:
        self.world = world
        self.place: Walk = walk_of_deeds(world, "", [DEEDS["script"]] * times)

    def asker(self, number: int) -> Asker:
        beats.beat(role="worker", queues=["env.self"])
        path = addresses.of_walk(self.place.execution, "command_run", position=0, command=number)
        return Asker.signed_in(self.place.user, path, attempt="1")

    def between(self, number: int) -> None:
        for run in CommandRun.objects.filter(command=number):
            self.world.promise(run.pk, self.world.token(), 3)
            assert wait_ended([deliver(run)]) == [0]

    def require_once(self, number: int) -> None:
        run = CommandRun.objects.get(command=number)
        if run.status == "queued":
            self.between(number)
        assert self.world.effects()[run.pk] == 1
        asked = AuditEntry.objects.filter(action="command.requested", details__run=run.pk)
        assert asked.count() == 1


class Acknowledgements:
    """Clicks on Acknowledge."""

    points = ("acknowledge.before_commit", "act.committed")

    def __init__(self, world: World, times: int) -> None:
        self.environment = Environment.objects.create(name="prod", label="Production")
        self.user = person("op", "operator")
        self.incident: Incident | None = None

    def asker(self, number: int) -> Asker:
        self.incident = lifecycle.open_incident(title=f"I {number}", severity="SEV2", environment=self.environment)
        return Asker.signed_in(self.user, reverse("acknowledge", args=[self.incident.pk]))

    def between(self, number: int) -> None:
        """Nothing else happens before it is sent again."""

    def require_once(self, number: int) -> None:
        assert self.incident is not None
        self.incident.refresh_from_db()
        assert self.incident.acknowledged_by == self.user
        assert self.incident.events.filter(kind="incident.acknowledged").count() == 1
        audited = AuditEntry.objects.filter(action="incident.acknowledge", target=f"incident:{self.incident.pk}")
        assert audited.count() == 1


class Approvals:
    """Another lead's yes to what destroys."""

    points = ("approval.before_commit", "act.committed")

    def __init__(self, world: World, times: int) -> None:
        self.lead = person("lena", "lead")
        self.approval: Approval | None = None

    def asker(self, number: int) -> Asker:
        name = f"api-{number}"
        place = walk(command(f"docker rm -f {name}", "destroy"), production=True)
        given = gate.Confirmation(yes=True, reason="it is beyond repair", target=name)
        self.approval = approvals.ask(step_run=place.step(), command=0, by=place.user, given=given)
        path = reverse("approval_answer", args=[self.approval.pk])
        return Asker.signed_in(self.lead, path, verdict="approve", target=name)

    def between(self, number: int) -> None:
        """Nothing else happens before it is sent again."""

    def require_once(self, number: int) -> None:
        assert self.approval is not None
        self.approval.refresh_from_db()
        assert (self.approval.status, self.approval.decided_by) == (ApprovalState.APPROVED, self.lead)
        incident = self.approval.step_run.execution.incident
        assert TimelineEvent.objects.filter(incident=incident, kind="approval.approved").count() == 1


Kind = Callable[[World, int], Deliveries | Runs | Acknowledgements | Approvals]
KINDS: dict[str, Kind] = {"webhook": Deliveries, "run": Runs, "acknowledge": Acknowledgements, "approve": Approvals}
PLACES = [(name, point) for name, kind in KINDS.items() for point in kind.points]  # type: ignore[attr-defined]


@pytest.mark.parametrize("times", [SOME, pytest.param(FULL, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
@pytest.mark.parametrize(("name", "point"), PLACES)
def test_what_is_asked_again_after_a_death_is_done_once(
    name: str, point: str, times: int, world: World, survivor: Web
) -> None:
    kind = KINDS[name](world, times)
    for number in range(times):
        asker = kind.asker(number)
        dying = Web(f"{point}:1")
        assert asker.send(dying) is None, "it answered"
        assert wait_ended([dying.pid]) == [-signal.SIGKILL]
        kind.between(number)
        assert asker.send(survivor) is not None
        assert asker.send(survivor) is not None, "once more, as a second click"
        kind.require_once(number)
