"""The output viewer: nothing twice, nothing lost, and never too much of it in the document."""

import pytest
from playwright.sync_api import expect

from tests.browser.scripted import Desk, Script, lines

LOG = "[data-output-log]"
PILL = "[data-output-follow]"


def test_an_unfinished_last_line_is_replaced_when_its_rest_arrives(desk: Desk, script: Script) -> None:
    desk.open()
    script.say("output", topic="run:88", seq=3, html=lines(2, 2, "the whole of") + lines(3, 3))
    desk.wait_line(3)
    assert desk.page.locator(".ol").all_inner_texts() == ["line 1", "the whole of 2", "line 3"]


def test_output_that_was_heard_before_is_dropped(desk: Desk, script: Script) -> None:
    desk.open()
    script.output(3, 3, 4)
    script.output(3, 3, 4)
    script.output(4, 5, 5)
    desk.wait_line(5)
    assert desk.shown() == [1, 2, 3, 4, 5]


def test_the_silence_of_a_running_command_is_counted(desk: Desk) -> None:
    desk.open(movable_clock=True)
    silence = desk.page.locator("[data-output-silence]")
    expect(silence).to_be_hidden()
    desk.later(25)
    expect(silence).to_contain_text("no output")


@pytest.fixture
def flooded(desk: Desk, script: Script) -> Desk:
    """Fifty thousand lines have arrived."""
    desk.open()
    for chunk in range(100):
        script.output(
            3 + chunk, 3 + 500 * chunk, 502 + 500 * chunk, "a line of a long and boring output that fills the row"
        )
    desk.wait_line(50_002)
    return desk


def scroll_up(desk: Desk) -> int:
    """Turn the wheel upwards over the output; where the view stands then."""
    desk.page.locator(LOG).hover()
    before = desk.page.evaluate(f"document.querySelector('{LOG}').scrollTop")
    desk.page.mouse.wheel(0, -300)
    desk.wait(f"document.querySelector('{LOG}').scrollTop === {before} - 300")
    return int(before) - 300


def test_of_fifty_thousand_lines_the_last_two_thousand_are_in_the_document(flooded: Desk) -> None:
    shown = flooded.shown()
    assert shown == list(range(shown[0], 50_003))
    assert 1_000 <= len(shown) <= 2_000
    assert flooded.at_tail()


def test_who_scrolls_up_is_not_moved_and_is_told_how_much_is_new(flooded: Desk, script: Script) -> None:
    place = scroll_up(flooded)
    script.output(200, 50_003, 50_216, "new")
    expect(flooded.page.locator(PILL)).to_have_text("↓ 214 new — follow")
    assert flooded.page.evaluate(f"document.querySelector('{LOG}').scrollTop") == place
    flooded.page.click(PILL)
    flooded.wait_line(50_216)
    assert flooded.at_tail()
    expect(flooded.page.locator(PILL)).to_be_hidden()


def test_earlier_lines_come_back_from_the_server_without_a_hole(flooded: Desk) -> None:
    scroll_up(flooded)
    first = flooded.shown()[0]
    flooded.page.click(".ol-earlier")
    flooded.wait(f"Number(document.querySelector('.ol').dataset.n) < {first}")
    shown = flooded.shown()
    assert shown == list(range(shown[0], shown[0] + len(shown)))
    assert len(shown) <= 2_000


def test_the_line_number_is_a_link_to_the_line(desk: Desk, script: Script) -> None:
    desk.open()
    script.output(3, 3, 10)
    desk.wait_line(10)
    desk.page.locator(".ol[data-n='7']").click(position={"x": 10, "y": 8})
    assert desk.page.evaluate("location.hash") == "#L7"


def test_wrapping_is_remembered(desk: Desk) -> None:
    desk.open()
    desk.page.get_by_role("button", name="Wrap").click()
    desk.page.reload()
    expect(desk.page.get_by_role("button", name="Wrap")).to_have_attribute("aria-pressed", "true")
