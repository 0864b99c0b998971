"""Levels that reach nobody: what the database is asked agrees with what the matrix shows."""

from itertools import combinations_with_replacement, product

import pytest
from django.contrib.auth.models import User

from incidents import ladder, matrix
from incidents.models import Contact, ContactMethod, EscalationPolicy, Rung, SeverityRule

ACCOUNTS = ["none", "active", "disabled"]
WAYS: list[list[tuple[str, bool]]] = [
    [],
    [("email", True)],
    [("email", False)],
    [("pigeon", True)],
    [("email", False), ("slack", True)],
]


def contact(number: int, active: bool, account: str, ways: list[tuple[str, bool]]) -> Contact:
    user = None
    if account != "none":
        user = User.objects.create(username=f"u{number}", is_active=account == "active")
    made = Contact.objects.create(name=f"c{number}", active=active, user=user)
    for channel, enabled in ways:
        ContactMethod.objects.create(contact=made, channel=channel, address="x", enabled=enabled)
    return made


@pytest.mark.django_db
def test_contacts_in_every_state_alone_and_in_pairs() -> None:
    EscalationPolicy.objects.all().delete()
    policy = EscalationPolicy.objects.create(name="Default", is_default=True)
    other = EscalationPolicy.objects.create(name="Other")
    SeverityRule.objects.create(policy=policy, severity="SEV1", respond_within_s=1, escalate_after_s=1)
    states = product((True, False), ACCOUNTS, WAYS)
    contacts = [contact(number, *state) for number, state in enumerate(states)]
    levels = [(one,) for one in contacts] + list(combinations_with_replacement(contacts[::4], 2))
    for level, people in enumerate(levels, start=1):
        for one in set(people):
            for severity in ("SEV1", "SEV2"):
                Rung.objects.create(policy=policy, severity=severity, level=level, contact=one)
        Rung.objects.create(policy=other, severity="SEV1", level=level, contact=contacts[-1])
    (row,) = matrix.matrix(policy)
    shown = {("SEV1", level.number) for level in row.levels if level.gap}
    asked = set(ladder.unreachable_rungs().values_list("severity", "level"))
    assert asked == shown and 0 < len(shown) < len(levels)
