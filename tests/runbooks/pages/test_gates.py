"""What the room and the approver's page show of the gates, and which posts they take."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from erpops import beats
from incidents import lifecycle
from runbooks import executions
from runbooks.models import Approval, CommandRun, Execution
from tests.clock import in_this_transaction
from tests.runbooks.pages.conftest import HTMX, at, compiled, phase, shelve, step
from tests.runbooks.pages.conftest import command as compiled_command

RESTART, WIPE = 3, 4


def field(html: str, name: str) -> str:
    """The value of a hidden field."""
    return html.partition(f'name="{name}" value="')[2].partition('"')[0]


def sheet(client: Client, execution: Execution, position: int) -> str:
    return client.get(at(execution, position, "command_confirm", 0), headers=HTMX).content.decode()


def asked(client: Client, execution: Execution) -> Approval:
    shown = field(sheet(client, execution, WIPE), "shown")
    given = {"confirm": "yes", "shown": shown, "reason": "disk is full", "target": "/var/old"}
    assert client.post(at(execution, WIPE, "command_ask", 0), given).status_code == 302
    return Approval.objects.get()


@pytest.fixture
def op(signed_in: Callable[[User], Client], operator: User) -> Client:
    return signed_in(operator)


def test_a_disruption_shows_what_it_comes_to_and_picks_no_reason(op: Client, execution: Execution) -> None:
    html = sheet(op, execution, RESTART)
    for words in (
        "Restart 1 service on Production",
        "service writer",
        "Users may notice",
        "Way back",
        "Users are affected",
    ):
        assert words in html
    assert "checked" not in html
    assert html.count("data-arm") == 1


def test_a_picked_reason_is_enough(op: Client, execution: Execution) -> None:
    shown = field(sheet(op, execution, RESTART), "shown")
    url = at(execution, RESTART, "command_run", 0)
    op.post(url, {"confirm": "yes", "shown": shown, "why": "whatever I like"})
    assert not CommandRun.objects.exists()
    op.post(url, {"confirm": "yes", "shown": shown, "why": "users are affected", "reason": "since noon"})
    assert CommandRun.objects.get().risk == "disrupt"
    event = execution.incident.events.get(kind="command.requested")  # type: ignore[union-attr]
    assert "users are affected: since noon" in event.text


def test_what_destroys_is_asked_for_approved_on_a_page_and_run(
    op: Client, execution: Execution, lead: User, signed_in: Callable[[User], Client]
) -> None:
    html = sheet(op, execution, WIPE)
    assert "Ask: Remove 1 path on Production" in html and 'data-must-equal="/var/old"' in html
    assert "No check watches a backup here" in html
    approval = asked(op, execution)
    boss = signed_in(lead)
    assert "Remove 1 path on Production" in boss.get("/").content.decode()
    page = boss.get(reverse("approval", args=[approval.pk])).content.decode()
    for words in ("rm -rf /var/old", "olga", "disk is full", "path /var/old", "Before it", "Approve: Remove 1 path"):
        assert words in page
    answer = reverse("approval_answer", args=[approval.pk])
    wrong = boss.post(answer, {"verdict": "approve", "target": "/var"})
    assert wrong.status_code == 422 and "Type /var/old" in wrong.content.decode()
    assert boss.post(answer, {"verdict": "approve", "target": "/var/old", "comment": "go"}).status_code == 302
    room = op.get(at(execution, WIPE)).content.decode()
    assert "Approved by lena" in room and "Review and run…" in room
    assert "Remove 1 path" in op.get("/").content.decode()
    html = sheet(op, execution, WIPE)
    assert "lena approved it" in html and 'name="target"' not in html
    op.post(at(execution, WIPE, "command_run", 0), {"confirm": "yes", "shown": field(html, "shown")})
    assert CommandRun.objects.get().approval == approval
    assert "It was used" in boss.get(reverse("approval", args=[approval.pk])).content.decode()


def test_a_refusal_is_read_in_the_room(
    op: Client, execution: Execution, lead: User, signed_in: Callable[[User], Client]
) -> None:
    approval = asked(op, execution)
    boss = signed_in(lead)
    answer = reverse("approval_answer", args=[approval.pk])
    assert boss.post(answer, {"verdict": "reject"}).status_code == 422
    boss.post(answer, {"verdict": "reject", "comment": "no backup since Monday"})
    room = op.get(at(execution, WIPE)).content.decode()
    assert "Refused by lena" in room and "no backup since Monday" in room and "ask for approval…" in room


def test_whoever_asked_neither_finds_nor_reaches_the_answer(
    op: Client, execution: Execution, operator: User, lead: User
) -> None:
    approval = asked(op, execution)
    page = op.get(reverse("approval", args=[approval.pk])).content.decode()
    assert "Withdraw the question" in page and 'aria-label="Approve"' not in page
    answer = {"verdict": "approve", "target": "/var/old"}
    assert op.post(reverse("approval_answer", args=[approval.pk]), answer).status_code == 403
    operator.groups.set(lead.groups.all())
    assert op.post(reverse("approval_answer", args=[approval.pk]), answer).status_code == 422
    approval.refresh_from_db()
    assert approval.status == "asked"
    op.post(reverse("approval_withdraw", args=[approval.pk]))
    approval.refresh_from_db()
    assert approval.status == "withdrawn"


def test_a_value_that_is_changed_voids_the_question_and_the_approval_where_people_see_it(
    op: Client, execution: Execution, operator: User, lead: User, signed_in: Callable[[User], Client]
) -> None:
    approval, boss = asked(op, execution), signed_in(lead)
    page = reverse("approval", args=[approval.pk])
    Approval.objects.filter(pk=approval.pk).update(values={"folder": "/var/old"})
    Execution.objects.filter(pk=execution.pk).update(values={"folder": "/var/old"})
    assert "It is void" not in boss.get(page).content.decode()
    Execution.objects.filter(pk=execution.pk).update(values={"folder": "/var/new"})
    room = op.get(at(execution, WIPE)).content.decode()
    assert "the question is void" in room and "ask for approval…" in room and "Waiting for approval" not in room
    told = boss.get(page).content.decode()
    assert "It is void" in told and 'aria-label="Approve"' not in told and "Waiting for an answer" not in told
    assert approval.doing not in boss.get("/").content.decode()
    answer = {"verdict": "approve", "target": "/var/old"}
    assert "has changed since it was asked for" in boss.post(f"{page}answer", answer).content.decode()


def test_the_room_says_what_is_in_use(
    op: Client, execution: Execution, lead: User, signed_in: Callable[[User], Client]
) -> None:
    shown = field(sheet(op, execution, RESTART), "shown")
    op.post(at(execution, RESTART, "command_run", 0), {"confirm": "yes", "shown": shown, "why": "users are affected"})
    other = shelve(
        compiled(phase("diagnosis", step("Stop", compiled_command("systemctl stop writer", risk="disrupt")))),
        slug="other",
    )
    there = executions.start(runbook=other, incident=execution.incident, environment=execution.environment, by=lead)
    html = sheet(signed_in(lead), there, 0)
    assert "In use: writer, `systemctl restart writer`, 00:0" in html and "by olga" in html
    assert 'aria-disabled="true"' in html


def test_the_approval_page_is_for_those_who_see_the_walk(
    op: Client, execution: Execution, lead: User, person: Callable[..., User], signed_in: Callable[[User], Client]
) -> None:
    approval = asked(op, execution)
    guest = signed_in(person("gast", "stakeholder"))
    assert guest.get(reverse("approval", args=[approval.pk])).status_code == 403
    admin = signed_in(person("ada", "admin"))
    page = admin.get(reverse("approval", args=[approval.pk])).content.decode()
    assert "A team lead answers this" in page


def taken_over(execution: Execution, lead: User, signed_in: Callable[[User], Client]) -> Client:
    executions.take_over(execution=execution, by=lead)
    return signed_in(lead)


def test_alone_the_page_counts_down_and_then_runs(
    execution: Execution, lead: User, signed_in: Callable[[User], Client]
) -> None:
    boss, clock = taken_over(execution, lead, signed_in), in_this_transaction()
    assert "it starts 60 seconds after you ask" in sheet(boss, execution, WIPE)
    assert "Solo mode." in boss.get("/").content.decode()
    asked(boss, execution)
    room = boss.get(at(execution, WIPE)).content.decode()
    assert "Cooling down" in room and "Review and run…" in room
    html = sheet(boss, execution, WIPE)
    given = {"confirm": "yes", "shown": field(html, "shown")}
    assert "You are alone." in html
    boss.post(at(execution, WIPE, "command_run", 0), given)
    assert not CommandRun.objects.exists()
    clock.advance(seconds=61)
    beats.beat(role="worker", queues=["env.production"])
    boss.post(at(execution, WIPE, "command_run", 0), given)
    assert CommandRun.objects.get().approval.way == "solo"  # type: ignore[union-attr]


def test_the_glass_is_broken_on_the_page_of_the_question(
    execution: Execution, lead: User, person: Callable[..., User], signed_in: Callable[[User], Client]
) -> None:
    person("lars", "lead")
    boss, clock = taken_over(execution, lead, signed_in), in_this_transaction()
    assert execution.incident is not None
    lifecycle.set_severity(incident=execution.incident, to="SEV1", by=None)
    approval = asked(boss, execution)
    page, glass = reverse("approval", args=[approval.pk]), reverse("approval_glass", args=[approval.pk])
    assert "Break the glass" in boss.get(page).content.decode()
    reason = {"reason": "orders are lost every second"}
    assert boss.post(glass, reason).status_code == 422
    clock.advance(minutes=5, seconds=1)
    assert boss.post(glass, {"reason": "now"}).status_code == 422
    assert boss.post(glass, reason).status_code == 302
    room = boss.get(at(execution, WIPE)).content.decode()
    assert "Glass broken by lena" in room and "Review and run…" in room
    assert "Break the glass" not in boss.get(page).content.decode()
