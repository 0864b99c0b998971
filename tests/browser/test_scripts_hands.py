"""What a person is doing is never undone: refreshes wait, drafts stay, keys only move, confirming takes intent."""

import pytest
from playwright.sync_api import expect

from tests.browser.scripted import Desk, Script


def test_a_list_does_not_move_under_the_pointer(desk: Desk, script: Script) -> None:
    desk.open()
    desk.page.hover("#list")
    script.changed("now", [4])
    pill = desk.page.locator(".held-pill")
    expect(pill).to_have_text("1 new — show")
    expect(desk.page.locator("#b")).to_be_attached()
    pill.click()
    expect(desk.page.locator("#c")).to_be_visible()
    expect(pill).to_have_count(0)


def test_a_field_in_use_is_replaced_only_after_the_person_left_it(desk: Desk, script: Script) -> None:
    desk.open()
    desk.page.evaluate("part.innerHTML = '<input id=field>'")
    desk.page.type("#field", "words")
    script.part = "<p id='fresh'>fresh</p>"
    script.changed("incident:204", [58])
    desk.settle()
    assert desk.page.input_value("#field") == "words"
    desk.page.focus("#words")
    expect(desk.page.locator("#fresh")).to_be_visible()


def test_a_button_that_is_being_pressed_stays_until_it_was_clicked(desk: Desk, script: Script) -> None:
    desk.open()
    desk.page.evaluate("part.innerHTML = '<button id=press>Press</button>'")
    desk.page.evaluate("press.addEventListener('click', () => (window.clicked = true))")
    script.part = "<p id='fresh'>fresh</p>"
    desk.page.hover("#press")
    desk.page.mouse.down()
    script.changed("incident:204", [58])
    desk.settle()
    desk.page.mouse.up()
    assert desk.page.evaluate("window.clicked")
    expect(desk.page.locator("#fresh")).to_be_visible()


def test_a_draft_survives_a_reload_and_is_forgotten_when_sent(desk: Desk, script: Script) -> None:
    desk.open()
    desk.page.fill("#words", "half a thought")
    desk.page.reload()
    assert desk.page.input_value("#words") == "half a thought"
    desk.page.click("#send")
    expect(desk.page.locator(".toastlet")).to_contain_text("Note saved.")
    desk.page.reload()
    assert desk.page.input_value("#words") == ""
    assert script.posts == [("/note", "words=half%20a%20thought")]


def test_a_failed_request_speaks_beside_its_button(desk: Desk) -> None:
    desk.open()
    desk.page.click("#fail")
    expect(desk.page.locator("form:has(#fail) .inline-error, form:has(#fail) + .inline-error")).to_contain_text(
        "not certain"
    )


def test_the_sign_in_page_never_lands_inside_a_page(desk: Desk) -> None:
    desk.open()
    desk.page.click("#signed-out")
    expect(desk.page.locator("[data-signed-out]")).to_be_visible()
    expect(desk.page.get_by_text("the sign-in page")).to_have_count(0)


def test_a_key_focuses_a_submitting_button_but_does_not_press_it(desk: Desk, script: Script) -> None:
    desk.open()
    desk.page.keyboard.press("u")
    desk.expect_focus("#update")
    assert script.posts == []


def test_j_and_k_move_over_rows(desk: Desk) -> None:
    desk.open()
    for key, link in (("j", "#a a"), ("j", "#b a"), ("k", "#a a")):
        desk.page.keyboard.press(key)
        desk.expect_focus(link)


def test_keys_sleep_while_someone_types(desk: Desk) -> None:
    desk.open()
    desk.page.focus("#words")
    desk.page.keyboard.type("n?")
    assert desk.page.input_value("#words") == "n?"
    expect(desk.page.locator("dialog[open]")).to_have_count(0)


def test_the_help_lists_the_keys_of_the_page(desk: Desk) -> None:
    desk.open()
    desk.page.keyboard.press("?")
    expect(desk.page.locator("#keys-help")).to_contain_text("Sheet")
    desk.page.keyboard.press("Escape")
    expect(desk.page.locator("#keys-help")).to_be_hidden()


def test_an_open_sheet_is_watched_and_a_closed_one_is_not(desk: Desk) -> None:
    desk.open()
    desk.page.keyboard.press("n")
    expect(desk.page.get_by_role("dialog", name="Drop erp-db")).to_be_visible()
    desk.wait_topics("incident:204@57", "now@3", "run:88@2", "run:99@4")
    desk.page.keyboard.press("Escape")
    desk.wait_topics("incident:204@57", "now@3", "run:88@2")
    assert desk.page.inner_html("#sheet-body") == ""


@pytest.fixture
def confirming(desk: Desk) -> Desk:
    desk.open()
    desk.page.click("#open-sheet")
    desk.page.wait_for_selector("#armed")
    return desk


def test_a_confirming_button_ignores_its_first_400_ms(confirming: Desk, script: Script) -> None:
    # In one script, so that the click comes early even when the machine is slow.
    confirming.page.evaluate(
        """() => {
          const fresh = armed.cloneNode(true);
          typed.value = "erp-db";
          typed.dispatchEvent(new Event("input", {bubbles: true}));
          armed.replaceWith(fresh);
          fresh.click();
        }"""
    )
    confirming.page.wait_for_timeout(500)
    assert script.posts == []
    confirming.page.click("#armed")
    expect(confirming.page.locator(".toastlet")).to_be_visible()
    assert len(script.posts) == 1


def test_a_wrong_name_does_not_send_and_a_double_click_on_the_right_one_sends_once(
    confirming: Desk, script: Script
) -> None:
    confirming.page.wait_for_timeout(500)
    confirming.page.fill("#typed", "erp-dv")
    confirming.page.click("#armed")
    assert confirming.page.evaluate("typed.validationMessage") == "Type exactly: erp-db"
    assert script.posts == []
    confirming.page.fill("#typed", "erp-db")
    confirming.page.wait_for_timeout(500)
    confirming.page.dblclick("#armed")
    confirming.page.wait_for_timeout(200)
    assert script.posts == [("/note", "typed=erp-db")]


def test_the_server_closes_the_sheet(confirming: Desk) -> None:
    confirming.page.evaluate("document.body.dispatchEvent(new CustomEvent('sheet:close'))")
    expect(confirming.page.locator("#sheet")).to_be_hidden()
