"""Reads of contacts and policies in the form that `incidents.oncall` reckons with."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from incidents.channels import channels
from incidents.models import Contact, ContactMethod, Escalation, EscalationPolicy, Rung, SeverityRule
from incidents.oncall import Ladder, Person, Stand

NO_METHOD = "no way to reach"


def people(ids: Iterable[int], *, names: Mapping[int, str] | None = None) -> dict[int, Person]:
    """The contacts with these ids as they are now; one that is gone is a person with that trouble."""
    wanted = set(ids)
    contacts = Contact.objects.filter(pk__in=wanted).select_related("user").prefetch_related("methods")
    found = {contact.pk: person(contact) for contact in contacts}
    for gone in wanted - found.keys():
        found[gone] = Person(gone, (names or {}).get(gone, "A contact"), "was deleted")
    return found


def person(contact: Contact) -> Person:
    """A contact, how it is reached first, or why it cannot be."""
    if not contact.active:
        return Person(contact.pk, contact.name, "is not active")
    if contact.user is not None and not contact.user.is_active:
        return Person(contact.pk, contact.name, "has a disabled account")
    method = first_method(contact)
    if method is None:
        return Person(contact.pk, contact.name, NO_METHOD)
    return Person(contact.pk, contact.name, channel=method.channel)


def first_method(contact: Contact) -> ContactMethod | None:
    """The method that a page goes to; the later ones stand in when it fails."""
    return next((m for m in contact.methods.all() if m.enabled and channels.get(m.channel)), None)


def unreachable_rungs() -> QuerySet[Rung]:
    """The rungs of the default policy at whose level nobody can be called, by the rule of `person`."""
    ways = ContactMethod.objects.filter(contact=OuterRef("contact"), enabled=True, channel__in=list(channels))
    able = Q(contact__active=True) & ~Q(contact__user__is_active=False)
    level = Rung.objects.filter(
        able, Exists(ways), policy=OuterRef("policy"), severity=OuterRef("severity"), level=OuterRef("level")
    )
    ruled = SeverityRule.objects.filter(policy=OuterRef("policy"), severity=OuterRef("severity"))
    return Rung.objects.filter(~Exists(level), Exists(ruled), policy__is_default=True)


def default_policy() -> EscalationPolicy | None:
    """The policy that new incidents follow."""
    return EscalationPolicy.objects.filter(is_default=True).first()


def snapshot(policy: EscalationPolicy, severity: str) -> dict[str, Any] | None:
    """What a running escalation keeps of the policy; None without a rule for that severity."""
    rule = policy.rules.filter(severity=severity).first()
    if rule is None:
        return None
    return {
        "policy": policy.name,
        "version": policy.version,
        "severity": severity,
        "respond_within_s": rule.respond_within_s,
        "escalate_after_s": rule.escalate_after_s,
        "levels": levels(policy, severity),
    }


def levels(policy: EscalationPolicy, severity: str) -> list[list[dict[str, Any]]]:
    """The rungs of one severity, by level without gaps."""
    by_level: dict[int, list[dict[str, Any]]] = {}
    for rung in policy.rungs.filter(severity=severity).select_related("contact"):
        by_level.setdefault(rung.level, []).append({"id": rung.contact_id, "name": rung.contact.name})
    return [by_level[level] for level in sorted(by_level)]


def ladder_of(rule: SeverityRule) -> Ladder:
    """The ladder as the policy has it now."""
    here = levels(rule.policy, rule.severity)
    return Ladder(
        rule.respond_within_s, rule.escalate_after_s, tuple(tuple(entry["id"] for entry in level) for level in here)
    )


def names_in(kept: Mapping[str, Any]) -> dict[int, str]:
    """Contact names as a snapshot remembers them."""
    return {entry["id"]: entry["name"] for level in kept["levels"] for entry in level}


def people_of(escalation: Escalation) -> dict[int, Person]:
    """Everyone on the ladder of a running escalation, as they are now."""
    names = names_in(escalation.snapshot)
    return people(names, names=names)


def stand_of(escalation: Escalation, *, acknowledged: bool) -> Stand:
    """Where a running escalation stands."""
    return Stand(
        cycle=escalation.cycle,
        level=escalation.level,
        acknowledged=acknowledged,
        late_calls=escalation.late_calls,
        respond_due=escalation.respond_due_at,
        escalate_due=escalation.escalate_due_at,
    )
