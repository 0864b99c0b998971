"""Mistakes between settings, found at start with a stable id."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution


@register(Tags.compatibility)
def settings_fit_together(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """PostgreSQL is named, Redis is named, links in pages lead somewhere."""
    found: list[CheckMessage] = []
    if not settings.DATABASE_URL:
        found.append(
            Error(
                "No database: DATABASE_URL is not set and no embedded PostgreSQL has been started here.",
                hint="Start the console with `make run`, or set DATABASE_URL.",
                id="erpops.E001",
            )
        )
    if settings.DATABASE_URL and not settings.REDIS_URL:
        found.append(
            Caution(
                "No REDIS_URL: alerts and pages work, commands and checks do not run.",
                hint="Set REDIS_URL to a Redis or Valkey server.",
                id="erpops.W001",
            )
        )
    if not settings.PUBLIC_URL.startswith(("http://", "https://")):
        found.append(
            Error("ERPOPS_URL must begin with http:// or https://.", hint="Pages link to it.", id="erpops.E002")
        )
    return found
