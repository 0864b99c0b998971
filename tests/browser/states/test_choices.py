"""States of decisions, options and waits: where the walk goes on."""

import pytest
from playwright.sync_api import Page

from tests.browser import shop as steps
from tests.browser.shop import ROLLOUT, Shop
from tests.browser.states.staging import Build, Seen, States, fits

STATES = States()
pytestmark = pytest.mark.timeout(300)


@STATES.state("decision", always=True)
def decision(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    return Seen(shop.olga, f"{walk}step/{steps.FULL}/", "Suggested")


@STATES.state("decision-not-sure")
def decision_not_sure(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice="unsure", reason="df and the panel differ")
    return Seen(shop.olga, f"{walk}step/{steps.FULL}/", "Not sure yet")


@STATES.state("decision-taken")
def decision_taken(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice=str(steps.FULL), reason="97 %")
    return Seen(shop.olga, f"{walk}step/{steps.FULL}/", "Decided")


@STATES.state("decision-branch-not-taken")
def decision_branch(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice=str(steps.FULL), reason="97 %")

    def unfold(page: Page) -> None:
        page.get_by_text("Decide again").click()

    return Seen(shop.olga, f"{walk}step/{steps.STUCK}/", "not taken", prepare=unfold)


@STATES.state("decision-none")
def decision_none(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice="none")
    return Seen(shop.olga, f"{walk}step/{steps.FULL}/", "none of these applies")


@STATES.state("options")
def options(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk(runbook=ROLLOUT)}step/{steps.GREEN}/", "Which way is taken?")


@STATES.state("go-or-no-go")
def go_or_no_go(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk(runbook=ROLLOUT)}step/{steps.WATCH}/", "Go or no-go?")


@STATES.state("no-go")
def no_go(shop: Shop) -> Seen:
    walk = shop.walk(runbook=ROLLOUT)
    shop.olga.post(f"{walk}step/{steps.WATCH}/go", choice="no_go", reason="errors at 3 %")
    return Seen(shop.olga, f"{walk}step/{steps.WATCH}/", "No-go")


@STATES.state("wait")
def wait(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.WAIT}/", "Start the clock")


@STATES.state("wait-running")
def wait_running(shop: Shop) -> Seen:
    def unfold(page: Page) -> None:
        page.get_by_text("End it early").click()

    return Seen(shop.olga, f"{_waiting(shop)}step/{steps.WAIT}/", "until", prepare=unfold)


def _waiting(shop: Shop) -> str:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.WAIT}/wait", wait="0")
    return walk


@STATES.state("wait-over")
def wait_over(shop: Shop) -> Seen:
    walk = _waiting(shop)
    shop.olga.post(f"{walk}step/{steps.WAIT}/wait", wait="0", act="end", reason="quiet already")
    return Seen(shop.olga, f"{walk}step/{steps.WAIT}/", "ended early")


@pytest.mark.parametrize(("name", "build"), STATES.cases)
def test_every_state_fits_and_is_accessible(shop: Shop, name: str, build: Build) -> None:
    fits(shop, name, build)
