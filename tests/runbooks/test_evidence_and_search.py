"""Output that people look for and point at: found wherever the pipe cut it, quoted where decisions stand."""

import pytest
from django.db import connection

from incidents import drafting, markdown
from incidents.models import Incident
from runbooks import evidence, executions, output_search, procedures
from runbooks.models import CommandRun, OutputChunk
from runbooks.output_search import Found, find
from runbooks.refusals import Refused
from tests.runbooks.builders import Walk, command, compiled, person, phase, step, walk_of
from tests.runbooks.test_output import AT, cut

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> Walk:
    return walk_of(compiled("Two", phase("diagnosis", step("One", command("a")), step("Two", command("b")))))


def ran(place: Walk, *parts: tuple[str, bytes], position: int = 0, attempt: int = 1) -> CommandRun:
    """An attempt that printed `parts`, each of them read from the pipe by itself."""
    run = CommandRun.objects.create(
        step_run=place.step(position), command=0, attempt=attempt, kind="shell", text="df -h", script="df -h",
        risk="read", digest="x", queue="env.test", status="failed", requested_by=place.user, queued_at=AT,
    )  # fmt: skip
    chunks = cut(*parts)
    for chunk in chunks:
        chunk.run = run
    OutputChunk.objects.bulk_create(chunks)
    return run


def numbers(found: list[Found]) -> list[tuple[int, list[int]]]:
    return [(each.run.step_run.position, [hit.number for hit in each.hits]) for each in found]


def test_all_steps_and_attempts_are_searched_in_their_order(place: Walk) -> None:
    ran(place, ("out", b"disk\nDISK full\n"))
    ran(place, ("out", b"nothing\n"), attempt=2)
    ran(place, ("err", b"no\nno\na disk\n"), position=1)
    found = find(execution=place.execution, text="disk")
    assert numbers(found) == [(0, [1, 2]), (1, [3])]
    assert [hit.stream for hit in found[1].hits] == ["err"]
    assert (found[0].hits[1].match, found[0].hits[1].after) == ("DISK", " full")


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([b"one\nneed", b"", b"le here\nthree\n"], "needle"),
        ([b"one\nne", b"", b"ed", b"", b"le\n"], "needle"),
        ([b"one\nnee\x1b[31mdle\x1b[0m\n"], "needle"),
        ([b"one\n\xc3", b"\x89cole\n"], "école"),
        ([b"one\nC:\\temp\\x\n"], "c:\\temp"),
        ([b"one\n100% (of) [it] a.b*c?{2} ^$|+\n"], "(of) [it] a.b*c?{2} ^$|+"),
        ([b"one\n\xff\x00 needle \xfe\n"], "needle"),
        ([b"one\n\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\n"], "•••"),
        (["one\nГОСПОДИН\n".encode()], "господин"),
    ],
)
def test_a_word_is_found_however_it_was_printed(place: Walk, pieces: list[bytes], text: str) -> None:
    ran(place, *[("out", piece) for piece in pieces])
    assert numbers(find(execution=place.execution, text=text)) == [(0, [2])]


@pytest.mark.parametrize("text", [".*", "axb", "\\000", "%", "_", "' OR 1=1 --", "\\", "line\\", "\x00", "\udcff"])
def test_what_is_asked_for_is_text_and_nothing_else(place: Walk, text: str) -> None:
    ran(place, ("out", b"a.b line one\n"))
    assert find(execution=place.execution, text=text) == []


def test_only_this_walk_is_searched(place: Walk) -> None:
    ran(place, ("out", b"needle\n"))
    other = walk_of(compiled("Other", phase("diagnosis", step("One", command("a")))))
    assert find(execution=other.execution, text="needle") == []


def test_many_hits_are_counted_and_some_are_shown(place: Walk) -> None:
    ran(place, ("out", b"needle\n" * 500))
    [found] = find(execution=place.execution, text="needle")
    assert [hit.number for hit in found.hits] == list(range(1, output_search.LINES_EACH + 1))
    assert found.more == 500 - output_search.LINES_EACH


