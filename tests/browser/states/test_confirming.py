"""States of the gates that the person at the step passes alone."""

import re
from functools import partial

import pytest
from playwright.sync_api import Page

from tests.browser import shop as steps
from tests.browser.shop import Shop, open_sheet, open_strip
from tests.browser.states.staging import Build, Seen, States, fits

STATES = States()
pytestmark = pytest.mark.timeout(300)


@STATES.state("change-strip", always=True)
def change_strip(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.NOTE}/", prepare=open_strip)


@STATES.state("disrupt-sheet", always=True)
def disrupt_sheet(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.STUCK}/", prepare=open_sheet)


@STATES.state("disrupt-outside-production")
def disrupt_elsewhere(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk(where=shop.elsewhere)}step/{steps.STUCK}/", prepare=open_strip)


@STATES.state("disrupt-in-use")
def disrupt_in_use(shop: Shop) -> Seen:
    other = shop.walk("Orders wait for their workers", by=shop.rina)
    run = shop.ran(other, steps.BACK, by=shop.rina)
    text = "pkill -HUP shop-orders"
    where = "UPDATE runbooks_commandrun SET touches = %s, text = %s WHERE id = %s RETURNING id"
    shop.rows(where, ["shop-orders"], text, run)
    shop.leave(run, "outcome_unknown")
    after = partial(shop.leave, run, "stopped")
    return Seen(shop.olga, f"{shop.walk()}step/{steps.STUCK}/", prepare=open_sheet, after=[after])


@STATES.state("destroy-before")
def destroy_before(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.WIPE}/values", **{"value:order_id": "4711"})
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "Review and ask")


@STATES.state("destroy-sheet", always=True)
def destroy_sheet(shop: Shop) -> Seen:
    return Seen(shop.olga, destroy_before(shop).path, prepare=open_sheet)


@STATES.state("destroy-wrong-target")
def destroy_wrong_target(shop: Shop) -> Seen:
    def mistype(page: Page) -> None:
        open_sheet(page)
        sheet = page.locator("dialog[open]")
        sheet.get_by_text("Users are affected").click()
        sheet.get_by_label("to confirm what it happens to").fill("/tmp/erpops-shop-queue")
        page.wait_for_timeout(500)
        sheet.get_by_role("button", name=re.compile("^Ask: ")).click()
        page.wait_for_timeout(300)

    return Seen(shop.olga, destroy_before(shop).path, prepare=mistype)


@STATES.state("blocked")
def blocked(shop: Shop) -> Seen:
    def unfold(page: Page) -> None:
        page.get_by_text("Keep what it printed", exact=True).click()

    return Seen(shop.olga, f"{shop.walk()}step/{steps.BY_HAND}/", "Copy it", prepare=unfold)


@pytest.mark.parametrize(("name", "build"), STATES.cases)
def test_every_state_fits_and_is_accessible(shop: Shop, name: str, build: Build) -> None:
    fits(shop, name, build)
