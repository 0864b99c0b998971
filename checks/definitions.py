"""The writer of what checks and targets are: adding, editing, removing."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from checks import verdicts
from checks.models import Check, Target
from checks.probes import probes
from checks.verdicts import TOPIC
from erpops import audit
from erpops.nudges import nudge


def save_check(*, check: Check, by: User, **values: Any) -> Check:
    """Create or change a check. One that is switched off takes its alert along."""
    with transaction.atomic():
        fresh = check.pk is None
        for name, value in values.items():
            setattr(check, name, value)
        check.unit = probes[check.probe].unit(check.options)
        if fresh:
            check.save(force_insert=True)
        else:
            # A new rhythm counts from now.
            check.next_at = None
            check.save(update_fields=[*values, "unit", "next_at"])
            if not check.enabled:
                verdicts.retire(check=check)
        action = "check.create" if fresh else "check.edit"
        audit.record(action=action, target=f"check:{check.pk}", by=by, name=check.name, changed=sorted(values))
        nudge(TOPIC)
    return check


def remove_check(*, check: Check, by: User) -> None:
    """Remove it with its results, and end the alert that it raised."""
    with transaction.atomic():
        verdicts.retire(check=check)
        audit.record(action="check.remove", target=f"check:{check.pk}", by=by, name=check.name)
        Check.objects.filter(pk=check.pk).delete()
        nudge(TOPIC)


def save_target(*, target: Target, by: User, **values: Any) -> Target:
    """Create or change a target. The audit names what changed and never the credential."""
    with transaction.atomic():
        fresh = target.pk is None
        for name, value in values.items():
            setattr(target, name, value)
        if fresh:
            target.save(force_insert=True)
        else:
            target.save(update_fields=list(values))
        if not target.enabled:
            for check in target.checks.all():
                verdicts.retire(check=check)
        action = "target.create" if fresh else "target.edit"
        audit.record(action=action, target=f"target:{target.pk}", by=by, name=target.name, changed=sorted(values))
        nudge(TOPIC)
    return target


def remove_target(*, target: Target, by: User) -> bool:
    """Remove a target that no check measures; False when there are checks on it."""
    with transaction.atomic():
        row = Target.objects.select_for_update(of=("self",)).get(pk=target.pk)
        if row.checks.exists():
            return False
        audit.record(action="target.remove", target=f"target:{target.pk}", by=by, name=target.name)
        row.delete()
    return True
