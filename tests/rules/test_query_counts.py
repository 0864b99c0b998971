"""How many queries a page costs: written down, and the same however much there is to show.

A change shows in `query_counts.json`, which `ERPOPS_WRITE_QUERY_COUNTS=1` writes anew.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from erpops import access, beats
from erpops.setup import SetupContext, steps
from incidents import intake, lifecycle, sources, status
from incidents.models import Incident, Source
from incidents.sources.parsed import ParsedAlert
from runbooks import executions, matching
from runbooks.models import Runbook

COUNTS = Path(__file__).with_name("query_counts.json")
PAGES = {
    "now": "/",
    "incidents": "/i/",
    "all incidents": "/i/?view=all",
    "declare": "/i/declare",
    "room": "/i/{room}/",
    "review": "/i/{review}/review",
    "checks": "/checks/",
    "runbooks": "/r/",
    "reader": "/r/fire-drill/",
    "on-call": "/oncall/",
    "reviews": "/reviews/",
    "status": "/status/",
    "people": "/people/",
    "sources": "/sources/",
}


@pytest.fixture
def admin(db: None) -> User:
    user = User.objects.create_user("admin")
    roles = {role: Group.objects.get_or_create(name=role)[0] for role in access.ROLES}
    user.groups.set([roles[access.ADMIN], roles[access.LEAD], roles[access.OPERATOR]])
    for _, step in steps.items():
        step(SetupContext(admin=user, say=lambda line: None))
    beats.beat(role="engine")
    beats.beat(role="worker", queues=["checks", "env.self"])
    return user


def fill(admin: User, number: int) -> None:
    """A drill with alerts, notes, a walk and an update; and one more that is over and under review."""
    source = Source.objects.get(name="Fire drill")
    name = f"Alert{number}"
    labels = {"alertname": name, "drill": "true"}
    alerts = [ParsedAlert(f"{name}-{n}", name, "firing", "SEV3", labels, f"g{number}") for n in range(3)]
    intake.fold([intake.Incoming(source, b"{}", alerts)])
    incident = Incident.objects.latest("pk")
    lifecycle.acknowledge(incident=incident, by=admin)
    lifecycle.add_note(incident=incident, text="noted", by=admin)
    matching.match(incident=incident)
    runbook = Runbook.objects.get(slug="fire-drill")
    executions.start(runbook=runbook, incident=incident, environment=incident.environment, by=admin)
    status.post(
        incident=incident,
        audience="stakeholders",
        phase="investigating",
        headline=name,
        body="We look.",
        next_in=30,
        by=admin,
    )
    over = lifecycle.open_incident(title=f"Over {number}", severity="SEV3", environment=incident.environment)
    lifecycle.resolve(incident=over, resolution="gone", by=admin)
    User.objects.create_user(f"person{number}").groups.add(Group.objects.get(name=access.STAKEHOLDER))
    sources.create(name=f"Source {number}", kind="generic")


def measure(admin: User) -> dict[str, int]:
    """Queries a page, with warm caches."""
    client = Client()
    client.force_login(admin)
    places = {
        "room": Incident.objects.exclude(status="resolved").latest("pk").pk,
        "review": Incident.objects.filter(status="resolved").latest("pk").pk,
    }
    found = {}
    for name, path in PAGES.items():
        address = path.format(**places)
        client.get(address)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(address)
        assert answer.status_code == 200, (name, answer.status_code)
        found[name] = len(captured)
    return found


def growing(before: dict[str, int], after: dict[str, int]) -> dict[str, tuple[int, int]]:
    """The pages that cost more when there is more to show."""
    return {name: (count, after[name]) for name, count in before.items() if after[name] > count}


def test_pages_cost_the_same_however_much_they_show(admin: User) -> None:
    fill(admin, 0)
    fill(admin, 1)
    before = measure(admin)
    for number in range(2, 8):
        fill(admin, number)
    assert growing(before, measure(admin)) == {}


def test_the_cost_of_each_page_is_written_down(admin: User) -> None:
    fill(admin, 0)
    fill(admin, 1)
    found = measure(admin)
    if os.environ.get("ERPOPS_WRITE_QUERY_COUNTS"):
        COUNTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(COUNTS.read_text(encoding="utf-8"))


def test_a_page_that_asks_once_a_row_is_seen(admin: User) -> None:
    def cost(work: Callable[[], object]) -> int:
        with CaptureQueriesContext(connection) as captured:
            work()
        return len(captured)

    def careless() -> list[str]:
        return [incident.environment.label for incident in Incident.objects.all()]

    fill(admin, 0)
    before = cost(careless)
    fill(admin, 1)
    assert growing({"page": before}, {"page": cost(careless)}) == {"page": (before, before + 2)}
