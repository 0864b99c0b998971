"""People by role, an open and a restricted environment, and an incident in each."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from erpops import access
from incidents import lifecycle
from incidents.models import Environment, Incident, Service

MakePerson = Callable[..., User]
ClientOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def person(db: None) -> MakePerson:
    """Make somebody: `person("ada", access.OPERATOR)`."""

    def make(username: str, *roles: str, name: str = "") -> User:
        first, _, last = name.partition(" ")
        user = User.objects.create(username=username, first_name=first, last_name=last)
        user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
        return user

    return make


@pytest.fixture
def client_of() -> ClientOf:
    """A signed-in browser of somebody."""

    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make


@dataclass(frozen=True)
class Places:
    """Where the incidents are."""

    production: Environment
    vault: Environment
    shop: Service


@pytest.fixture
def places(db: None) -> Places:
    """An environment for all staff, a restricted one, and a service."""
    return Places(
        Environment.objects.create(name="production", label="Production", is_production=True),
        Environment.objects.create(name="vault", label="Vault", restricted=True),
        Service.objects.create(name="shop-backend", label="Shop backend", public_name="Online shop"),
    )


@pytest.fixture
def operator(person: MakePerson) -> User:
    return person("ada", access.OPERATOR, name="Ada Rivera")


@pytest.fixture
def lead(person: MakePerson) -> User:
    return person("lena", access.LEAD, name="Lena Moor")


@pytest.fixture
def admin(person: MakePerson) -> User:
    return person("root", access.ADMIN)


@pytest.fixture
def stakeholder(person: MakePerson) -> User:
    return person("stan", access.STAKEHOLDER)


@pytest.fixture
def incident(places: Places) -> Incident:
    """A SEV2 in production that nobody has acknowledged."""
    return lifecycle.open_incident(
        title="Checkout answers slowly", severity="SEV2", environment=places.production, service=places.shop
    )


@pytest.fixture
def hidden(places: Places) -> Incident:
    """An incident in the restricted environment."""
    return lifecycle.open_incident(title="Vault is sealed", severity="SEV1", environment=places.vault)


@pytest.fixture
def browser(client_of: ClientOf, operator: User) -> Client:
    """The operator's browser."""
    return client_of(operator)
