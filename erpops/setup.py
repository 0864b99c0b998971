"""What a fresh installation contains: each app registers a step, `manage.py prepare` runs them in order."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.models import User

from erpops.registry import Registry


@dataclass(frozen=True)
class SetupContext:
    """What a step may use: the oldest active admin account, and a printer of lines for who waits."""

    admin: User | None
    say: Callable[[str], None]


# A step is idempotent and quick when there is nothing to do: it runs at every start. It never brings
# back what a person deleted nor changes what a person edited.
steps: Registry[Callable[[SetupContext], None]] = Registry("setup step")
