"""The only writer of who is called: the severity matrix, contacts, and the ways to reach them."""

from typing import TypedDict

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Max

from erpops import audit
from erpops.clock import Now
from incidents.channels import channels
from incidents.channels.transport import TransportError
from incidents.channels.webhook import new_secret
from incidents.choices import MessageKind, Severity
from incidents.models import Contact, ContactMethod, EscalationPolicy, Message, Rung, SeverityRule

FIRST = "On-call"
MIN, HOUR, DAY = 60, 3600, 86400
# severity, meaning, respond within, escalate after, who is called at the second level
DEFAULT: list[tuple[str, str, int, int, str]] = [
    (Severity.SEV1, "Users cannot work, or data is at risk", 5 * MIN, 30 * MIN, "DevOps Lead"),
    (Severity.SEV2, "A main function is broken or very slow", 15 * MIN, HOUR, "Development Lead"),
    (Severity.SEV3, "Something is impaired; there is a way around", HOUR, 4 * HOUR, "Team Lead"),
    (Severity.SEV4, "A small fault, or a question", 4 * HOUR, DAY, "Team Member"),
]


class Refused(ValueError):
    """The change cannot be made; the text says what to do."""


class RuleValues(TypedDict):
    """One row of the matrix: durations in seconds, contact ids by level."""

    meaning: str
    respond_within_s: int
    escalate_after_s: int
    levels: list[list[int]]


def ensure_default(*, admin: User | None) -> None:
    """The matrix of a fresh installation, with its first admin on call. Does nothing when a policy is there."""
    with transaction.atomic():
        if EscalationPolicy.objects.exists():
            return
        policy = EscalationPolicy.objects.create(name="Default", is_default=True)
        first = _first_contact(admin)
        for severity, meaning, respond, escalate, role in DEFAULT:
            SeverityRule.objects.create(
                policy=policy, severity=severity, meaning=meaning, respond_within_s=respond, escalate_after_s=escalate
            )
            second, _ = Contact.objects.get_or_create(name=role, defaults={"role": role})
            _write_rungs(policy, severity, [[first.pk], [second.pk]])
        audit.record(action="escalation.policy", target=f"policy:{policy.pk}", change="made the default matrix")


def _first_contact(admin: User | None) -> Contact:
    contact, fresh = Contact.objects.get_or_create(name=FIRST, defaults={"user": admin})
    if fresh and admin is not None:
        # Without a mail server this ends in a file, so that a first drill shows a page all the same.
        address = admin.email or f"{admin.get_username()}@localhost"
        if not channels["email"].validate(address):
            ContactMethod.objects.create(contact=contact, channel="email", address=address)
    return contact


def save_rule(*, policy: EscalationPolicy, severity: str, values: RuleValues, seen_version: int, by: User) -> None:
    """Change one row of the matrix. Raises Refused when the matrix is newer than what the person saw."""
    with transaction.atomic():
        changed = EscalationPolicy.objects.filter(pk=policy.pk, version=seen_version).update(version=F("version") + 1)
        if not changed:
            raise Refused("Someone changed the matrix meanwhile. Look at it as it is now, then save again.")
        rule, _ = SeverityRule.objects.update_or_create(
            policy=policy,
            severity=severity,
            defaults={
                "meaning": values["meaning"],
                "respond_within_s": values["respond_within_s"],
                "escalate_after_s": values["escalate_after_s"],
            },
        )
        _write_rungs(policy, severity, [level for level in values["levels"] if level])
        details = {"severity": severity, "version": seen_version + 1, **values}
        audit.record(action="escalation.rule", target=f"policy:{rule.policy_id}", by=by, **details)


def _write_rungs(policy: EscalationPolicy, severity: str, levels: list[list[int]]) -> None:
    Rung.objects.filter(policy=policy, severity=severity).delete()
    Rung.objects.bulk_create(
        Rung(policy=policy, severity=severity, level=number, contact_id=contact)
        for number, level in enumerate(levels, start=1)
        for contact in dict.fromkeys(level)
    )


