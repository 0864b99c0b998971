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


def marked(desk: Desk) -> list[int]:
    return list(desk.page.evaluate("[...document.querySelectorAll('.ol.here')].map((line) => Number(line.dataset.n))"))


def gutter(desk: Desk, number: int, *, shift: bool = False) -> None:
    line = desk.page.locator(f".ol[data-n='{number}']")
    line.click(position={"x": 10, "y": 8}, modifiers=["Shift"] if shift else [])


def copied(desk: Desk, button: str) -> str:
    """What a button of the marks' bar puts into the clipboard."""
    desk.page.evaluate("document.body.addEventListener('copy:text', ({detail}) => { window.copied = detail.text })")
    desk.page.get_by_role("button", name=button).click()
    desk.wait("window.copied")
    return str(desk.page.evaluate("copied"))


def test_an_address_of_lines_shows_them_marked_wherever_they_are(desk: Desk, script: Script) -> None:
    script.newest = 50_000
    desk.page.goto(f"{script.url}/#L30000-L30003")
    desk.wait("document.querySelectorAll('.ol.here').length === 4")
    assert marked(desk) == [30_000, 30_001, 30_002, 30_003]
    expect(desk.page.locator(".ol[data-n='30000']")).to_be_in_viewport()
    shown = desk.shown()
    assert shown == list(range(shown[0], shown[0] + len(shown)))
    assert copied(desk, "Copy link") == f"{script.url}/#L30000-L30003"
    assert copied(desk, "Copy text").splitlines() == [f"line {n}" for n in range(30_000, 30_004)]


def test_reading_on_loads_later_lines_without_a_hole(desk: Desk, script: Script) -> None:
    script.newest = 50_000
    desk.page.goto(f"{script.url}/#L100")
    desk.wait("document.querySelector('.ol.here')")
    last = desk.shown()[-1]
    desk.page.locator(LOG).hover()
    for _ in range(200):
        if desk.shown()[-1] > last + 1_000:
            break
        desk.page.mouse.wheel(0, 2_000)
        desk.page.wait_for_timeout(20)
    shown = desk.shown()
    assert shown == list(range(shown[0], shown[-1] + 1))
    assert shown[-1] > last + 1_000
    assert len(shown) <= 2_000


def test_lines_are_marked_from_one_number_to_another(desk: Desk, script: Script) -> None:
    desk.open()
    script.output(3, 3, 10)
    desk.wait_line(10)
    gutter(desk, 4)
    gutter(desk, 7, shift=True)
    assert marked(desk) == [4, 5, 6, 7]
    assert desk.page.evaluate("location.hash") == "#L4-L7"
    desk.page.get_by_label("Last line").fill("5")
    desk.page.get_by_label("Last line").press("Tab")
    assert marked(desk) == [4, 5]
    desk.page.locator("[data-output-unmark]").click()
    assert (marked(desk), desk.page.evaluate("location.hash")) == ([], "")


def test_lines_can_be_marked_with_the_keyboard_alone(desk: Desk, script: Script) -> None:
    desk.open()
    script.output(3, 3, 10)
    desk.wait_line(10)
    desk.page.get_by_role("button", name="Lines…").press("Enter")
    desk.page.keyboard.type("6")
    desk.page.keyboard.press("Tab")
    desk.page.keyboard.type("8")
    desk.page.keyboard.press("Tab")
    assert marked(desk) == [6, 7, 8]


def test_a_cursor_that_the_server_does_not_know_shows_everything_anew(desk: Desk, script: Script) -> None:
    desk.open()
    script.output(3, 3, 10)
    desk.wait_line(10)
    script.say("reset", topic="run:88", seq=0)
    script.say("output", topic="run:88", seq=1, html=lines(1, 3, "other"))
    desk.wait_line(3)
    assert desk.page.locator(".ol").all_inner_texts() == ["other 1", "other 2", "other 3"]


def test_an_end_before_the_last_output_asks_for_what_is_missing(desk: Desk, script: Script) -> None:
    desk.open()
    asked = len(script.asked)
    script.say("end", topic="run:88", seq=9, last=8, status="succeeded")
    for _ in range(100):
        if len(script.asked) > asked:
            break
        desk.page.wait_for_timeout(50)
    assert "run:88@2" in script.asked[-1]


def test_lines_after_a_hole_begin_the_view_anew(desk: Desk, script: Script) -> None:
    desk.open()
    script.output(9, 20, 25)
    desk.wait_line(25)
    assert desk.shown() == list(range(20, 26))
    desk.page.click(".ol-earlier")
    desk.wait("document.querySelector('.ol').dataset.n === '1'")
    assert desk.shown() == list(range(1, 26))


def test_following_is_switched_off_and_on(desk: Desk, script: Script) -> None:
    desk.open()
    follow = desk.page.locator("[data-output-tail]")
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "false")
    script.output(3, 3, 80)
    desk.wait_line(80)
    assert not desk.at_tail()
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    assert desk.at_tail()


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
