"""Output: cut, coloured, masked, and the same live as saved."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from django import conf
from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks import cutting, output, sgr
from runbooks.cutting import Cutter
from runbooks.models import CommandRun, OutputChunk
from runbooks.redact import Masker
from tests.runbooks.builders import command, person, walk

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_TAG = re.compile(r"<[^>]+>")


def cut(*parts: tuple[str, bytes], turns: bool = True) -> list[OutputChunk]:
    cutter, chunks = Cutter(1), []
    for stream, data in parts:
        cutter.feed(stream, data, at=AT)
        if turns:
            chunks += cutter.take(at=AT)
    return chunks + cutter.take(at=AT, final=True)


def shown(chunks: list[OutputChunk]) -> list[str]:
    """What a browser shows that takes the frames one by one: a line that comes again replaces the old one."""
    lines: dict[int, str] = {}
    for _, found in output._by_chunk(chunks):
        for line in found:
            lines[line.number] = output.line_html(line)
    return [text for _, text in sorted(lines.items())]


def texts(chunks: list[OutputChunk]) -> list[str]:
    return [unescape(_TAG.sub("", html)) for html in shown(chunks)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["out", "err"]), st.binary(max_size=60)), max_size=20), st.booleans())
def test_no_byte_is_lost_or_moved_within_its_stream(parts: list[tuple[str, bytes]], turns: bool) -> None:
    chunks = cut(*parts, turns=turns)
    assert [chunk.seq for chunk in chunks] == list(range(1, len(chunks) + 1))
    for stream in ("out", "err"):
        sent = b"".join(data for name, data in parts if name == stream)
        assert b"".join(chunk.data for chunk in chunks if chunk.stream == stream) == sent


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="aé\x1b[31m0;\n•漢", max_size=60), st.integers(1, 7))
def test_pieces_of_any_size_show_the_same_lines(text: str, size: int) -> None:
    data = text.encode()
    pieces = [("out", data[start : start + size]) for start in range(0, len(data), size)]
    if len(pieces) < cutting.LINE_PIECES:
        assert shown(cut(*pieces)) == shown(cut(("out", data)))


def test_lines_count_over_both_streams_and_unfinished_ones_go_on() -> None:
    chunks = cut(("out", b"one\ntw"), ("out", b""), ("out", b"o\n"), ("err", b"bad\n"), ("out", b"three"))
    assert [(c.stream, c.line, c.cont, c.data) for c in chunks] == [
        ("out", 1, False, b"one\n"),
        ("out", 2, False, b"tw"),
        ("out", 2, True, b"o\n"),
        ("err", 3, False, b"bad\n"),
        ("out", 4, False, b"three"),
    ]
    assert texts(chunks) == ["one", "two", "bad", "three"]


def test_a_line_of_a_megabyte_is_shown_as_several() -> None:
    chunks = cut(("out", b"x" * 1_000_000))
    assert max(len(html) for html in shown(chunks)) < 20_000
    assert "".join(texts(chunks)) == "x" * 1_000_000


def test_a_flood_keeps_head_and_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf.settings, "COMMAND_OUTPUT_MB", 0.1)
    cutter = Cutter(1)
    chunks: list[OutputChunk] = []
    for number in range(100_000):
        cutter.feed("out", b"line %d\n" % number, at=AT)
    chunks += cutter.take(at=AT, final=True)
    data = b"".join(chunk.data for chunk in chunks)
    assert data.startswith(b"line 0\nline 1\n")
    assert data.endswith(b"line 99999\n")
    note = next(chunk for chunk in chunks if chunk.stream == "note")
    assert f"{cutter.dropped:,} bytes" in bytes(note.data).decode()
    assert len(data) - len(note.data) + cutter.dropped == cutter.total


@pytest.mark.parametrize(
    ("raw", "html"),
    [
        (b"\x1b[31mred\x1b[0m", '<span class="sgr-31">red</span>'),
        (b"\x1b[1;4;92mok", '<span class="sgr-1 sgr-4 sgr-92">ok</span>'),
        (b"\x1b[38;5;196mx\x1b[39my", '<span class="sgr-91">x</span>y'),
        (b"\x1b[38;2;10;200;10mx", '<span class="sgr-32">x</span>'),
        (b"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        (b"\x1b]8;;javascript:alert(1)\x07x", "␛]8;;javascript:alert(1)␇x"),
        (b"\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        (b"\x1b[2K\x1b[1Ahidden", "␛[2K␛[1Ahidden"),
        (b"a\rb", "a␍b"),
        (b"windows\r", "windows"),
        (b"\xff\xfe", "��"),
        ("\u202etxt".encode(), "‹202E›txt"),
        ("\x9b31m".encode(), "‹009B›31m"),
        (b"tab\there", "tab\there"),
        (b"nul\x00", "nul␀"),
    ],
)
def test_only_colours_are_obeyed(raw: bytes, html: str) -> None:
    [line] = shown(cut(("out", raw + b"\n")))
    assert line.split(">", 1)[1].removesuffix("</div>") == html


def test_a_colour_goes_on_over_lines_and_chunks() -> None:
    chunks = cut(("out", b"\x1b[31mone\n"), ("err", b"plain\n"), ("out", b"two\n\x1b[0mthree\n"))
    assert [('class="sgr-31"' in html) for html in shown(chunks)] == [True, False, True, False]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_give_html_with_nothing_but_our_own_tags(data: bytes) -> None:
    for html in shown(cut(("out", data))):
        inner = html.split(">", 1)[1].removesuffix("</div>")
        assert re.sub(r'<span class="(?:sgr-\d+ ?)+">|<span class="masked">|</span>', "", inner).count("<") == 0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 12), max_size=30), st.sampled_from(["hunter2!", "p@ss/w", "aaab", "abab"]))
def test_a_secret_is_masked_however_it_is_cut(sizes: list[int], secret: str) -> None:
    data = f"a{secret} {secret}{secret} aa{secret[:-1]} {secret}".encode()
    masker, got, at = Masker({"x": secret}), b"", 0
    for size in sizes:
        got += masker.feed(data[at : at + size])
        at += size
    got += masker.feed(data[at:]) + masker.flush()
    assert secret.encode() not in got
    assert got.decode() == data.decode().replace(secret, "•••")


def test_a_secret_in_a_url_is_masked_too() -> None:
    masker = Masker({"x": "p@ss/word"})
    assert masker.feed(b"postgres://u:p%40ss%2Fword@h/p@ss/word\n") == "postgres://u:•••@h/•••\n".encode()


def test_a_mask_stands_out() -> None:
    assert sgr.to_html("pw •••", "")[0] == 'pw <span class="masked">•••</span>'


@pytest.fixture
def run(db: None) -> CommandRun:
    place = walk(command("true"))
    run = CommandRun.objects.create(
        step_run=place.step(),
        command=0,
        kind="shell",
        text="true",
        script="true",
        risk="read",
        digest="x",
        queue="env.test",
        status="running",
        requested_by=place.user,
        queued_at=AT,
    )
    chunks = cut(*[("out", b"line %d\n" % n) for n in range(1, 200)], ("err", b"part"), ("err", b""), ("err", b"ial"))
    for chunk in chunks:
        chunk.run = run
    OutputChunk.objects.bulk_create(chunks)
    CommandRun.objects.filter(pk=run.pk).update(output_seq=len(chunks))
    return run


def test_the_feed_gives_what_the_page_gives_from_any_cursor(run: CommandRun) -> None:
    feed, key = output.RunFeed(), str(run.pk)
    whole = output.page(run=run, limit=1000)
    assert (whole.first, whole.last, whole.total_lines) == (1, 200, 200)
    for cursor in (0, 57, whole.seq - 1):
        seen: dict[str, str] = {}
        at = cursor
        while frames := feed.after(key, at):
            for frame in frames:
                body = frame.wire.decode()
                for line in re.findall(r'<div class=\\"ol.*?</div>', body):
                    seen[re.search(r'id=\\"L(\d+)', line)[1]] = line.replace('\\"', '"')  # type: ignore[index]
                at = frame.seq
        for number, line in seen.items():
            assert line in whole.html, number
        assert "200" in seen
        assert "partial" in seen["200"]


def test_the_end_comes_after_the_last_chunk_and_once(run: CommandRun) -> None:
    feed, key = output.RunFeed(), str(run.pk)
    last = run.chunks.count()
    assert feed.after(key, last) == []
    CommandRun.objects.filter(pk=run.pk).update(status="succeeded")
    [end] = feed.after(key, last)
    assert b"event: end" in end.wire
    assert feed.after(key, end.seq) == []


def test_pages_of_lines_meet_without_gap(run: CommandRun) -> None:
    last = output.page(run=run, limit=50)
    before = output.page(run=run, before=last.first, limit=50)
    after = output.page(run=run, after_line=before.last, limit=50)
    assert (before.last + 1, after.html) == (last.first, last.html)
    assert b"".join(output.text(run=run)).decode().splitlines()[:2] == ["line 1", "line 2"]


def test_only_who_sees_the_incident_may_watch(run: CommandRun) -> None:
    feed, key = output.RunFeed(), str(run.pk)
    assert feed.allowed(person("staff", "operator"), key)
    assert not feed.allowed(person("boss", "stakeholder"), key)
    assert not feed.allowed(person("x", "operator"), "1 OR 1=1")
