"""Views of the shell itself: health, theme, errors."""

import sys

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from erpops import access, beats, conflicts, health


@login_not_required
@require_GET
def healthz(request: HttpRequest) -> JsonResponse:
    """Whether this console can do its work: 200 with the database, 503 without.

    `worker` is true while one lives and nothing waits for one; `workers` is how many live. Anybody may ask, so the
    words name no queue.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        workers, waits = len(beats.alive("worker")), bool(health.waiting())
        state = {"status": "ok", "engine": bool(beats.alive("engine")), "worker": workers > 0 and not waits}
        said = {"waits": "Commands or checks are due and nobody begins them."} if waits else {}
        return JsonResponse(state | {"workers": workers} | said)
    except DatabaseError:
        return JsonResponse({"status": "no database"}, status=503, headers={"Retry-After": "5"})


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen colours in a cookie."""
    chosen = request.POST.get("theme", "system")
    target = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}):
        target = "/"
    response = redirect(target)
    if chosen in {"system", "light", "dark"}:
        response.set_cookie(
            "theme", chosen, max_age=31_536_000, samesite="Lax", httponly=False, secure=settings.SESSION_COOKIE_SECURE
        )
    return response


def not_allowed(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The 403 page: what is needed, and who can give it."""
    context = {
        "message": str(exception) if isinstance(exception, access.NotAllowed) else "You may not see this.",
        "admins": [user.get_full_name() or user.get_username() for user in access.people_with_role(access.ADMIN)],
    }
    return render(request, "403.html", context, status=403)


def failed(request: HttpRequest) -> HttpResponse:
    """The page of an error: 503 with a time to come back where only the database is missing, else 500."""
    absent = conflicts.is_absent(sys.exc_info()[1])
    page = loader.render_to_string("500.html", {"absent": absent})
    return HttpResponse(page, status=503 if absent else 500, headers={"Retry-After": "5"} if absent else {})
