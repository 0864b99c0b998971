"""Output over the live door: every byte once, in order, however often the network is cut; never too much at once."""

import asyncio
import random
import re
from typing import Any

import pytest
from django.db import connection

from erpops import sse
from runbooks import output, runner
from runbooks.choices import RunStatus
from runbooks.models import CommandRun, OutputChunk
from tests.erpops.test_streams import Stream, cookie, fresh_hub, stream  # noqa: F401  (a fixture)
from tests.runbooks.builders import command, walk
from tests.runbooks.test_output import AT, cut

pytestmark = pytest.mark.django_db(transaction=True)

STREAMS, RECONNECTS = 2, 10
STREAMS_FULL = 500
_LINE = re.compile(r'<div class="ol.*?" id="L(\d+)".*?</div>')


def ran(status: str, *parts: tuple[str, bytes]) -> CommandRun:
    """An attempt that printed `parts`, each of them read from the pipe by itself."""
    place = walk(command("true"))
    run = CommandRun.objects.create(
        step_run=place.step(), command=0, kind="shell", text="true", script="true", risk="read", digest="x",
        queue="env.test", status=status, requested_by=place.user, queued_at=AT,
    )  # fmt: skip
    tell(run, cut(*parts))
    return run


def tell(run: CommandRun, chunks: list[OutputChunk]) -> None:
    for chunk in chunks:
        chunk.run = run
    OutputChunk.objects.bulk_create(chunks)
    CommandRun.objects.filter(pk=run.pk).update(output_seq=len(chunks))


def whole(text: str) -> str:
    """What has arrived of it: frames, up to the last one that is complete."""
    return text[: text.rfind("\n\n") + 2]


def taken(client: Stream, text: str) -> tuple[list[tuple[int, str]], bool]:
    """The output frames in `text`, and whether its end was among them."""
    part = Stream()
    part.text = text
    return [(event["seq"], event["html"]) for event in part.events("output")], bool(part.events("end"))


async def read_with_cuts(run: CommandRun, who: str, chance: random.Random, cuts: int) -> list[tuple[int, str]]:
    """All frames of the run's topic, over connections that break after any byte."""
    got: list[tuple[int, str]] = []
    while True:
        cursor = got[-1][0] if got else 0
        async with stream(f"topic=run:{run.pk}@{cursor}", who) as client:
            await client.until(lambda: bool(client.events("end")))
            text = client.text
        sse.hub = sse.Hub()
        cuts -= 1
        text = whole(text[: chance.randrange(len(text))]) if cuts > 0 else text
        frames, ended = taken(client, text)
        got += frames
        if ended:
            return got


