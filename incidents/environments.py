"""The writer of environments: where things run, and what commands there receive."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from erpops import audit
from incidents.models import Environment


def store(*, environment: Environment, by: User, **values: Any) -> Environment:
    """Create or change an environment. The audit names what changed; variables are plain values, so it shows them."""
    with transaction.atomic():
        fresh = environment.pk is None
        before = {} if fresh else {name: getattr(environment, name) for name in values}
        for name, value in values.items():
            setattr(environment, name, value)
        if fresh:
            environment.save(force_insert=True)
        else:
            environment.save(update_fields=list(values))
        changed = {name: value for name, value in values.items() if fresh or before[name] != value}
        action = "environment.create" if fresh else "environment.edit"
        audit.record(
            action=action, target=f"environment:{environment.pk}", by=by, **({"name": environment.name} | changed)
        )
    return environment
