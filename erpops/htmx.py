"""What every page shares: the shell's context, navigation, and page-or-fragment rendering."""

from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django_htmx.middleware import HtmxDetails

from erpops import access, clock, needs
from erpops.registry import Registry

VERSION = "0.1.0"


class HtmxRequest(HttpRequest):
    """A request that passed django-htmx's middleware and sign-in."""

    htmx: HtmxDetails
    user: User


@dataclass(frozen=True)
class NavItem:
    """A place in the rail: shown to people with `capability`; `match` are the URL prefixes that light it.

    `position` orders them (a phone's bar shows the first five); `key` opens it after `g`.
    """

    label: str
    view: str
    icon: str
    capability: str
    match: tuple[str, ...]
    position: int = 50
    key: str = ""


nav: Registry[NavItem] = Registry("navigation")


def page(request: HttpRequest, template: str, part: str, context: dict[str, Any]) -> HttpResponse:
    """Render `template`, or only its included `part` when htmx asks for a fragment."""
    fragment = bool(getattr(request, "htmx", None)) and not request.headers.get("HX-Boosted")
    response = render(request, part if fragment else template, context)
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor for base.html; empty for fragments, which have no shell."""
    theme = request.COOKIES.get("theme", "system")
    context: dict[str, Any] = {"theme": theme if theme in {"light", "dark"} else "system", "product_version": VERSION}
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or getattr(request, "htmx", False):
        return context
    roles, bell = access.roles_of(user), cache(partial(_bell, user))
    context |= {
        "nav": _nav(request, user),
        "can_declare": access.can(user, "declare_incident"),
        "user_display": user.get_full_name() or user.get_username(),
        "user_role": ", ".join(access.ROLE_LABELS[role] for role in access.ROLES if role in roles) or "No role",
        "solo_mode": access.solo_mode() if access.can(user, "see_console") else False,
        # Asked once, by the template, unless the page knows better.
        "needs_count": lambda: bell().number,
        "server_time": lambda: bell().at,
    }
    return context


def _bell(user: User) -> needs.Bell:
    return needs.bell_of(user) if access.can(user, "see_console") else needs.Bell(0, clock.now())


def _nav(request: HttpRequest, user: User) -> list[dict[str, Any]]:
    path = request.path
    return [
        {
            "label": item.label,
            "url": reverse(item.view),
            "icon": item.icon,
            "active": path == "/" if item.match == ("/",) else path.startswith(item.match),
            "count": None,
            "key": item.key,
        }
        for item in sorted(nav.values(), key=lambda item: item.position)
        if access.can(user, item.capability)
    ]