def read(streams: int, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(streams):
        parts = [(chance.choice(["out", "err"]), chance.randbytes(chance.randrange(1, 300))) for _ in range(40)]
        run = ran("succeeded", *parts)
        got = asyncio.run(read_with_cuts(run, cookie(run.requested_by), chance, RECONNECTS))
        assert [seq for seq, _ in got] == list(range(1, run.chunks.count() + 1))
        lines = {int(found[1]): found[0] for _, html in got for found in _LINE.finditer(html)}
        saved = output.page(run=run, limit=100_000).html
        assert "".join(lines[number] for number in sorted(lines)) == saved


def test_a_stream_that_is_cut_anywhere_gives_what_is_saved() -> None:
    read(STREAMS, 1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_streams_that_are_cut_anywhere_give_what_is_saved() -> None:
    read(STREAMS_FULL, 2)


def test_the_end_tells_the_last_number_and_comes_once() -> None:
    run = ran("running", ("out", b"one\n"), ("out", b"two\n"))

    def end() -> None:
        CommandRun.objects.filter(pk=run.pk).update(status=RunStatus.SUCCEEDED)
        sse.nudges.ring(f"run:{run.pk}")

    async def watch() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        async with stream(f"topic=run:{run.pk}@0", who) as client:
            await client.until(lambda: len(client.events("output")) == 2)
            assert client.events("end") == []
            await sse.in_thread(end)
            await client.until(lambda: bool(client.events("end")))
            async with stream(f"topic=run:{run.pk}@2", who) as late:
                await late.until(lambda: bool(late.events("end")))
                assert late.events("output") == []
            return client.events("output"), client.events("end")

    who = cookie(run.requested_by)
    shown, ends = asyncio.run(watch())
    assert [(each["last"], each["seq"], each["status"]) for each in ends] == [(2, 3, "succeeded")]
    assert [each["seq"] for each in shown] == [1, 2]


def test_more_than_fits_at_once_arrives_at_a_stream_that_waits_without_another_nudge() -> None:
    run = ran("running", ("out", b"one\n"))
    # Each chunk's HTML is more than one piece; the end comes with the last of them.
    chunks = cut(("out", b"one\n"), *[("out", b"x\n" * 4_000)] * 3)

    def rest() -> None:
        tell(run, chunks[1:])
        CommandRun.objects.filter(pk=run.pk).update(output_seq=len(chunks), status=RunStatus.SUCCEEDED)
        sse.nudges.ring(f"run:{run.pk}")

    async def watch() -> Stream:
        async with stream(f"topic=run:{run.pk}@0", who) as client:
            await client.until(lambda: len(client.events("output")) == 1)
            await asyncio.sleep(0.1)
            await sse.in_thread(rest)
            await client.until(lambda: "event: end" in client.text[-400:], 8)
            return client

    who = cookie(run.requested_by)
    client = asyncio.run(watch())
    assert [each["seq"] for each in client.events("output")] == list(range(1, len(chunks) + 1))


def test_an_unknown_cursor_is_given_this_run_from_its_first_line_and_no_other() -> None:
    other = ran("succeeded", *[("out", b"secret of another\n")] * 50)
    run = ran("succeeded", ("out", b"one\n"), ("err", b"two\n"))
    foreign = other.chunks.count()

    async def watch() -> Stream:
        async with stream(f"topic=run:{run.pk}@{foreign}", who) as client:
            await client.until(lambda: bool(client.events("end")))
            return client

    who = cookie(run.requested_by)
    client = asyncio.run(watch())
    assert [each["topic"] for each in client.events("reset")] == [f"run:{run.pk}"]
    assert [each["seq"] for each in client.events("output")] == [1, 2]
    assert "another" not in client.text


def test_a_slow_reader_is_handed_little_at_once() -> None:
    # Lines of one letter: their HTML is eighty times as long.
    run = ran("succeeded", *[("out", b"x\n" * 4_000)] * 12)

    async def watch() -> Stream:
        async with stream(f"topic=run:{run.pk}@0", who) as client:
            await client.until(lambda: "event: end" in client.text[-400:], 60)
            return client

    who = cookie(run.requested_by)
    client = asyncio.run(watch())
    frames = [len(each["html"]) for each in client.events("output")]
    assert len(client.text) > 3_000_000
    assert client.largest <= max(sse.PIECE_BYTES, max(frames) * 2)
    for cursor in (0, 5):
        told = output.RunFeed().after(str(run.pk), cursor)
        assert sum(len(each.wire) for each in told[:-1]) <= output.FRAMES_BYTES


def test_many_idle_streams_hold_no_database_connection() -> None:
    run = ran("running", ("out", b"one\n"))

    def sessions() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            return int(cursor.fetchone()[0])

    async def watch() -> int:
        async with asyncio.TaskGroup() as group:
            leave = asyncio.Event()
            seen: list[Stream] = []

            async def sit() -> None:
                async with stream(f"topic=run:{run.pk}@0", who) as client:
                    await client.until(lambda: len(client.events("output")) == 1)
                    seen.append(client)
                    await leave.wait()

            for _ in range(10):
                group.create_task(sit())
            while len(seen) < 10:
                await asyncio.sleep(0.02)
            # The hub itself asks now and then: what is held when nobody asks counts.
            held = [await sse.in_thread(sessions) for _ in range(20)]
            leave.set()
        return min(held)

    who = cookie(run.requested_by)
    before = sessions()
    assert asyncio.run(watch()) <= before + 1


def test_the_writer_that_lost_its_claim_adds_nothing_after_the_end() -> None:
    run = ran("succeeded", ("out", b"one\n"))
    more = OutputChunk(run=run, seq=2, stream="out", at=AT, line=2, data=b"too late\n")
    assert not runner.record_output(run=run, chunks=[more], output_bytes=9, dropped_bytes=0)
    assert output.RunFeed().newest(str(run.pk)) == 2
    assert run.chunks.count() == 1
