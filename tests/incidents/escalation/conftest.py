"""A team with a ladder, a real mail server, a real web server that answers as told, and an outbox that ends."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message as Mail
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.contrib.auth.models import Group, User
from pytest_django import Settings

from incidents import lifecycle, notify, outbox, policy
from incidents.models import Contact, ContactMethod, Environment, EscalationPolicy, Incident, Message
from tests.clock import clock

__all__ = ["clock"]


class Mailbox:
    """What the SMTP server accepted, in order; `answer` overrides its reply to DATA."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.answer = ""
        self.delay_s = 0.0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        await asyncio.sleep(self.delay_s)
        if self.answer:
            return self.answer
        self.mails.append(message_from_bytes(envelope.content))
        return f"250 2.0.0 Ok: queued as Q{len(self.mails)}"

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.mails if mail["To"] == address]


class _AnyPort(Controller):
    """A controller whose port the system chose."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    box = Mailbox()
    controller = _AnyPort(box, hostname="127.0.0.1", port=0)
    controller.start()
    port = controller.port
    settings.EMAIL_URL = f"smtp://127.0.0.1:{port}"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    yield box
    controller.stop(no_assert=True)


@dataclass
class Receiver:
    """A web server: each path answers with `answers[path]` (status, headers, body), after `delay_s`."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)

    def got(self, path: str) -> list[tuple[dict[str, str], bytes]]:
        return [(headers, body) for where, headers, body in self.requests if where == path]


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.EGRESS_ALLOW = ["127.0.0.1/32"]
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            state.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            time.sleep(state.delays.get(self.path, 0))
            if self.path in state.cut:
                self.connection.close()
                return
            status, headers, answer = state.answers.get(self.path, (200, {}, b"ok"))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: Any) -> None:
            return

        def handle_error(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *args: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()


@dataclass
class Team:
    admin: User
    operator: User
    environment: Environment
    policy: EscalationPolicy
    first: Contact
    second: Contact

    def open(self, severity: str = "SEV1", title: str = "PostgreSQL is down") -> Incident:
        incident = lifecycle.open_incident(
            title=title, severity=severity, environment=self.environment, by=self.operator
        )
        return Incident.objects.get(pk=incident.pk)

    def rule(self, levels: list[list[Contact]], severity: str = "SEV1", respond: int = 5, escalate: int = 30) -> None:
        """Set a row of the matrix; durations in minutes."""
        self.policy.refresh_from_db()
        values: policy.RuleValues = {
            "meaning": "",
            "respond_within_s": respond * 60,
            "escalate_after_s": escalate * 60,
            "levels": [[contact.pk for contact in level] for level in levels],
        }
        policy.save_rule(
            policy=self.policy,
            severity=severity,
            values=values,
            seen_version=self.policy.version,
            by=self.admin,
        )

    def contact(self, name: str, channel: str = "email", address: str = "") -> Contact:
        contact = policy.save_contact(contact=None, name=name, role="", user=None, by=self.admin)
        self.method(contact, channel, address or f"{name.lower()}@example.org")
        return contact

    def method(self, contact: Contact, channel: str, address: str) -> ContactMethod:
        return policy.add_method(contact=contact, channel=channel, address=address, by=self.admin)


@pytest.fixture
def team(transactional_db: Any) -> Team:
    """Anna is level 1 and Bert level 2 of SEV1: respond within 5 min, escalate after 30 min."""
    people = {}
    for role in ("admin", "operator", "lead"):
        people[role] = User.objects.create_user(role, email=f"{role}@example.org")
        people[role].groups.add(Group.objects.get_or_create(name=role)[0])
    environment = Environment.objects.create(name="production", label="Production", is_production=True)
    default = EscalationPolicy.objects.create(name="Default", is_default=True)
    made = Team(people["admin"], people["operator"], environment, default, Contact(), Contact())
    made.first, made.second = made.contact("Anna"), made.contact("Bert")
    made.rule([[made.first], [made.second]])
    return made


@pytest.fixture
def deliver() -> Iterator[Callable[[], None]]:
    """Run the outbox until everything that is due has been attempted."""

    def run() -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            outbox.tick()
            # One statement: a message moves from due to sending between two.
            if not (Message.objects.filter(status="sending") | notify.due().order_by()).exists():
                return
            time.sleep(0.02)
        raise AssertionError("the outbox did not come to rest")

    yield run
    assert outbox.stop(15)
    outbox.resume()
