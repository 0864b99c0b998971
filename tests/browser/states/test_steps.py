"""States of verification, lists and steps by hand, and of the list of all steps."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page

from tests.browser import shop as steps
from tests.browser.shop import ROLLOUT, Shop, number_of
from tests.browser.states.staging import Build, Seen, States, fits, unfold_steps

STATES = States()
pytestmark = pytest.mark.timeout(300)


@STATES.state("verification")
def verification(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.VERIFY}/", "What did you see?")


def _observe(shop: Shop, walk: str, item: int, text: str, holds: str) -> None:
    shop.olga.post(f"{walk}step/{steps.VERIFY}/observe", about=f"item:{item}", observed=text, holds=holds)


@STATES.state("verification-fails", always=True)
def verification_fails(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice=str(steps.FULL))
    _observe(shop, walk, 0, "503", "0")
    _observe(shop, walk, 1, "14 a minute", "1")
    return Seen(shop.olga, f"{walk}step/{steps.VERIFY}/", "It does not hold")


@STATES.state("verification-holds")
def verification_holds(shop: Shop) -> Seen:
    walk = shop.walk()
    _observe(shop, walk, 0, "200 OK", "1")
    _observe(shop, walk, 1, "14 a minute", "1")
    return Seen(shop.olga, f"{walk}step/{steps.VERIFY}/", "14 a minute")


@STATES.state("checklist")
def checklist(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.TELL}/tick", item="0", ticked="1")
    return Seen(shop.olga, f"{walk}step/{steps.TELL}/", "1 not ticked yet")


@STATES.state("optional")
def optional(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.FAN}/", "Optional")


@STATES.state("skip-menu")
def skip_menu(shop: Shop) -> Seen:
    def unfold(page: Page) -> None:
        page.locator("#skip-menu > summary").click()

    return Seen(shop.olga, f"{shop.walk()}step/{steps.VERIFY}/", prepare=unfold)


@STATES.state("skipped")
def skipped(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.BY_HAND}/skip", reason="no access")
    return Seen(shop.olga, f"{walk}step/{steps.BY_HAND}/", "Skipped")


@STATES.state("done")
def done(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.FAN}/done", note="it turns")
    return Seen(shop.olga, f"{walk}step/{steps.FAN}/", "it turns")


@STATES.state("phase-over")
def phase_over(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.read(f"{walk}step/{steps.DISK}/")
    shop.rows(
        "UPDATE runbooks_phaseclock SET started_at = started_at - %s, due_at = due_at - %s, over_at = now()"
        " WHERE execution_id = %s RETURNING id",
        *[timedelta(minutes=7)] * 2,
        number_of(walk),
    )
    return Seen(shop.olga, f"{walk}step/{steps.WORKERS}/", "over", prepare=unfold_steps)


@STATES.state("all-steps")
def all_steps(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    shop.ran(walk, steps.WORKERS, steps.MISSING)
    shop.olga.post(f"{walk}step/{steps.BY_HAND}/skip", reason="no access")
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice=str(steps.FULL))
    return Seen(shop.olga, f"{walk}step/{steps.ORDER}/", prepare=unfold_steps)


@STATES.state("reference")
def reference(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.FAN}/", ROLLOUT)


@STATES.state("reference-begun")
def reference_begun(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.FAN}/refer/{ROLLOUT.lower().replace(' ', '-')}")
    return Seen(shop.olga, f"{walk}step/{steps.FAN}/", "steps passed")


@STATES.state("dry-run-of-a-step")
def dry_run_of_a_step(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.WIPE}/dry-run", "Nothing was started")


@STATES.state("dry-run")
def dry_run(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}dry-run", "Nothing was started")


@pytest.mark.parametrize(("name", "build"), STATES.cases)
def test_every_state_fits_and_is_accessible(shop: Shop, name: str, build: Build) -> None:
    fits(shop, name, build)
