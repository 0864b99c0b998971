"""Alert sources: who may send alerts, and how to point them here."""

from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from incidents import sources
from incidents.forms.sources import SourceForm
from incidents.models import Source
from incidents.queries import all_sources, source_called


@require_GET
@access.needs("edit_sources")
def show(request: HtmxRequest) -> HttpResponse:
    """All senders with their last word."""
    return _page(request)


def _page(
    request: HtmxRequest,
    *,
    form: SourceForm | None = None,
    shown: Source | None = None,
    token: str = "",
    code: int = 200,
) -> HttpResponse:
    context = {
        "rows": [(source, sources.KIND_LABELS.get(source.kind, source.kind)) for source in all_sources()],
        "doors": set(sources.parsers),
        "form": form or SourceForm(user=request.user),
        "shown": shown,
        "token": token,
        "hook": f"{settings.PUBLIC_URL}/hooks/{shown.kind}" if shown else "",
    }
    return render(request, "incidents/sources.html", context, status=code)


@require_POST
@access.needs("edit_sources")
def add(request: HtmxRequest) -> HttpResponse:
    """Add a sender; the page that answers shows its token, once."""
    form = SourceForm(request.POST, user=request.user)
    if form.is_valid():
        asked = form.cleaned_data
        try:
            with transaction.atomic():
                source, token = sources.create(
                    name=asked["name"], kind=asked["kind"], environment=asked["environment"], by=request.user
                )
            return _page(request, shown=source, token=token)
        except IntegrityError:
            form.add_error("name", "There is a source with this name already.")
    return _page(request, form=form, code=422)


@require_POST
@access.needs("edit_sources")
def rotate(request: HtmxRequest, pk: int) -> HttpResponse:
    """A new token; the old one is refused from now on."""
    source = source_called(pk)
    return _page(request, shown=source, token=sources.rotate(source=source, by=request.user))


@require_POST
@access.needs("edit_sources")
def enable(request: HtmxRequest, pk: int) -> HttpResponse:
    """Take deliveries, or refuse them."""
    source, wanted = source_called(pk), request.POST.get("enabled") == "1"
    sources.set_enabled(source=source, enabled=wanted, by=request.user)
    messages.success(request, f"{source.name} is {'heard' if wanted else 'refused'} from now on.")
    return redirect("sources")
