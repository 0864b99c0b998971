"""States of the baton, of a handover and of who is there."""

import re
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.browser import shop as steps
from tests.browser.shop import Shop, open_sheet
from tests.browser.states.staging import Build, Seen, States, fits, unfold_steps
from tests.browser.test_two_operators import PASTE

STATES = States()
pytestmark = pytest.mark.timeout(300)


@STATES.state("baton-with-another")
def baton_with_another(shop: Shop) -> Seen:
    return Seen(shop.rina, f"{shop.walk()}step/{steps.DISK}/", "Take over")


@STATES.state("baton-asked-holder", always=True)
def baton_asked_holder(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{_asked_for(shop)}step/{steps.DISK}/", "asks for the baton")


def _asked_for(shop: Shop) -> str:
    walk = shop.walk()
    shop.rina.post(f"{walk}take", position="0")
    return walk


@STATES.state("baton-asked-asker")
def baton_asked_asker(shop: Shop) -> Seen:
    return Seen(shop.rina, f"{_asked_for(shop)}step/{steps.DISK}/", "You asked")


@STATES.state("baton-kept")
def baton_kept(shop: Shop) -> Seen:
    walk = _asked_for(shop)
    asked = re.findall(rf"{walk}baton/(\d+)", shop.olga.read(f"{walk}step/0/"))[0]
    shop.olga.post(f"{walk}baton/{asked}", answer="keep", word="one more step")
    return Seen(shop.rina, f"{walk}step/{steps.DISK}/", "one more step")


@STATES.state("paused")
def paused(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}pause", position="0")
    return Seen(shop.rina, f"{walk}step/{steps.DISK}/", "Paused at")


@STATES.state("walk-menu")
def walk_menu(shop: Shop) -> Seen:
    def unfold(page: Page) -> None:
        page.locator("#walk-menu > summary").click()

    return Seen(shop.olga, f"{shop.walk()}step/{steps.DISK}/", prepare=unfold)


@STATES.state("handover-new")
def handover_new(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    shop.asked(walk)
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", prepare=partial(open_sheet, opener="#hand-over"))


def _offered(shop: Shop) -> tuple[str, str]:
    """The walk, and where its handover is answered."""
    walk = shop.walk()
    room = walk.split("run/")[0]
    rina = shop.rows("SELECT id FROM auth_user WHERE username = 'rina.shop'")[0][0]
    shop.olga.post(f"{room}handover", receiver=str(rina), state="Orders wait.", next_step="Free the disk.")
    return walk, f"{room}handover/{shop.rows('SELECT max(id) FROM incidents_handover')[0][0]}"


@STATES.state("handover-offered-giver")
def handover_giver(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{_offered(shop)[0]}step/{steps.DISK}/", "not answered for")


@STATES.state("handover-offered-receiver")
def handover_receiver(shop: Shop) -> Seen:
    return Seen(shop.rina, f"{_offered(shop)[0]}step/{steps.DISK}/", "hands this over to you")


@STATES.state("handover-sheet")
def handover_sheet(shop: Shop) -> Seen:
    return Seen(
        shop.rina, f"{_offered(shop)[0]}step/{steps.DISK}/", prepare=partial(open_sheet, opener="#read-handover")
    )


@STATES.state("handover-declined")
def handover_declined(shop: Shop) -> Seen:
    walk, answer = _offered(shop)
    shop.rina.post(answer, answer="decline", word="on a train until 14:00")
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "on a train until 14:00")


@STATES.state("handover-accepted")
def handover_accepted(shop: Shop) -> Seen:
    walk, answer = _offered(shop)
    shop.rina.post(answer, answer="accept")
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "Rina Hartono")


@STATES.state("presence")
def presence(shop: Shop) -> Seen:
    walk = shop.walk()
    for page, step in ((shop.rina.pages[1280], steps.WORKERS), (shop.lena.pages[1280], steps.DISK)):
        page.goto(f"{walk}step/{step}/")

    def wait_for_them(page: Page) -> None:
        expect(page.locator("#room-here")).to_contain_text("Rina Hartono", timeout=15_000)
        unfold_steps(page)

    leave = [partial(who.pages[1280].goto, "about:blank") for who in (shop.rina, shop.lena)]
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", prepare=wait_for_them, after=[*leave])


@STATES.state("picture-note")
def picture_note(shop: Shop) -> Seen:
    walk = shop.walk()
    page = shop.olga.pages[1280]
    page.goto(f"{walk}step/{steps.DISK}/")
    page.locator("#id_text").fill("The panel of the disk:")
    page.evaluate(PASTE, "png")
    expect(page.locator("#id_text")).to_have_value(re.compile("picture:"))
    page.get_by_role("button", name="Add note").click()

    def unfold(page: Page) -> None:
        if (page.viewport_size or {"width": 0})["width"] < 500:
            page.locator(".bottombar").get_by_role("button", name="Timeline").click()
            page.locator("#close-side").click()
            expect(page.locator("#timeline")).to_be_hidden()
            page.locator(".bottombar").get_by_role("button", name="Timeline").click()
        page.locator("#timeline .event-body img").scroll_into_view_if_needed()

    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", prepare=unfold)


@STATES.state("guest")
def guest(shop: Shop) -> Seen:
    return Seen(shop.gus, f"{shop.walk()}step/{steps.DISK}/", "Operator", status=403)


@pytest.mark.parametrize(("name", "build"), STATES.cases)
def test_every_state_fits_and_is_accessible(shop: Shop, name: str, build: Build) -> None:
    fits(shop, name, build)
