"""The console's own checks, and checks made to measure."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from checks.models import Check, Target
from checks.probes import Measurement
from checks.targets import Outcome
from erpops import access
from incidents import bootstrap, sources
from incidents.models import Environment, Service


@pytest.fixture
def places(db: None) -> Environment:
    """An environment with a service, and the source that checks report through."""
    environment = Environment.objects.create(name=bootstrap.SELF, label="erpops itself")
    Service.objects.create(name="database", label="PostgreSQL", public_name="Records")
    sources.create(name="Checks", kind="checks", environment=environment)
    return environment


MakeCheck = Callable[..., Check]


@pytest.fixture
def make_check(places: Environment) -> MakeCheck:
    """A check of a target of its own; pass what differs."""

    def make(name: str = "connections", *, address: str = "", kind: str = "tcp", **values: Any) -> Check:
        target = Target.objects.create(
            name=f"of-{name}",
            label="A target",
            kind=kind,
            environment=places,
            service=Service.objects.get(name="database"),
            address=address or "127.0.0.1:1",
        )
        given = {
            "label": "Connections in use",
            "probe": "tcp",
            "unit": "%",
            "warning_at": 70,
            "critical_at": 90,
            "alert_name": "ErpopsDatabaseConnectionsHigh",
            "severity": "SEV2",
        }
        return Check.objects.create(name=name, target=target, **(given | values))

    return make


def measured(value: float) -> Outcome:
    """A measurement that got through."""
    return Outcome(Measurement(value, "%"), "", 1.5)


def failed(problem: str = "No answer.") -> Outcome:
    """A probe that did not get through."""
    return Outcome(None, problem, 3000)


@pytest.fixture
def person(db: None) -> Callable[..., Client]:
    """A signed-in client of someone with the given roles."""

    def sign_in(*roles: str) -> Client:
        user = User.objects.create_user("-".join(roles) or "nobody")
        for role in roles:
            user.groups.add(Group.objects.get_or_create(name=role)[0])
        client = Client()
        client.force_login(user)
        return client

    return sign_in


ADMIN, OPERATOR, LEAD, STAKEHOLDER = access.ADMIN, access.OPERATOR, access.LEAD, access.STAKEHOLDER
