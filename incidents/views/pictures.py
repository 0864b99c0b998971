"""Pictures of notes: taking one, and showing it to those who may see what it belongs to."""

from django.http import Http404, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from erpops import access
from erpops.htmx import HtmxRequest
from incidents import pictures
from incidents.images import NotAPicture
from incidents.views.answers import working_on


@require_POST
@access.needs("work_incidents")
def add(request: HtmxRequest, number: int) -> HttpResponse:
    """Keep a picture that was pasted into a note of the incident."""
    incident = working_on(request, number)
    return taken(request, topic=f"incident:{incident.pk}")


def taken(request: HtmxRequest, *, topic: str) -> HttpResponse:
    """Keep the picture of the request for `topic`; the Markdown that shows it, or why it is not taken."""
    upload = request.FILES.get("picture")
    if upload is None:
        return JsonResponse({"problem": "Choose a picture first."}, status=422)
    try:
        picture = pictures.add(upload=upload, topic=topic, by=request.user)
    except NotAPicture as error:
        return JsonResponse({"problem": str(error)}, status=422)
    return JsonResponse({"text": pictures.reference(picture)})


@require_GET
@access.needs("see_console")
def show(request: HtmxRequest, key: str) -> HttpResponse:
    """The picture itself, as what it is and nothing else."""
    picture = pictures.visible(request.user, key)
    if picture is None:
        raise Http404("There is no such picture, or it is not yours to see.")
    response = HttpResponse(bytes(picture.data), content_type=f"image/{picture.kind}")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Disposition"] = f'inline; filename="picture-{picture.pk}.{picture.kind}"'
    # Whoever loses the right to see it must ask again soon.
    response.headers["Cache-Control"] = "private, max-age=300"
    return response
