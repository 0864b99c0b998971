"""The bell of every page: it counts what the first page lists, from one page to the next."""

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checks.models import Check, Target
from erpops import access, clock
from erpops.clock import Now
from erpops.needs import bell_of, needs, needs_of
from incidents import handover, lifecycle, status
from incidents.models import Environment, Escalation, Incident, PostMortem
from runbooks import approvals, gate
from runbooks.models import Execution
from tests.clock import in_this_transaction
from tests.runbooks.builders import Walk, command, person, walk

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> Walk:
    in_this_transaction()
    return walk(command("true"))


@pytest.fixture
def everybody(place: Walk) -> list[User]:
    return [
        place.user,
        person("lena", access.LEAD),
        person("root", access.ADMIN),
        person("ada", access.ADMIN, access.LEAD, access.OPERATOR),
        person("stan", access.STAKEHOLDER),
        person("nobody"),
    ]


def bell(client: Client, path: str = "/i/") -> int:
    found = re.search(r"Needs you: (\d+)", client.get(path).content.decode())
    assert found is not None
    return int(found[1])


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def verbs_of(user: User) -> set[str]:
    """What is asked of somebody, as in a request of its own."""
    return {need.verb for need in needs_of(User.objects.get(pk=user.pk))}


def told_alike(users: list[User]) -> set[str]:
    """Check that count and list agree for everybody; the verbs that were seen."""
    seen = set()
    for user in users:
        # As in a request of its own.
        listed = needs_of(User.objects.get(pk=user.pk))
        assert bell_of(User.objects.get(pk=user.pk)).number == len(listed), (user.username, listed)
        seen |= {need.verb for need in listed}
    return seen


def test_the_bell_counts_what_is_listed_all_through_an_incident(place: Walk, everybody: list[User]) -> None:
    incident, lena = place.incident, everybody[1]
    long_ago = Now() - timedelta(hours=1)
    seen = told_alike(everybody)
    ladder = {"levels": [], "severity": "SEV2", "respond_within_s": 60, "escalate_after_s": 60}
    Escalation.objects.update_or_create(incident=incident, defaults={"state": "exhausted", "snapshot": ladder})
    Incident.objects.update(update_due_at=long_ago)
    seen |= told_alike(everybody)
    lifecycle.acknowledge(incident=incident, by=place.user)
    Execution.objects.update(acted_at=long_ago, started_at=long_ago)
    seen |= told_alike(everybody)
    Escalation.objects.update(state="dormant")
    handover.offer(incident=incident, receiver=everybody[3], parts={}, by=place.user)
    seen |= told_alike(everybody)
    incident.roles.all().delete()
    environment = Environment.objects.get(name="test")
    target = Target.objects.create(
        name="db", label="DB", kind="tcp", environment=environment, credential="x", credential_expires_on=Now()
    )
    Check.objects.create(
        name="up", label="Up", target=target, probe="tcp", warning_at=1, critical_at=2, verdict="down", enabled=True
    )
    seen |= told_alike(everybody)
    words = {"headline": "Slow", "body": "We look.", "next_in": 30, "by": lena}
    status.post(incident=incident, audience="stakeholders", phase="investigating", **words)  # type: ignore[arg-type]
    lifecycle.resolve(incident=incident, resolution="gone", by=lena)
    PostMortem.objects.update(due_at=long_ago)
    seen |= told_alike(everybody)
    PostMortem.objects.update(status="in_review")
    seen |= told_alike(everybody)
    assert seen == {
        "Accept the handover",
        "Acknowledge",
        "Continue",
        "Decide on the review",
        "Decide who helps",
        "Fix",
        "Go on",
        "Look at",
        "Nobody answers",
        "Post an update",
        "Replace the credential",
        "Say that it is over",
        "Take command",
        "Write the review",
    }


def test_a_question_waits_for_the_leads_and_the_approval_for_who_asked(place: Walk, everybody: list[User]) -> None:
    asked = walk(command("docker rm -f erpgo-api", "destroy"))
    Environment.objects.update(is_production=True)
    given = gate.Confirmation(yes=True, reason="it is beyond repair", target="erpgo-api")
    approval = approvals.ask(step_run=asked.step(), command=0, by=asked.user, given=given)
    assert verbs_of(everybody[1]) >= {"Approve"} and not verbs_of(place.user) & {"Approve", "Run"}
    told_alike(everybody)
    approvals.approve(approval=approval, by=everybody[1], target="erpgo-api")
    assert verbs_of(place.user) >= {"Run"} and not verbs_of(everybody[1]) & {"Approve", "Run"}
    told_alike(everybody)


def test_a_need_is_on_the_next_page_and_gone_from_the_one_after_it(place: Walk) -> None:
    client = signed_in(place.user)
    lifecycle.acknowledge(incident=place.incident, by=place.user)
    before = bell(client)
    new = lifecycle.open_incident(title="New", severity="SEV4", environment=place.incident.environment)
    assert bell(client) == bell(client, "/r/") == bell(client, "/") == before + 1
    lifecycle.resolve(incident=new, resolution="gone", by=place.user)
    assert bell(client) == before


def test_every_page_says_the_time_of_the_database_once(place: Walk) -> None:
    for user, path in ((place.user, "/"), (place.user, "/i/"), (person("stan", access.STAKEHOLDER), "/status/")):
        stamps = re.findall(r'data-server-time="([^"]+)"', signed_in(user).get(path).content.decode())
        assert [datetime.fromisoformat(stamp) for stamp in stamps] == [clock.now()], path


def test_a_new_role_and_a_lost_one_show_on_the_next_page(place: Walk) -> None:
    user = person("ada", access.STAKEHOLDER)
    client = signed_in(user)
    assert bell(client, "/status/") == 0
    user.groups.add(Group.objects.get(name=access.OPERATOR))
    assert bell(client) > 0
    user.groups.clear()
    assert bell_of(User.objects.get(pk=user.pk)).number == 0


def test_what_becomes_restricted_leaves_the_bell(place: Walk) -> None:
    client = signed_in(person("ada", access.OPERATOR))
    assert bell(client) > 0
    Environment.objects.update(restricted=True)
    assert bell(client) == 0
    Environment.objects.update(restricted=False)
    assert bell(client) > 0


def test_which_rows_may_ask_is_said_without_asking_the_database(place: Walk, everybody: list[User]) -> None:
    for restricted in (False, True):
        Environment.objects.update(restricted=restricted)
        for user in User.objects.filter(pk__in=[one.pk for one in everybody]):
            access.reach_of(user)
            with CaptureQueriesContext(connection) as asked:
                for provider in needs.values():
                    provider.among(user)
            assert len(asked) == 0
