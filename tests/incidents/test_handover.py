"""A handover: told in full, taken only by who says that they have it, never left unanswered."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from erpops import access
from erpops.needs import Need, needs_of
from erpops.transitions import IllegalMove
from incidents import handover, lifecycle, policy
from incidents.models import Handover, Message
from runbooks import executions, runner
from runbooks.models import Execution
from tests.clock import Clock, clock
from tests.runbooks.builders import Walk, command, person, walk

__all__ = ["clock"]


@pytest.fixture
def place(clock: Clock) -> Walk:
    found = walk(command("df -h"))
    lifecycle.acknowledge(incident=found.incident, by=found.user)
    return found


@pytest.fixture
def rina(place: Walk) -> User:
    return person("rina", access.OPERATOR)


def offer(place: Walk, to: User, **parts: str) -> Handover:
    return handover.offer(incident=place.incident, receiver=to, parts=parts, by=place.user)


def offers(user: User) -> list[Need]:
    """The handovers that wait for `user`."""
    return [need for need in needs_of(user) if need.verb == "Accept the handover"]


def commander(place: Walk) -> str:
    return place.incident.roles.get(role="commander").user.username


def holder(place: Walk) -> str:
    found = Execution.objects.select_related("holder").get(pk=place.execution.pk).holder
    return found.username if found else ""


def test_ownership_moves_only_when_the_receiver_has_it(place: Walk, rina: User) -> None:
    offered = offer(place, rina, hypothesis="The **disk** is full")
    assert (commander(place), holder(place)) == ("op", "op")
    [need] = offers(rina)
    assert need.verb == "Accept the handover"
    assert need.detail.startswith("from op")
    handover.accept(handover=offered, by=rina)
    assert (commander(place), holder(place)) == ("rina", "rina")
    assert offers(rina) == []
    assert place.events()[-4:] == ["handover.offered", "execution.taken_over", "role.taken", "handover.accepted"]
    assert "**What we think it is**" in place.incident.events.get(kind="handover.offered").data["body"]
    handover.accept(handover=offered, by=rina)
    assert place.events().count("handover.accepted") == 1, "twice is once"


def test_it_is_prefilled_with_what_is_known(place: Walk) -> None:
    lifecycle.add_note(incident=place.incident, text="It looks like *logs*.", by=place.user)
    executions.set_values(execution=place.execution, values={}, by=place.user)
    run = runner.request(step_run=place.step(), command=0, by=place.user)
    known = handover.prefilled(place.incident)
    assert known["state"].startswith("SEV2, investigating")
    assert "It looks like *logs*." in known["hypothesis"]
    assert known["running"] == "`df -h`, not started yet, asked for by op"
    assert known["done"] == "Test: nothing yet of 1 steps."
    assert known["next_step"] == "Test, step 1: Look"
    assert "Stakeholders hear next" in known["next_update"]
    runner.RUN.move(runner.CommandRun.objects.get(pk=run.pk), to="claimed")
    runner.RUN.move(runner.CommandRun.objects.get(pk=run.pk), to="outcome_unknown")
    assert "nobody knows how it ended" in handover.prefilled(place.incident)["risks"]


def test_only_the_receiver_answers(place: Walk, rina: User) -> None:
    offered = offer(place, rina)
    third = person("third", access.OPERATOR)
    for by in (place.user, third):
        with pytest.raises(IllegalMove, match="Only rina"):
            handover.accept(handover=offered, by=by)
    with pytest.raises(IllegalMove, match="Only op"):
        handover.withdraw(handover=offered, by=rina)
    with pytest.raises(IllegalMove, match="Say in a word"):
        handover.decline(handover=offered, word=" ", by=rina)
    handover.decline(handover=offered, word="already on INC-7", by=rina)
    assert commander(place) == "op"
    assert place.incident.events.get(kind="handover.declined").text.endswith("already on INC-7")
    with pytest.raises(IllegalMove, match="declined by now"):
        handover.accept(handover=offered, by=rina)


def test_a_refusal_stands_in_the_room_of_whoever_was_refused(place: Walk, rina: User, clock: Clock) -> None:
    room = f"/i/{place.incident.pk}/"

    def told(user: User, path: str = room) -> bool:
        client = Client()
        client.force_login(user)
        return "rina cannot take it" in client.get(path).content.decode().replace("</strong>", "").replace(
            "<strong>", ""
        )

    handover.decline(handover=offer(place, rina), word="already on INC-7", by=rina)
    assert told(place.user) and told(place.user, f"{room}head")
    assert not told(rina)
    assert handover.waiting(place.incident) is None
    clock.advance(minutes=16)
    assert not told(place.user)
    handover.decline(handover=offer(place, rina), word="still on INC-7", by=rina)
    assert told(place.user)
    offer(place, person("third", access.OPERATOR))
    assert not told(place.user)


def test_one_waits_at_a_time_and_may_be_withdrawn(place: Walk, rina: User) -> None:
    offered = offer(place, rina)
    assert offer(place, rina) == offered, "a double click"
    with pytest.raises(IllegalMove, match="waits for an answer already"):
        offer(place, person("third", access.OPERATOR))
    handover.withdraw(handover=offered, by=place.user)
    with pytest.raises(IllegalMove, match="withdrawn by now"):
        handover.accept(handover=offered, by=rina)
    assert offer(place, rina) != offered


def test_unanswered_for_five_minutes_it_calls_the_next_level_once(place: Walk, rina: User, clock: Clock) -> None:
    offered = offer(place, rina)
    clock.advance(seconds=250)
    assert handover.tick() == 0
    clock.advance(seconds=51)
    assert handover.tick() == 1
    assert handover.tick() == 0
    assert place.incident.events.get(kind="escalation.handover").text == "rina did not answer the handover from op"
    third = person("third", access.OPERATOR)
    handover.accept(handover=Handover.objects.get(pk=offered.pk), by=third)
    assert (commander(place), holder(place)) == ("third", "third"), "whoever was called takes it"


def test_an_answer_in_time_calls_nobody(place: Walk, rina: User, clock: Clock) -> None:
    handover.accept(handover=offer(place, rina), by=rina)
    clock.advance(minutes=6)
    assert handover.tick() == 0


def test_what_is_resolved_meanwhile_is_not_taken(place: Walk, rina: User, clock: Clock) -> None:
    offered = offer(place, rina)
    lifecycle.resolve(incident=place.incident, resolution="gone", by=place.user)
    assert offers(rina) == []
    with pytest.raises(IllegalMove, match="resolved by now"):
        handover.accept(handover=offered, by=rina)
    clock.advance(minutes=6)
    assert handover.tick() == 0


def test_who_holds_nothing_or_may_not_work_there_cannot(place: Walk, rina: User) -> None:
    with pytest.raises(IllegalMove, match="You hold no role"):
        handover.offer(incident=place.incident, receiver=place.user, parts={}, by=rina)
    with pytest.raises(IllegalMove, match="may not work"):
        offer(place, person("ada", access.ADMIN))
    with pytest.raises(IllegalMove, match="You have it already"):
        offer(place, place.user)


def test_the_receiver_gets_a_notice(place: Walk, rina: User) -> None:
    contact = policy.save_contact(contact=None, name="Rina", role="", user=rina, by=place.user)
    policy.add_method(contact=contact, channel="email", address="rina@example.org", by=place.user)
    offer(place, rina)
    message = Message.objects.get(kind="notice")
    assert (message.contact_name, message.status) == ("Rina", "queued")
    assert "op hands INC-" in message.subject
    assert f"/i/{place.incident.pk}/handover" in message.body


def test_the_sheet_offers_and_the_other_takes_it_as_plain_forms(place: Walk, rina: User) -> None:
    giver, taker = Client(), Client()
    giver.force_login(place.user)
    taker.force_login(rina)
    url = f"/i/{place.incident.pk}/handover"
    sheet = giver.get(url).content.decode()
    assert "Commander, the baton of Test" in sheet
    assert giver.post(url, {"receiver": ""}).status_code == 422
    assert giver.post(url, {"receiver": rina.pk, "risks": "It may fill up again"}).status_code == 302
    offered = Handover.objects.get()
    assert "hands this over to you" in taker.get(f"/i/{place.incident.pk}/").content.decode()
    shown = taker.get(url).content.decode()
    assert "It may fill up again" in shown
    assert "I have it" in shown
    assert "I have it" not in giver.get(url).content.decode()
    assert taker.post(f"{url}/{offered.pk}", {"answer": "accept"}).status_code == 302
    assert (commander(place), holder(place)) == ("rina", "rina")
    assert "What could go wrong" in giver.get(f"/i/{place.incident.pk}/").content.decode(), "the timeline keeps it"


def test_an_answer_needs_the_incident_and_the_role(place: Walk, rina: User) -> None:
    offered = offer(place, rina)
    foreign = lifecycle.open_incident(title="Other", severity="SEV4", environment=place.incident.environment)
    browser = Client()
    browser.force_login(rina)
    assert browser.post(f"/i/{foreign.pk}/handover/{offered.pk}", {"answer": "accept"}).status_code == 404
    assert browser.post(f"/i/{place.incident.pk}/handover/{offered.pk}", {"answer": "maybe"}).status_code == 400
    browser.force_login(person("ada", access.ADMIN))
    assert browser.post(f"/i/{place.incident.pk}/handover/{offered.pk}", {"answer": "accept"}).status_code == 403
    assert commander(place) == "op"
