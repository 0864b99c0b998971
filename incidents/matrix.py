"""Reads for the on-call page and the escalation panel, in a constant number of queries each."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db.models import Prefetch, QuerySet
from django.http import Http404

from erpops import clock
from incidents import ladder, oncall
from incidents.channels import channels
from incidents.choices import EscalationState, MessageKind, MessageStatus, Severity
from incidents.models import Contact, ContactMethod, Escalation, EscalationPolicy, Incident, Message, SeverityRule
from incidents.oncall import Call, Ladder, Person

_PENDING = {MessageStatus.QUEUED, MessageStatus.SENDING}


@dataclass(frozen=True)
class Level:
    """Who stands at a level, and whether anybody there can be reached."""

    number: int
    people: list[Person]

    @property
    def gap(self) -> bool:
        return all(person.trouble for person in self.people)


@dataclass(frozen=True)
class MatrixRow:
    """One severity of the matrix."""

    severity: str
    label: str
    meaning: str
    respond_within_s: int
    escalate_after_s: int
    levels: list[Level]

    @property
    def gaps(self) -> int:
        return sum(level.gap for level in self.levels)


@dataclass(frozen=True)
class MethodRow:
    """A way to reach a contact, and what became of the last test."""

    pk: int
    label: str
    shown: str
    verified_at: datetime | None
    trouble: str
    first: bool
    test: Message | None
    # A fresh number for each rendering: the same button pressed twice asks for the same test.
    nonce: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def pending(self) -> bool:
        return self.test is not None and self.test.status in _PENDING


@dataclass(frozen=True)
class ContactRow:
    """A contact with everything the page shows of it."""

    contact: Contact
    account: str
    trouble: str
    methods: list[MethodRow]
    places: list[str]


@dataclass(frozen=True)
class Rung:
    """A level in the panel of a running escalation; `state` is called, next or waiting."""

    number: int
    people: list[Person]
    state: str
    due: datetime | None
    pages: list[Message]

    @property
    def gap(self) -> bool:
        return all(person.trouble for person in self.people)


@dataclass(frozen=True)
class Running:
    """A running escalation as its panel shows it."""

    state: str
    label: str
    step: str
    rungs: list[Rung]
    due: datetime | None
    held_until: datetime | None
    may_hold: bool
    over: bool


def matrix(policy: EscalationPolicy, contacts: Iterable[ContactRow] = ()) -> list[MatrixRow]:
    """Every severity that the policy has a rule for, worst first. `contacts` are all of them, where they are known."""
    rungs = list(policy.rungs.all())
    people = {row.contact.pk: ladder.person(row.contact) for row in contacts}
    people |= ladder.people({rung.contact_id for rung in rungs} - people.keys())
    levels: dict[str, dict[int, list[Person]]] = {}
    for rung in rungs:
        levels.setdefault(rung.severity, {}).setdefault(rung.level, []).append(people[rung.contact_id])
    return [
        MatrixRow(
            rule.severity,
            str(Severity(rule.severity).label),
            rule.meaning,
            rule.respond_within_s,
            rule.escalate_after_s,
            [Level(number, people) for number, people in sorted(levels.get(rule.severity, {}).items())],
        )
        for rule in policy.rules.all()
    ]


def foretold(row: MatrixRow) -> tuple[list[Call], list[Call]]:
    """Who is called if nobody answers, and who if somebody takes it at once but it is not resolved."""
    people = {person.pk: person for level in row.levels for person in level.people}
    rule = Ladder(
        row.respond_within_s,
        row.escalate_after_s,
        tuple(tuple(person.pk for person in level.people) for level in row.levels),
    )
    start = clock.now()
    return (
        oncall.foretell(rule, people, start=start),
        oncall.foretell(rule, people, start=start, acknowledged_at_once=True),
    )


def contacts() -> list[ContactRow]:
    """All contacts, active ones first."""
    found = _contacts().order_by("-active", "name")
    tests = _tests(method.pk for contact in found for method in contact.methods.all())
    return [_row(contact, tests) for contact in found]


def contact_row(pk: int) -> ContactRow:
    """One contact; 404 when it is gone."""
    contact = _contacts().filter(pk=pk).first()
    if contact is None:
        raise Http404("There is no such contact any more.")
    return _row(contact, _tests(method.pk for method in contact.methods.all()))


def method_row(method: ContactMethod) -> MethodRow:
    """One way to reach someone."""
    return _method(method, _tests([method.pk]), first=method.contact.methods.first() == method)


def get_method(pk: int) -> ContactMethod:
    """The method; 404 when it is gone."""
    method = ContactMethod.objects.select_related("contact").filter(pk=pk).first()
    if method is None:
        raise Http404("This way to reach the contact is gone.")
    return method


def get_rule(severity: str) -> SeverityRule:
    """The default policy's rule for a severity, unsaved if it has none yet; 404 without a policy."""
    policy = ladder.default_policy()
    if policy is None or severity not in Severity.values:
        raise Http404("There is no such row.")
    rule = policy.rules.select_related("policy").filter(severity=severity).first()
    return rule or SeverityRule(policy=policy, severity=severity, respond_within_s=900, escalate_after_s=3600)


