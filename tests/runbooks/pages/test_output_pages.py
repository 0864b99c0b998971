"""What a command wrote, as a page, as earlier lines, as search results and as a file."""

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from erpops import clock
from incidents.models import Environment
from runbooks import addresses, evidence
from runbooks.models import CommandRun, Execution, OutputChunk, StepRun
from tests.runbooks.pages.conftest import HTMX, at


@pytest.fixture
def run(execution: Execution, operator: User) -> CommandRun:
    """1,200 lines, the last one of them hostile."""
    now = clock.now()
    lines = [f"line {number}" for number in range(1, 1200)] + ["<script>alert(1)</script> \x1b[31mred\x1b[0m"]
    run = CommandRun.objects.create(
        step_run=StepRun.objects.get(execution=execution, position=0), command=0, kind="shell", text="df -h",
        script="df -h", risk="read", digest="d", queue="env.production", status="failed", requested_by=operator,
        queued_at=now, started_at=now, ended_at=now, exit_code=127, host="db-1", output_seq=12, output_bytes=9_000,
    )  # fmt: skip
    for seq in range(12):
        part = "\n".join(lines[seq * 100 : seq * 100 + 100]) + "\n"
        OutputChunk.objects.create(run=run, seq=seq + 1, stream="out", at=now, line=seq * 100 + 1, data=part.encode())
    return run


def url(name: str, run: CommandRun) -> str:
    return addresses.of_run(run.step_run.execution, name, run.pk)


def test_the_step_shows_the_tail_and_where_the_rest_is(browser: Client, execution: Execution, run: CommandRun) -> None:
    page = browser.get(at(execution, 0), headers=HTMX).content.decode()
    assert 'data-n="1200"' in page
    assert 'data-n="701"' in page
    assert 'data-n="700"' not in page
    assert f'data-live-topic="run:{run.pk}@12"' in page or "data-ended" in page
    assert f'data-lines-url="{url("run_lines", run)}"' in page
    assert "Failed, exit 127 (command not found)" in page


def test_output_never_becomes_markup(browser: Client, run: CommandRun) -> None:
    page = browser.get(url("run_output", run)).content.decode()
    assert "<script>alert" not in page
    assert '<span class="sgr-31">red</span>' in page


def test_earlier_lines_come_in_pieces_until_there_are_no_more(browser: Client, run: CommandRun) -> None:
    before = browser.get(url("run_lines", run), {"before": "701"}).content.decode()
    assert before.count('class="ol"') == 500
    assert 'data-n="700"' in before
    assert 'data-n="200"' not in before
    assert browser.get(url("run_lines", run), {"before": "1"}).content == b""
    tail = browser.get(url("run_lines", run), {"before": "0"}).content.decode()
    assert 'data-n="1200"' in tail
    assert browser.get(url("run_lines", run), {"before": "x"}).status_code == 400


def test_later_lines_come_in_pieces_until_there_are_no_more(browser: Client, run: CommandRun) -> None:
    after = browser.get(url("run_lines", run), {"after": "0"}).content.decode()
    assert [f'data-n="{n}"' in after for n in (1, 500, 501)] == [True, True, False]
    assert browser.get(url("run_lines", run), {"after": "1200"}).content == b""
    assert browser.get(url("run_lines", run), {"after": "-1"}).status_code == 400


def test_search_reads_the_output_of_all_steps(browser: Client, execution: Execution, run: CommandRun) -> None:
    find = addresses.of_walk(execution, "walk_output")
    page = browser.get(find, {"q": "LINE 33"}).content.decode()
    assert "11 lines with" in page
    assert f"{url('run_output', run)}#L330" in page
    assert "Step 1, Look at the disks" in page
    hits = browser.get(find, {"q": "<SCRIPT>"}, headers=HTMX).content.decode()
    assert "<html" not in hits
    assert "<mark>&lt;script&gt;</mark>" in hits
    assert "No line in the output" in browser.get(find, {"q": "kangaroo"}).content.decode()
    assert 'type="search"' in browser.get(find, headers=HTMX).content.decode()


def test_pinned_lines_stand_in_the_timeline_with_the_way_back(
    browser: Client, execution: Execution, run: CommandRun
) -> None:
    answer = browser.post(url("run_pin", run), {"first": "12", "last": "14"}, headers=HTMX)
    assert "evidence:changed" in answer.headers["HX-Trigger"]
    room = browser.get(f"/i/{execution.incident_id}/").content.decode()
    assert "line 12\nline 13\nline 14</pre>" in room
    assert f'href="{url("run_output", run)}#L12-L14"' in room
    page = browser.get(url("run_output", run)).content.decode()
    assert "Lines 12–14" in page
    [seq] = re.findall(r'name="unpin" value="(\d+)"', page)
    browser.post(url("run_pin", run), {"unpin": seq}, headers=HTMX)
    assert "Lines 12–14" not in browser.get(url("run_pinned", run), headers=HTMX).content.decode()
    assert "line 13" not in browser.get(f"/i/{execution.incident_id}/").content.decode()


def test_what_cannot_be_pinned_is_refused_beside_the_button(browser: Client, run: CommandRun) -> None:
    for first, last, why in [("9", "8", "not before it"), ("1", "900", "At most 200"), ("1200", "1201", "no line")]:
        answer = browser.post(url("run_pin", run), {"first": first, "last": last}, headers=HTMX)
        assert (answer.status_code, why in answer.content.decode()) == (409, True), why
    assert browser.post(url("run_pin", run), {"first": "x"}, headers=HTMX).status_code == 409


def test_who_only_reads_pins_nothing(run: CommandRun, lead: User, signed_in: Callable[[User], Client]) -> None:
    Environment.objects.update(restricted=True)
    answer = signed_in(lead).post(url("run_pin", run), {"first": "1", "last": "1"}, headers=HTMX)
    assert answer.status_code in {403, 404}
    assert evidence.pins(run=run) == []


def test_the_download_is_text_whatever_is_in_it(browser: Client, run: CommandRun) -> None:
    answer = browser.get(url("run_raw", run))
    body = answer.content
    assert body.count(b"\n") == 1200
    assert b"<script>" in body
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith("attachment")
