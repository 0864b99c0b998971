"""States of a walk that ends, has ended, or has become old."""

from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.browser import shop as steps
from tests.browser.shop import DOCUMENT_OF_ROLLOUT, ROLLOUT, Shop, open_sheet
from tests.browser.states.staging import Build, Seen, States, fits

STATES = States()
pytestmark = pytest.mark.timeout(300)


@STATES.state("complete-sheet", always=True)
def complete_sheet(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.WORKERS, steps.MISSING)
    shop.olga.post(f"{walk}step/{steps.BY_HAND}/skip", reason="no access")
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice=str(steps.FULL))
    return Seen(shop.olga, f"{walk}step/{steps.TELL}/", prepare=partial(open_sheet, opener="#walk-complete"))


@STATES.state("completed")
def completed(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.BACK)
    shop.olga.post(f"{walk}step/{steps.BY_HAND}/skip", reason="no access")
    shop.olga.post(f"{walk}complete", position="0", note="the disk is replaced tomorrow")
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "Completed")


@STATES.state("abandoned")
def abandoned(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}abandon", reason="wrong runbook, it is the broker")
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "Given up")


@STATES.state("abandon-sheet")
def abandon_sheet(shop: Shop) -> Seen:
    def unfold(page: Page) -> None:
        page.locator("#walk-menu > summary").click()
        page.get_by_role("link", name="Leave it unfinished").click()
        expect(page.locator("dialog[open] h2")).to_be_visible()

    return Seen(shop.olga, f"{shop.walk()}step/{steps.DISK}/", prepare=unfold)


@STATES.state("resolve-sheet")
def resolve_sheet(shop: Shop) -> Seen:
    walk = shop.walk()
    return Seen(
        shop.olga, f"{walk}step/{steps.DISK}/", prepare=partial(open_sheet, opener="a[href$='/resolve']:visible")
    )


@STATES.state("resolved")
def resolved(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    told = {"reason": "The disk was freed.", "unverified": "customers confirm it"}
    shop.olga.post(f"{walk.partition('run/')[0]}resolve", **told)
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "Resolved")


@STATES.state("newer-version")
def newer_version(shop: Shop) -> Seen:
    walk = shop.walk(runbook=ROLLOUT)
    steps.publish(shop.admin, "rollout.md", DOCUMENT_OF_ROLLOUT.replace("echo 0.4", "echo 0.3"))
    return Seen(shop.olga, f"{walk}step/{steps.WATCH}/", "is published by now")


@pytest.mark.parametrize(("name", "build"), STATES.cases)
def test_every_state_fits_and_is_accessible(shop: Shop, name: str, build: Build) -> None:
    fits(shop, name, build)