def save_contact(*, contact: Contact | None, name: str, role: str, user: User | None, by: User) -> Contact:
    """Add or change a contact. Raises Refused when the name is taken."""
    try:
        with transaction.atomic():
            contact = contact or Contact()
            contact.name, contact.role, contact.user = name, role, user
            if contact.pk:
                contact.save(update_fields=["name", "role", "user"])
            else:
                contact.save(force_insert=True)
            linked = user.get_username() if user else ""
            audit.record(
                action="contact.save", target=f"contact:{contact.pk}", by=by, name=name, role=role, user=linked
            )
    except IntegrityError as error:
        raise Refused("Another contact has that name; choose a different one.") from error
    return contact


def set_active(*, contact: Contact, active: bool, by: User) -> None:
    """Take a contact out of every ladder without losing it, or put it back. Running ladders pass over it."""
    with transaction.atomic():
        if Contact.objects.filter(pk=contact.pk).exclude(active=active).update(active=active):
            audit.record(action="contact.active", target=f"contact:{contact.pk}", by=by, active=active)


def delete_contact(*, contact: Contact, by: User) -> None:
    """Delete a contact that no ladder of the matrix names. Raises Refused otherwise."""
    with transaction.atomic():
        if contact.rungs.exists():
            raise Refused(f"{contact.name} is on call in the matrix. Take it out there first, or deactivate it.")
        audit.record(action="contact.delete", target=f"contact:{contact.pk}", by=by, name=contact.name)
        contact.delete()


def add_method(*, contact: Contact, channel: str, address: str, by: User) -> ContactMethod:
    """Add a way to reach a contact, after those it has. Raises Refused with what is wrong with the address."""
    kind = channels.get(channel)
    if kind is None:
        raise Refused("Choose one of the channels.")
    if wrong := kind.validate(address):
        raise Refused(wrong)
    with transaction.atomic():
        # The lock makes two quick clicks one method.
        Contact.objects.select_for_update().get(pk=contact.pk)
        for method in contact.methods.filter(channel=channel):
            if method.address == address:
                return method
        last = contact.methods.aggregate(last=Max("position"))["last"]
        method = ContactMethod.objects.create(
            contact=contact,
            channel=channel,
            address=address,
            secret=new_secret() if kind.signed else "",
            position=0 if last is None else last + 1,
        )
        shown = kind.shown(address)
        audit.record(action="contact.method", target=f"contact:{contact.pk}", by=by, channel=channel, address=shown)
    return method


def remove_method(*, method: ContactMethod, by: User) -> None:
    """Take a way to reach a contact away. Its waiting messages fail and say why."""
    with transaction.atomic():
        target = f"contact:{method.contact_id}"
        if ContactMethod.objects.filter(pk=method.pk).delete()[0]:
            audit.record(action="contact.method_removed", target=target, by=by, channel=method.channel)


def prefer_method(*, method: ContactMethod, by: User) -> None:
    """Make this the way that pages take first."""
    with transaction.atomic():
        Contact.objects.select_for_update().get(pk=method.contact_id)
        others = [other.pk for other in method.contact.methods.all() if other.pk != method.pk]
        for position, pk in enumerate([method.pk, *others]):
            ContactMethod.objects.filter(pk=pk).update(position=position)
        audit.record(
            action="contact.method_first", target=f"contact:{method.contact_id}", by=by, channel=method.channel
        )


def confirm_method(*, method: ContactMethod, by: User) -> None:
    """A person says that messages arrive there."""
    with transaction.atomic():
        if ContactMethod.objects.filter(pk=method.pk, verified_at=None).update(verified_at=Now(), disabled_reason=""):
            target = f"contact:{method.contact_id}"
            audit.record(action="contact.method_verified", target=target, by=by, channel=method.channel)


def note_fate(message: Message, *, error: TransportError | None = None) -> None:
    """What an attempt says about the method: a receiver that answers a test is verified, a refusal undoes it."""
    if message.method_id is None:
        return
    method = ContactMethod.objects.filter(pk=message.method_id)
    if error is not None:
        if error.permanent:
            method.update(verified_at=None, disabled_reason=str(error)[:200])
        return
    kind = channels.get(message.channel)
    if message.kind == MessageKind.TEST and kind is not None and kind.answers:
        method.update(verified_at=Now(), disabled_reason="")
