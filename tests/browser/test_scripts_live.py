"""The stream in the browser: cursors, losses, and an honest word for the connection."""

import pytest
from playwright.sync_api import expect

from tests.browser.scripted import Desk, Script


def test_one_stream_asks_for_every_topic_with_the_cursor_it_was_rendered_at(desk: Desk, script: Script) -> None:
    desk.open()
    desk.settle()
    assert [sorted(topics) for topics in script.asked] == [["incident:204@57", "now@3", "run:88@2"]]
    expect(desk.page.locator("#conn")).to_have_text("Live")


def test_a_change_fetches_the_part_that_shows_it(desk: Desk, script: Script) -> None:
    desk.open()
    script.part = "<p id='two'>two</p>"
    script.changed("incident:204", [58])
    expect(desk.page.locator("#two")).to_be_visible()
    assert (desk.heard("live:incident"), desk.heard("live:incident:204"), desk.heard("live:now")) == (1, 1, 0)


def test_a_change_that_was_heard_before_is_dropped(desk: Desk, script: Script) -> None:
    desk.open()
    script.changed("incident:204", [58, 58, 57, 12])
    desk.settle()
    assert desk.heard("live:incident") == 1


def test_a_burst_of_changes_is_gathered_and_the_last_one_counts(desk: Desk, script: Script) -> None:
    desk.open()
    script.part = "<p>early</p>"
    script.changed("incident:204", range(58, 157))
    desk.settle()
    script.part = "<p id='last'>late</p>"
    script.changed("incident:204", [157])
    expect(desk.page.locator("#last")).to_be_visible()
    assert 2 <= desk.heard("live:incident") <= 5


def test_an_element_that_arrives_is_watched_from_its_own_cursor(desk: Desk, script: Script) -> None:
    desk.open()
    script.changed("incident:204", [158])
    desk.settle()
    desk.page.evaluate("holder.insertAdjacentHTML('beforeend', '<i data-live-topic=\"run:90@5\"></i>')")
    desk.wait_topics("incident:204@158", "now@3", "run:88@2", "run:90@5")


def test_an_element_that_leaves_is_watched_no_longer(desk: Desk, script: Script) -> None:
    desk.open()
    desk.page.evaluate("holder.remove()")
    desk.wait_topics("incident:204@57", "now@3")
    desk.settle()
    assert desk.heard("live:resync") == 0, "a planned change of topics is not a gap"


def test_a_topic_that_ended_is_told_and_not_asked_for_again(desk: Desk, script: Script) -> None:
    desk.open()
    script.say("end", topic="run:88", seq=9)
    desk.wait("heard.includes('live:end')")
    expect(desk.page.locator("[data-run-output]")).to_have_attribute("data-ended", "")
    desk.page.evaluate("holder.insertAdjacentHTML('beforeend', '<i data-live-topic=\"run:90@5\"></i>')")
    desk.wait_topics("incident:204@57", "now@3", "run:90@5")


def test_without_a_stream_the_page_polls_and_says_so(desk: Desk, script: Script) -> None:
    desk.open(movable_clock=True)
    script.down = True
    script.cut()
    desk.wait_state("reconnecting")
    script.part = "<p id='polled'>polled</p>"
    desk.later(6)
    expect(desk.page.locator("#polled")).to_be_visible()
    desk.later(1)
    expect(desk.page.locator("#conn")).to_contain_text("Polling")
    assert desk.heard("live:poll") >= 1


def test_after_a_gap_the_page_reads_everything_again_once(desk: Desk, script: Script) -> None:
    desk.open(movable_clock=True)
    script.changed("incident:204", [60])
    desk.settle()
    script.down = True
    script.cut()
    desk.wait_state("reconnecting", "polling")
    script.down = False
    desk.later(20)
    desk.wait_state("live")
    desk.settle()
    assert desk.heard("live:resync") == 1
    assert "incident:204@60" in script.asked[-1]


@pytest.fixture
def stale(desk: Desk, script: Script) -> Desk:
    """Thirty seconds without a word, and nothing that a poll could have refreshed."""
    desk.open(movable_clock=True)
    desk.page.evaluate("window.runs = 0; run.addEventListener('click', () => runs++); part.remove()")
    desk.page.click("#run")
    script.down = True
    script.cut()
    desk.wait_state("reconnecting", "polling")
    desk.later(33)
    expect(desk.page.locator("#stale-banner")).to_be_visible()
    return desk


def test_thirty_silent_seconds_are_shown_as_stale_and_commands_are_refused(stale: Desk) -> None:
    expect(stale.page.locator("html")).to_have_class("stale")
    expect(stale.page.locator("#stale-banner")).to_contain_text("not live")
    run = stale.page.locator("#run")
    expect(run).to_have_attribute("aria-disabled", "true")
    expect(run).to_have_attribute("aria-describedby", "stale-banner")
    run.evaluate("(button) => button.click()")
    assert stale.page.evaluate("runs") == 1


def test_a_stale_page_recovers_by_itself(stale: Desk, script: Script) -> None:
    script.down = False
    stale.later(20)
    stale.wait_state("live")
    expect(stale.page.locator("#stale-banner")).to_be_hidden()
    stale.page.click("#run")
    assert stale.page.evaluate("runs") == 2
    assert stale.page.get_attribute("#run", "aria-disabled") is None


def test_a_hidden_tab_lets_go_of_its_stream_and_catches_up_when_seen(desk: Desk, script: Script) -> None:
    desk.open(movable_clock=True)
    hide = "Object.defineProperty(document, 'hidden', {get: () => %s, configurable: true});"
    told = "document.dispatchEvent(new Event('visibilitychange'))"
    desk.page.evaluate(hide % "true" + told)
    desk.later(31)
    script.part = "<p id='seen'>seen</p>"
    desk.page.evaluate(hide % "false" + told)
    expect(desk.page.locator("#seen")).to_be_visible()
    desk.wait_state("live")
    assert (desk.heard("live:resync"), len(script.asked)) == (1, 2)
