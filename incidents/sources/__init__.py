"""Who sends alerts: the parsers by kind, and the writer of `Source`.

A new kind is one folder with a `parse(data, source)` and one line below.
"""

import hashlib
import secrets
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from erpops import audit
from erpops.registry import Registry
from incidents.models import Environment, Source
from incidents.sources import alertmanager, generic
from incidents.sources.parsed import ParsedAlert

Parser = Callable[[dict[str, Any], Source], list[ParsedAlert]]

# Kinds that answer at /hooks/<kind>; a source of another kind (the console's own checks) has no door.
parsers: Registry[Parser] = Registry("alert source")
parsers.add("alertmanager", alertmanager.parse)
parsers.add("generic", generic.parse)

KIND_LABELS = {"alertmanager": "Alertmanager", "generic": "Generic JSON", "checks": "Built-in checks"}


def create(
    *, name: str, kind: str, environment: Environment | None = None, by: User | None = None
) -> tuple[Source, str]:
    """A new source and its token, which is shown this once."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        source = Source.objects.create(
            name=name, kind=kind, environment=environment, token=token, token_sha256=token_digest(token)
        )
        audit.record(action="source.create", target=f"source:{source.pk}", by=by, name=name, kind=kind)
    return source, token


def rotate(*, source: Source, by: User) -> str:
    """A new token for `source`; the old one is refused from now on."""
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        source.token, source.token_sha256 = token, token_digest(token)
        source.save(update_fields=["token", "token_sha256"])
        audit.record(action="source.rotate", target=f"source:{source.pk}", by=by)
    return token


def set_enabled(*, source: Source, enabled: bool, by: User) -> None:
    """Take deliveries of `source`, or refuse them."""
    with transaction.atomic():
        source.enabled = enabled
        source.save(update_fields=["enabled"])
        audit.record(action="source.enable", target=f"source:{source.pk}", by=by, enabled=enabled)


def token_digest(token: str) -> str:
    """What a token is looked up by."""
    return hashlib.sha256(token.encode()).hexdigest()


def find(digest: str) -> Source | None:
    """The enabled source whose token has this digest."""
    return Source.objects.select_related("environment").filter(token_sha256=digest, enabled=True).first()
