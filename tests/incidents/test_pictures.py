"""Pictures in notes: taken by what their bytes are, cleaned of everything else, shown to those who see the incident."""

import random
import struct
import zlib
from io import BytesIO

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from erpops import access
from incidents import images, lifecycle, pictures, postmortem
from incidents.images import NotAPicture
from incidents.markdown import render, without_controls
from incidents.models import Environment, Incident, Picture
from runbooks import executions
from tests.clock import Clock, clock
from tests.runbooks.builders import command, compiled, person, phase, publish, step

__all__ = ["clock"]
SECRET = b"GPS 52.5200 N, owner@example.org"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int = 2, height: int = 1, *, more: bytes = b"", behind: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(b"\0" + b"\xff\0\0" * 2))
    return b"\x89PNG\r\n\x1a\n" + head + more + rows + chunk(b"IEND", b"") + behind


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def jpeg(orientation: int = 6) -> bytes:
    """Its parts in order; a scan with a stuffed byte and a restart in it."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + b"\0\0\0\0" + SECRET
    frame = struct.pack(">BHHB", 8, 30, 40, 1) + b"\x01\x11\0"
    scan = segment(0xDA, b"\x01\x01\0\0\x3f\0") + b"\x12\xff\x00\x34\xff\xd0\x56"
    return (
        b"\xff\xd8" + segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0") + segment(0xE1, exif)
        + segment(0xED, b"Photoshop 3.0\0" + SECRET) + segment(0xFE, SECRET) + segment(0xDB, b"\0" + b"\x01" * 64)
        + segment(0xC0, frame) + segment(0xC4, b"\0" * 17) + scan + b"\xff\xd9" + SECRET
    )  # fmt: skip


def gif() -> bytes:
    palette = b"\0\0\0\xff\xff\xff"
    picture = b"\x2c\0\0\0\0\x03\0\x02\0\0\x02\x02\x44\x01\0"
    comment = b"\x21\xfe" + bytes([len(SECRET)]) + SECRET + b"\0"
    loops = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    return b"GIF89a\x03\0\x02\0\x80\0\0" + palette + comment + loops + picture + b"\x3b" + SECRET


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(n + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for n, b in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp() -> bytes:
    extended = bytes([0x08 | 0x04 | 0x10, 0, 0, 0]) + (49).to_bytes(3, "little") + (59).to_bytes(3, "little")
    return riff((b"VP8X", extended), (b"VP8L", b"\x2f\0\0\0\0\0"), (b"EXIF", SECRET), (b"XMP ", SECRET)) + SECRET


SAMPLES = {
    "png": (png(more=chunk(b"tEXt", b"Author\0" + SECRET) + chunk(b"eXIf", SECRET), behind=SECRET), (2, 1)),
    "jpeg": (jpeg(), (40, 30)),
    "gif": (gif(), (3, 2)),
    "webp": (webp(), (50, 60)),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_picture_is_what_its_bytes_are_and_loses_what_is_not_the_picture(kind: str) -> None:
    data, size = SAMPLES[kind]
    assert SECRET in data
    found = images.clean(data)
    assert (found.kind, (found.width, found.height)) == (kind, size)
    assert SECRET not in found.data
    assert images.clean(found.data).data == found.data, "nothing is left to take away"


def test_a_photograph_stays_upright_and_its_scan_whole() -> None:
    found = images.clean(jpeg(6)).data
    assert b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06" in found
    assert b"\x12\xff\x00\x34\xff\xd0\x56\xff\xd9" in found
    assert found.endswith(b"\xff\xd9")
    assert b"Exif" not in images.clean(jpeg(1)).data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<html>hello",
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n",
        png()[:-20],
        png(more=b"\0\0\0\x01tEXtx\0\0\0\0"),
        b"GIF89a<script>alert(1)</script>",
        b"\xff\xd8\xff",
        jpeg()[:200],
        riff((b"VP8X", b"\0" * 10))[:20],
        riff((b"JUNK", b"xx")),
        png(0, 1),
    ],
)
def test_what_is_no_whole_picture_is_not_taken(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        images.clean(data)


def test_a_picture_that_claims_too_many_pixels_is_not_taken() -> None:
    with pytest.raises(NotAPicture, match="40 million"):
        images.clean(png(100_000, 100_000))


def test_broken_bytes_are_refused_and_never_more() -> None:
    dice = random.Random(5)
    for _ in range(3000):
        data = bytearray(SAMPLES[dice.choice(list(SAMPLES))][0])
        for _ in range(dice.randrange(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            images.clean(bytes(data[: dice.randrange(len(data) + 1)]))
        except NotAPicture:
            continue


def test_only_own_pictures_are_shown() -> None:
    key = "a" * 22
    html = render(f"![a <b>](picture:{key}) and ![x](https://evil.example/x.png) and ![y](picture:short)")
    assert f'<img src="/picture/{key}" alt="a &lt;b&gt;" loading="lazy">' in html
    assert html.count("<img") == 1
    assert "evil" not in html
    assert "<img" not in render('<img src="/picture/aaaaaaaaaaaaaaaaaaaaaa" onerror=alert(1)>')


def test_terminal_output_loses_its_colours_and_nothing_else() -> None:
    assert without_controls("\x1b[1;31mred\x1b[0m\t|\x1b]0;title\x07 ü\r\n$ ls\x00\x08") == "red\t| ü\n$ ls"


@pytest.fixture
def op(clock: Clock) -> User:
    return person("op", access.OPERATOR)


@pytest.fixture
def place(op: User) -> Environment:
    return Environment.objects.create(name="test", label="Test")


@pytest.fixture
def incident(place: Environment, op: User) -> Incident:
    return lifecycle.open_incident(title="Broken", severity="SEV3", environment=place, by=op)


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def upload(data: bytes, name: str = "../../evil.html", kind: str = "text/html") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type=kind)


def test_a_pasted_picture_is_shown_in_the_note_and_served_as_what_it_is(incident: Incident, op: User) -> None:
    browser = browser_of(op)
    answer = browser.post(f"/i/{incident.pk}/picture", {"picture": upload(SAMPLES["png"][0])})
    text = answer.json()["text"]
    picture = Picture.objects.get()
    assert text == f"![picture 2 × 1](picture:{picture.key})"
    browser.post(f"/i/{incident.pk}/note", {"text": f"It looks like this:\n\n{text}"})
    assert f'<img src="/picture/{picture.key}"' in browser.get(f"/i/{incident.pk}/").content.decode()
    shown = browser.get(f"/picture/{picture.key}")
    assert shown.headers["Content-Type"] == "image/png"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Disposition"] == f'inline; filename="picture-{picture.pk}.png"'
    assert shown.content == images.clean(SAMPLES["png"][0]).data


def test_a_plain_form_takes_pictures_along(incident: Incident, op: User) -> None:
    browser = browser_of(op)
    form = {"text": "Two of them", "pictures": [upload(SAMPLES["gif"][0]), upload(SAMPLES["jpeg"][0])]}
    assert browser.post(f"/i/{incident.pk}/note", form).status_code == 302
    note = incident.events.get(kind="note").text
    assert note.startswith("Two of them\n\n![picture 3 × 2](picture:")
    assert note.count("](picture:") == 2
    refused = browser.post(f"/i/{incident.pk}/note", {"text": "And this", "pictures": [upload(b"<html>")]})
    assert refused.status_code == 422
    assert "This is no picture" in refused.content.decode()
    assert "And this" in refused.content.decode(), "what was written stays"


def test_a_picture_belongs_to_its_incident(incident: Incident, op: User, place: Environment) -> None:
    picture = pictures.add(upload=upload(png()), topic=f"incident:{incident.pk}", by=op)
    stranger = person("stranger", access.OPERATOR)
    assert browser_of(stranger).get(f"/picture/{picture.key}").status_code == 200
    Environment.objects.filter(pk=place.pk).update(restricted=True)
    assert browser_of(stranger).get(f"/picture/{picture.key}").status_code == 404
    assert browser_of(stranger).post(f"/i/{incident.pk}/picture", {"picture": upload(png())}).status_code == 404
    assert browser_of(person("guest", access.STAKEHOLDER)).get(f"/picture/{picture.key}").status_code == 403
    assert Client().get(f"/picture/{picture.key}").status_code == 302
    assert browser_of(op).get(f"/picture/{'x' * 22}").status_code == 404


def test_too_large_or_too_many_are_refused(incident: Incident, op: User, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = browser_of(op)
    monkeypatch.setattr(pictures, "MOST_BYTES", 50)
    answer = browser.post(f"/i/{incident.pk}/picture", {"picture": upload(png())})
    assert answer.status_code == 422
    monkeypatch.setattr(pictures, "MOST_BYTES", 5000)
    monkeypatch.setattr(pictures, "MOST_IN_ONE_PLACE", 1)
    assert browser.post(f"/i/{incident.pk}/picture", {"picture": upload(png())}).status_code == 200
    assert (
        "pictures here already"
        in browser.post(f"/i/{incident.pk}/picture", {"picture": upload(png())}).json()["problem"]
    )


def test_pictures_stand_in_the_review_and_its_export(incident: Incident, op: User) -> None:
    browser = browser_of(op)
    browser.post(f"/i/{incident.pk}/note", {"text": "Graph", "pictures": [upload(png())]})
    lifecycle.resolve(incident=incident, resolution="gone", by=op)
    key = Picture.objects.get().key
    body = postmortem.begin(incident=incident).body
    assert "## Pictures" in body
    assert f"![picture 2 × 1](picture:{key})" in body
    assert "(picture 2 × 1)" in body, "the table has words for it"
    assert f'<img src="/picture/{key}"' in browser.get(f"/i/{incident.pk}/review").content.decode()
    assert f"/picture/{key})" in browser.get(f"/i/{incident.pk}/review.md").content.decode()


def test_a_picture_that_no_note_shows_is_forgotten(incident: Incident, op: User, clock: Clock) -> None:
    kept, lost = (pictures.add(upload=upload(png()), topic=f"incident:{incident.pk}", by=op) for _ in range(2))
    lifecycle.add_note(incident=incident, text=pictures.reference(kept), by=op)
    clock.advance(days=6)
    assert pictures.sweep() == 0
    clock.advance(days=2)
    assert pictures.sweep() == 1
    assert list(Picture.objects.values_list("key", flat=True)) == [kept.key]
    assert lost.key != kept.key


def test_a_procedure_takes_pictures_too(place: Environment, op: User) -> None:
    [runbook] = publish(compiled("Morning", phase("diagnosis", step("Look", command("df -h")))))
    execution = executions.start(runbook=runbook, incident=None, environment=place, by=op)
    browser = browser_of(op)
    text = browser.post(f"/p/{execution.pk}/picture", {"picture": BytesIO(png())}).json()["text"]
    browser.post(f"/p/{execution.pk}/note", {"text": text, "pictures": [upload(gif())]})
    page = browser.get(f"/p/{execution.pk}/").content.decode()
    assert page.count('<img src="/picture/') == 2
    assert Picture.objects.filter(topic=f"execution:{execution.pk}", used=True).count() == 2
