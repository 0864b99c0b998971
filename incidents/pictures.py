"""Pictures in notes: the only writer of Picture. In a text they stand as `![what it shows](picture:KEY)`."""

import re
import secrets
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from erpops import audit
from erpops.clock import Now, seconds
from erpops.sse import feeds
from incidents import images
from incidents.images import NotAPicture
from incidents.models import Picture

MOST_BYTES = 8 * 1024 * 1024
MOST_IN_ONE_PLACE = 300
# A picture that no note shows is forgotten after this long: its draft was.
UNUSED_S = 7 * 24 * 3600.0
REFERENCE = re.compile(r"!\[([^\]\n]*)\]\(picture:([A-Za-z0-9_-]{22})\)")


def add(*, upload: UploadedFile, topic: str, by: User) -> Picture:
    """Keep one picture for `topic`, cleaned. Raises `NotAPicture` with a sentence."""
    if (upload.size or 0) > MOST_BYTES:
        raise NotAPicture(f"A picture has at most {MOST_BYTES // 1024 // 1024} MB; make it smaller.")
    found = images.clean(upload.read())
    with transaction.atomic():
        if Picture.objects.filter(topic=topic).count() >= MOST_IN_ONE_PLACE:
            raise NotAPicture(f"There are {MOST_IN_ONE_PLACE} pictures here already; link to further ones.")
        picture = Picture.objects.create(
            key=secrets.token_urlsafe(16),
            topic=topic,
            kind=found.kind,
            width=found.width,
            height=found.height,
            data=found.data,
            at=Now(),
            by=by,
        )
        audit.record(action="picture.add", target=topic, by=by, key=picture.key, kind=found.kind)
    return picture


def add_all(*, uploads: Iterable[UploadedFile], topic: str, by: User) -> str:
    """Keep pictures; Markdown that shows them, a paragraph each."""
    return "\n\n".join(reference(add(upload=upload, topic=topic, by=by)) for upload in uploads)


def reference(picture: Picture) -> str:
    """How a text shows it."""
    return f"![picture {picture.width} × {picture.height}](picture:{picture.key})"


def use(text: str) -> None:
    """A note shows these: they stay."""
    if keys := [key for _, key in REFERENCE.findall(text)]:
        Picture.objects.filter(key__in=keys, used=False).update(used=True)


def visible(user: User, key: str) -> Picture | None:
    """The picture, for somebody who may watch what it belongs to."""
    picture = Picture.objects.filter(key=key).first()
    if picture is None:
        return None
    kind, _, rest = picture.topic.partition(":")
    feed = feeds.get(kind)
    return picture if feed is not None and feed.allowed(user, rest) else None


def sweep() -> int:
    """Forget pictures that no note has come to show; how many."""
    return Picture.objects.filter(used=False, at__lt=Now() - seconds(UNUSED_S)).delete()[0]


def in_words(text: str) -> str:
    """`text` with words where it shows pictures."""
    return REFERENCE.sub(lambda found: f"({found[1] or 'picture'})", text)


def with_addresses(text: str) -> str:
    """`text` for readers outside: its pictures by their full addresses, which ask for a sign-in."""
    return REFERENCE.sub(lambda found: f"![{found[1]}]({settings.PUBLIC_URL}/picture/{found[2]})", text)
