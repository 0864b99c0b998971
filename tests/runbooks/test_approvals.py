"""What destroys in production runs only after another lead has allowed exactly that, once, within its time."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from erpops import beats
from erpops.models import AuditEntry
from incidents import lifecycle
from incidents.models import Contact, ContactMethod, Message
from runbooks import approvals, executions, gate, runner
from runbooks.choices import ApprovalState
from runbooks.models import Approval, CommandRun
from runbooks.refusals import Refused
from tests.clock import Clock
from tests.runbooks.builders import Walk, command, person, walk

pytestmark = pytest.mark.django_db

WIPE = "docker rm -f erpgo-api"
GIVEN = gate.Confirmation(yes=True, reason="it is beyond repair", target="erpgo-api")


@pytest.fixture
def lena() -> User:
    return person("lena", "lead")


def destroying(text: str = WIPE, **more: Any) -> Walk:
    return walk(command(text, "destroy", **more), production=True)


def ask(place: Walk, given: gate.Confirmation = GIVEN) -> Approval:
    beats.beat(role="worker", queues=["env.test"])
    return approvals.ask(step_run=place.step(), command=0, by=place.user, given=given)


def run(place: Walk) -> CommandRun:
    beats.beat(role="worker", queues=["env.test"])
    return runner.request(step_run=place.step(), command=0, by=place.user, confirmation="yes")


def test_asked_approved_and_run_once(lena: User) -> None:
    place = destroying()
    approval = ask(place)
    with pytest.raises(Refused, match="No other team lead has approved it yet"):
        run(place)
    approvals.approve(approval=approval, by=lena, target="erpgo-api", comment="the copy is good")
    attempt = run(place)
    approval.refresh_from_db()
    assert (attempt.approval, attempt.digest, attempt.touches) == (approval, approval.digest, ["erpgo-api"])
    assert approval.status == ApprovalState.USED
    assert place.events()[-4:] == ["approval.asked", "approval.approved", "approval.used", "command.requested"]
    audited = AuditEntry.objects.filter(action__startswith="approval.").order_by("pk")
    assert [(entry.actor, entry.action) for entry in audited] == [
        ("op", "approval.asked"),
        ("lena", "approval.approved"),
        ("op", "approval.used"),
    ]


def test_an_approval_is_used_once(lena: User) -> None:
    place = destroying()
    approvals.approve(approval=ask(place), by=lena, target="erpgo-api")
    runner.stop(run=run(place), by=place.user)
    with pytest.raises(Refused, match="ask another team lead"):
        run(place)
    assert CommandRun.objects.count() == 1


def test_asking_twice_is_one_question(lena: User) -> None:
    place = destroying()
    assert ask(place) == ask(place)
    assert place.events().count("approval.asked") == 1


def test_a_refusal_says_why_and_may_be_asked_again(lena: User) -> None:
    place = destroying()
    approval = ask(place)
    with pytest.raises(Refused, match="Say why"):
        approvals.reject(approval=approval, by=lena, comment=" ")
    approvals.reject(approval=approval, by=lena, comment="there is no backup")
    with pytest.raises(Refused, match="ask another team lead"):
        run(place)
    assert place.incident.events.get(kind="approval.rejected").text.endswith("There is no backup")
    assert ask(place).pk != approval.pk


def test_whoever_approves_types_what_it_acts_on(lena: User) -> None:
    approval = ask(destroying())
    with pytest.raises(Refused, match="Type erpgo-api"):
        approvals.approve(approval=approval, by=lena, target="erpgo")


@pytest.mark.parametrize(
    "given",
    [
        gate.Confirmation(yes=False, reason="r", target="erpgo-api"),
        gate.Confirmation(yes=True, target="erpgo-api"),
        gate.Confirmation(yes=True, reason="r"),
        gate.Confirmation(yes=True, reason="r", target="erpgo"),
        gate.Confirmation(yes=True, reason="r", target="test"),
    ],
)
def test_asking_takes_a_reason_and_the_typed_name(lena: User, given: gate.Confirmation) -> None:
    with pytest.raises(Refused) as refused:
        ask(destroying(), given)
    assert refused.value.code == "confirmation"
    assert not Approval.objects.exists()


def test_another_value_is_another_question(lena: User) -> None:
    place = destroying("docker rm -f <name>", parameters=[{"name": "name"}])
    executions.set_values(execution=place.execution, values={"name": "erpgo-api"}, by=place.user)
    approvals.approve(approval=ask(place), by=lena, target="erpgo-api")
    executions.set_values(execution=place.execution, values={"name": "erpgo-db"}, by=place.user)
    with pytest.raises(Refused, match="changed since it was asked for"):
        run(place)


def test_after_a_take_over_the_new_holder_asks_for_themselves(lena: User) -> None:
    place = destroying()
    approvals.approve(approval=ask(place), by=lena, target="erpgo-api")
    executions.take_over(execution=place.execution, by=person("omar", "operator"))
    place.user = User.objects.get(username="omar")
    with pytest.raises(Refused, match="op asked for this approval"):
        run(place)
    assert ask(place).status == ApprovalState.ASKED
    assert place.incident.events.filter(kind="approval.withdrawn").count() == 1


def test_what_would_run_differently_is_not_approved(lena: User) -> None:
    place = destroying()
    approval = ask(place)
    environment = place.execution.environment
    environment.variables = {"DOCKER_HOST": "tcp://elsewhere:2375"}
    environment.save(update_fields=["variables"])
    with pytest.raises(Refused, match="changed since"):
        approvals.approve(approval=approval, by=lena, target="erpgo-api")
    approval.refresh_from_db()
    assert approval.status == ApprovalState.WITHDRAWN


def test_a_question_that_nobody_could_answer_is_not_asked() -> None:
    place = destroying()
    with pytest.raises(Refused, match="Nobody could approve this"):
        ask(place)
    place.execution.version.created_by = place.user
    place.execution.version.save(update_fields=["created_by"])
    person("lena", "lead")
    with pytest.raises(Refused, match="somebody else has to take over"):
        ask(place)


def test_leads_are_told_and_the_asker_hears_the_answer(lena: User) -> None:
    place = destroying()
    for user in (lena, place.user):
        contact = Contact.objects.create(name=user.username, user=user)
        ContactMethod.objects.create(contact=contact, channel="email", address=f"{user.username}@example.test")
    approval = ask(place)
    told = Message.objects.get()
    assert (told.kind, told.contact_name) == ("notice", "lena")
    assert f"/approvals/{approval.pk}/" in told.body and "beyond repair" in told.body
    approvals.approve(approval=approval, by=lena, target="erpgo-api")
    assert Message.objects.latest("pk").contact_name == "op"


def test_nobody_answers_in_time(lena: User, clock: Clock) -> None:
    place = destroying()
    approval = ask(place)
    clock.advance(minutes=15, seconds=1)
    with pytest.raises(Refused, match="within 15 minutes"):
        approvals.approve(approval=approval, by=lena, target="erpgo-api")
    assert approvals.tick() == 1
    approval.refresh_from_db()
    assert approval.status == ApprovalState.EXPIRED
    assert "expired unanswered" in place.incident.events.get(kind="approval.expired").text
    assert approvals.tick() == 0


def test_an_approval_is_good_for_15_minutes(lena: User, clock: Clock) -> None:
    place = destroying()
    approval = ask(place)
    clock.advance(minutes=14)
    approvals.approve(approval=approval, by=lena, target="erpgo-api")
    clock.advance(minutes=15, seconds=1)
    with pytest.raises(Refused, match="ask another team lead"):
        run(place)
    assert approvals.tick() == 1
    assert ask(place).pk != approval.pk


def test_breaking_the_glass_pages_and_marks_the_review(clock: Clock) -> None:
    place = destroying()
    lead = person("lars", "lead")
    person("lena", "lead")
    lifecycle.set_severity(incident=place.incident, to="SEV1", by=None)
    place.incident.refresh_from_db()
    executions.take_over(execution=place.execution, by=lead)
    place.user = lead
    approval = ask(place)
    reason = "orders are being lost every second"
    with pytest.raises(Refused, match="5 minutes"):
        approvals.break_glass(approval=approval, by=lead, reason=reason)
    clock.advance(minutes=5, seconds=1)
    with pytest.raises(Refused, match="Say why"):
        approvals.break_glass(approval=approval, by=lead, reason="quick")
    approvals.break_glass(approval=approval, by=lead, reason=reason)
    assert run(place).approval == approval
    assert {"approval.break_glass", "escalation.asked"} <= set(place.events())
    lifecycle.resolve(incident=place.incident, resolution="gone", by=lead)
    review = place.incident.postmortem.body
    assert "## Without a second pair of eyes" in review and reason in review


def test_alone_a_cool_down_stands_in_for_the_second_lead(clock: Clock) -> None:
    place = destroying()
    lead = person("lars", "lead")
    executions.take_over(execution=place.execution, by=lead)
    place.user = lead
    ask(place)
    with pytest.raises(Refused, match="60 s after"):
        run(place)
    clock.advance(seconds=61)
    assert run(place).approval is not None
    entry = AuditEntry.objects.get(action="approval.solo")
    assert entry.details["solo"] is True


def test_solo_mode_ends_by_itself_when_somebody_else_could_approve(clock: Clock) -> None:
    place = destroying()
    lead = person("lars", "lead")
    executions.take_over(execution=place.execution, by=lead)
    place.user = lead
    ask(place)
    clock.advance(seconds=61)
    person("lena", "lead")
    with pytest.raises(Refused, match="No other team lead has approved it yet"):
        run(place)
