"""Two operators on one walk, each in a browser: both see every act within a second."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, StorageState, expect

from tests.browser import colleagues
from tests.browser.conftest import axe_violations
from tests.stack import Stack

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def desks(
    chromium: Browser, shared_console: Stack, signed_in: StorageState, tmp_path: Path
) -> Iterator[tuple[Page, Page]]:
    """The admin, who holds the baton of a new walk, and another operator; both look at its first step, live."""
    colleagues.shelve(shared_console, tmp_path)
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def sit_down(state: StorageState) -> BrowserContext:
        context = chromium.new_context(
            base_url=shared_console.url, storage_state=state, viewport={"width": 1280, "height": 900}
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        return context

    mine = sit_down(signed_in)
    theirs = sit_down(colleagues.hired(chromium, shared_console, mine, "Rina Hartono"))
    walk = colleagues.walked(mine, "Two at one walk")
    pages = mine.new_page(), theirs.new_page()
    for page in pages:
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{walk}step/0/")
        colleagues.live(page)
    yield pages
    for context in contexts:
        context.close()
    assert errors == []


# Resolves with the moment at which the element first shows the text (an empty one: at which it is there at all),
# or after a quarter of a minute.
WATCH = """([selector, text]) => {
  window.seen = new Promise((resolve) => {
    const there = () => [...document.querySelectorAll(selector)].some((each) => each.textContent.includes(text));
    const look = () => there() && (resolve(Date.now()), observer.disconnect());
    const observer = new MutationObserver(look);
    observer.observe(document.body, {childList: true, subtree: true, characterData: true, attributes: true});
    look();
    setTimeout(() => resolve(Date.now()), 15000);
  });
}"""


def took(act: Locator, *signs: tuple[Page, str, str]) -> float:
    """Seconds from before a click until the last screen shows what it should."""
    for page, selector, text in signs:
        page.evaluate(WATCH, [selector, text])
    began = time.time() * 1000
    act.click()
    return max(float(page.evaluate("seen")) - began for page, _, _ in signs) / 1000


def test_both_screens_show_every_act_within_a_second(desks: tuple[Page, Page]) -> None:
    mine, theirs = desks
    seen: dict[str, float] = {}
    mine.locator("#id_text").fill("found it")
    note = mine.get_by_role("button", name="Add note")
    seen["a note"] = took(note, (mine, "#timeline", "found it"), (theirs, "#timeline", "found it"))
    seen["asking for the baton"] = took(
        theirs.locator("#take-over"), (mine, "#walk-baton", "Rina Hartono asks"), (theirs, "#walk-baton", "You asked")
    )
    assert axe_violations(mine) == axe_violations(theirs) == []
    mine.locator("#baton-word").fill("one more step")
    seen["keeping it"] = took(mine.locator("#baton-keep"), (theirs, "#walk-baton", "one more step"))
    theirs.locator("#take-over").click()
    give = mine.locator("#baton-give")
    expect(give).to_be_visible()
    mine.wait_for_timeout(450)
    seen["handing it over"] = took(give, (theirs, ".walk-tools", "You"), (mine, ".walk-tools", "Rina Hartono"))
    run = theirs.locator("button#run-0")
    until_there_is_a_worker(theirs)
    seen["running a command"] = took(run, (mine, "#stop-0, #act-0 .state-word", ""), (theirs, "#stop-0", "Stop"))
    seen["stopping it"] = took(theirs.locator("#stop-0"), (mine, "#act-0", "Stopping"), (theirs, "#act-0", "Stopping"))
    assert {what: seconds for what, seconds in seen.items() if seconds >= 1.0} == {}


def until_there_is_a_worker(page: Page) -> None:
    """A fresh console's worker needs a moment; without one nothing runs."""
    other = page.context.new_page()
    for _ in range(120):
        other.goto("/")
        if other.get_by_text("Worker runs").is_visible():
            return other.close()
        other.wait_for_timeout(500)
    raise AssertionError("no worker started")


def test_each_sees_who_is_there_and_at_which_step(desks: tuple[Page, Page]) -> None:
    mine, theirs = desks
    expect(mine.locator("#room-here")).to_contain_text("Rina Hartono, step 1")
    expect(theirs.locator("#room-here")).to_contain_text("Rina Hartono (you), step 1")
    expect(mine.locator("#here-0")).to_contain_text("Rina Hartono looks at this step")
    theirs.locator("#rail-2").click()
    expect(mine.locator("#here-2")).to_contain_text("Rina Hartono looks at this step")
    expect(mine.locator("#here-0")).to_be_empty()
    expect(mine.locator("#room-here")).to_contain_text("Rina Hartono, step 3")
    assert axe_violations(mine) == []
    theirs.close()
    expect(mine.locator("#room-here")).not_to_contain_text("Rina Hartono", timeout=20_000)
    expect(mine.locator("#here-2")).to_be_empty()


# A picture of the kind as a browser paints it, pasted into the note.
PASTE = """async (kind) => {
  const canvas = new OffscreenCanvas(160, 90), pen = canvas.getContext("2d");
  pen.fillStyle = "#a3103f";
  pen.fillRect(0, 0, 160, 90);
  pen.fillStyle = "white";
  pen.fillText("97 % used", 20, 50);
  const blob = await canvas.convertToBlob({type: `image/${kind}`});
  const bag = new DataTransfer();
  bag.items.add(new File([blob], "shot", {type: blob.type}));
  const field = document.getElementById("id_text");
  field.focus();
  field.dispatchEvent(new ClipboardEvent("paste", {clipboardData: bag, bubbles: true, cancelable: true}));
}"""
PASTE_TEXT = """(text) => {
  const bag = new DataTransfer();
  bag.setData("text/plain", text);
  const paste = new ClipboardEvent("paste", {clipboardData: bag, bubbles: true, cancelable: true});
  document.getElementById("id_text").dispatchEvent(paste);
}"""


def test_pasted_pictures_and_terminal_output_stand_in_the_note(desks: tuple[Page, Page]) -> None:
    mine, theirs = desks
    note = mine.locator("#id_text")
    note.fill("It looks like this:")
    for number, kind in enumerate(("png", "jpeg", "webp"), 1):
        mine.evaluate(PASTE, kind)
        mine.wait_for_function(
            "n => document.getElementById('id_text').value.split('](picture:').length === n + 1", arg=number
        )
    mine.evaluate(PASTE_TEXT, "\x1b[31merror\x1b[0m: disk full\n$ df -h\n")
    expect(note).to_have_value(re.compile("```\nerror: disk full\n[$] df -h\n```"))
    mine.reload()
    expect(note).to_have_value(re.compile(r"picture:"), timeout=5_000)
    mine.get_by_role("button", name="Add note").click()
    for page in (mine, theirs):
        shown = page.locator("#timeline .event-body img")
        expect(shown).to_have_count(3)
        for picture in shown.all():
            picture.scroll_into_view_if_needed()
        page.wait_for_function(
            "[...document.querySelectorAll('.event-body img')].every((each) => each.naturalWidth === 160)"
        )
        expect(page.locator("#timeline .event-body pre")).to_have_text("error: disk full\n$ df -h\n")
    assert axe_violations(mine) == []