def mail_goes_nowhere(contacts: Iterable[ContactRow]) -> bool:
    """Whether one of them is to be reached by mail although no mail server is set."""
    active = [row.contact for row in contacts if row.contact.active]
    return not settings.EMAIL_URL and any(
        method.channel == "email" for contact in active for method in contact.methods.all()
    )


def running(incident: Incident) -> Running | None:
    """The escalation of an incident, level by level, with the pages of each."""
    escalation = Escalation.objects.filter(incident=incident).first()
    if escalation is None:
        return None
    people = ladder.people_of(escalation)
    kept = Ladder.of(escalation.snapshot)
    upcoming = next_call(incident, escalation, people)
    pages: dict[int, list[Message]] = {}
    for message in incident.messages.filter(kind=MessageKind.PAGE).order_by("id"):
        pages.setdefault(message.level, []).append(message)
    rungs = []
    for number, level in enumerate(kept.levels, start=1):
        due = upcoming[0] if upcoming and upcoming[1] == number else None
        state = "called" if pages.get(number) else "waiting"
        rungs.append(Rung(number, [people[pk] for pk in level], "next" if due else state, due, pages.get(number, [])))
    state = EscalationState(escalation.state)
    return Running(
        state=state.value,
        label=str(state.label),
        step=f"{escalation.generation}.{escalation.cycle}.{escalation.level}",
        rungs=rungs,
        due=escalation.next_at,
        held_until=escalation.held_until,
        may_hold=escalation.held_until is None and escalation.next_at is not None,
        over=state == EscalationState.DONE,
    )


def next_call(
    incident: Incident, escalation: Escalation, people: dict[int, Person] | None = None
) -> tuple[datetime, int, tuple[Person, ...]] | None:
    """When the next call falls due, its level and its people; None when nobody will be called by itself."""
    stand = ladder.stand_of(escalation, acknowledged=incident.acknowledged_at is not None)
    people = ladder.people_of(escalation) if people is None else people
    return oncall.upcoming(Ladder.of(escalation.snapshot), stand, people)


def _contacts() -> QuerySet[Contact]:
    return Contact.objects.select_related("user").prefetch_related(
        Prefetch("methods", ContactMethod.objects.all()), "rungs"
    )


def _tests(methods: Iterable[int]) -> dict[int, Message]:
    """The newest test of each method."""
    newest = Message.objects.filter(kind=MessageKind.TEST, method__in=list(methods))
    found: dict[int, Message] = {}
    for test in newest.order_by("method_id", "-id").distinct("method_id"):
        assert test.method_id is not None
        found[test.method_id] = test
    return found


def _row(contact: Contact, tests: dict[int, Message]) -> ContactRow:
    user = contact.user
    places = sorted({f"{rung.severity} level {rung.level}" for rung in contact.rungs.all()})
    methods = [_method(method, tests, first=number == 0) for number, method in enumerate(contact.methods.all())]
    account = (user.get_full_name() or user.get_username()) if user else ""
    return ContactRow(contact, account, ladder.person(contact).trouble, methods, places)


def _method(method: ContactMethod, tests: dict[int, Message], *, first: bool) -> MethodRow:
    channel = channels.get(method.channel)
    return MethodRow(
        pk=method.pk,
        label=channel.label if channel else method.channel,
        shown=channel.shown(method.address) if channel else "",
        verified_at=method.verified_at,
        trouble=method.disabled_reason,
        first=first,
        test=tests.get(method.pk),
    )