def test_a_search_that_takes_too_long_is_ended_with_a_sentence(place: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_search, "PATIENCE_MS", 1)
    ran(place, ("out", b"the same line over and over\n" * 100_000))
    with pytest.raises(Refused, match="too much output"):
        find(execution=place.execution, text="needle")
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "0"


def pin(run: CommandRun, place: Walk, first: int = 1, last: int = 2) -> None:
    evidence.pin(run=run, first=first, last=last, by=place.user)


def test_a_pin_quotes_its_lines_and_two_clicks_are_one(place: Walk) -> None:
    run = ran(place, ("out", b"\x1b[31mred\x1b[0m\n"), ("err", b"two <b>\n"))
    pin(run, place)
    pin(run, place)
    [pinned] = evidence.pins(run=run)
    assert (pinned.lines, pinned.quote, pinned.who) == ("lines 1–2", "red\ntwo <b>", "op")
    assert place.events().count("evidence.pinned") == 1


def test_an_unpinned_line_stays_known_and_can_be_pinned_again(place: Walk) -> None:
    run = ran(place, ("out", b"one\ntwo\n"))
    pin(run, place)
    [pinned] = evidence.pins(run=run)
    evidence.unpin(run=run, seq=pinned.seq, by=place.user)
    evidence.unpin(run=run, seq=pinned.seq, by=place.user)
    assert evidence.pins(run=run) == []
    pin(run, place)
    assert [each.seq > pinned.seq for each in evidence.pins(run=run)] == [True]
    assert [kind for kind in place.events() if kind.startswith("evidence")] == [
        "evidence.pinned",
        "evidence.unpinned",
        "evidence.pinned",
    ]


def test_who_may_not_work_there_pins_and_unpins_nothing(place: Walk) -> None:
    run = ran(place, ("out", b"one\ntwo\n"))
    pin(run, place)
    stakeholder = person("boss", "stakeholder")
    [pinned] = evidence.pins(run=run)
    with pytest.raises(Refused):
        evidence.unpin(run=run, seq=pinned.seq, by=stakeholder)
    with pytest.raises(Refused):
        evidence.pin(run=run, first=1, last=1, by=stakeholder)
    assert evidence.pins(run=run) == [pinned]


def test_a_procedure_keeps_its_evidence_in_its_own_journal(place: Walk) -> None:
    alone = executions.start(
        runbook=place.execution.version.runbook, incident=None, environment=place.execution.environment, by=place.user
    )
    run = ran(Walk(alone, place.user, place.incident), ("out", b"one\ntwo\n"))
    pin(run, place)
    [told] = [row for row in procedures.journal(alone) if row.quote]
    assert (told.quote, told.withdrawn) == ("one\ntwo", False)
    assert told.url == f"/p/{alone.pk}/run/{run.pk}#L1-L2"
    evidence.unpin(run=run, seq=told.seq, by=place.user)
    assert [row.withdrawn for row in procedures.journal(alone) if row.quote] == [True]
    assert "evidence.pinned" not in place.events()


def test_the_draft_of_the_review_quotes_what_stands(place: Walk) -> None:
    run = ran(place, ("out", b"```\n# not a heading <script>\nkept\ngone\n"))
    pin(run, place, 1, 3)
    pin(run, place, 4, 4)
    evidence.unpin(run=run, seq=evidence.pins(run=run)[1].seq, by=place.user)
    text = drafting.draft(Incident.objects.get(pk=place.incident.pk))
    shown = markdown.render(text.partition("## Evidence")[2].partition("\n## ")[0])
    assert "```\n# not a heading &lt;script&gt;\nkept" in shown
    assert "<h" not in shown
    assert f"/run/{run.pk}#L1-L3" in shown
    assert "gone" not in shown
