"""States of commands that read, of their values and of a page that heard nothing for long."""

from collections.abc import Callable
from functools import partial

import pytest
from playwright.sync_api import Page, expect

from tests.browser import shop as steps
from tests.browser.shop import Shop, number_of
from tests.browser.states.staging import Build, Seen, States, fits
from tests.browser.test_screens import Account

STATES = States()
pytestmark = pytest.mark.timeout(300)


@STATES.state("read-idle")
def read_idle(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.DISK}/", "Expected")


@STATES.state("read-succeeded", always=True)
def read_succeeded(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "Succeeded")


@STATES.state("read-queued")
def read_queued(shop: Shop) -> Seen:
    walk = shop.walk()
    run = shop.ran(walk, steps.BACK)
    shop.leave(run, "queued", ended_at=None, started_at=None)
    after = partial(shop.leave, run, "stopped")
    return Seen(shop.olga, f"{walk}step/{steps.BACK}/", "Queued", after=[after])


@STATES.state("read-running", always=True)
def read_running(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.WORKERS, steps.COUNT)
    run = shop.started(walk, steps.WORKERS, steps.LOG)
    return Seen(shop.olga, f"{walk}step/{steps.WORKERS}/", "Running", after=[stopping(shop, walk, run)])


def stopping(shop: Shop, walk: str, run: int) -> Callable[[], object]:
    return partial(shop.olga.post, f"{walk.partition('run/')[0]}run/{run}/stop")


@STATES.state("read-failed")
def read_failed(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.WORKERS, steps.COUNT)
    shop.ran(walk, steps.WORKERS, steps.MISSING)
    return Seen(shop.olga, f"{walk}step/{steps.WORKERS}/", "exit")


def _ended(shop: Shop, status: str, **columns: object) -> str:
    walk = shop.walk()
    run = shop.ran(walk, steps.BACK)
    shop.leave(run, status, exit_code=None, **columns)
    shop.rows(
        "UPDATE runbooks_steprun SET status = 'current' WHERE execution_id = %s AND position = %s RETURNING id",
        number_of(walk),
        steps.BACK,
    )
    return f"{walk}step/{steps.BACK}/"


@STATES.state("read-timed-out")
def read_timed_out(shop: Shop) -> Seen:
    return Seen(shop.olga, _ended(shop, "timed_out", reason="It was ended after 60 s."), "Timed out")


@STATES.state("read-stopped")
def read_stopped(shop: Shop) -> Seen:
    return Seen(shop.olga, _ended(shop, "stopped", reason="Stopped by olga."), "Stopped")


@STATES.state("read-not-started")
def read_not_started(shop: Shop) -> Seen:
    reason = "The worker has no program named ls."
    return Seen(shop.olga, _ended(shop, "not_started", reason=reason, output_bytes=0), "Not started")


@STATES.state("outcome-unknown", always=True)
def outcome_unknown(shop: Shop) -> Seen:
    return Seen(shop.olga, _ended(shop, "outcome_unknown"), "Nobody knows how this ended")


@STATES.state("stop-unconfirmed")
def stop_unconfirmed(shop: Shop) -> Seen:
    return Seen(shop.olga, _ended(shop, "stop_unconfirmed", host="erp-prod-1"), "may still run")


@STATES.state("from-before")
def from_before(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.BACK)
    shop.olga.post(f"{walk}step/{steps.BACK}/resume")
    shop.ran(walk, steps.BACK, attempt="2")
    shop.ran(walk, steps.DISK)
    return Seen(shop.olga, f"{walk}step/{steps.BACK}/", "From before")


@STATES.state("reads-ended-at-a-failure")
def reads_ended(shop: Shop) -> Seen:
    walk = shop.walk()

    def run_all(page: Page) -> None:
        page.locator("#run-reads").click()
        page.locator("#stop-1").click(timeout=20_000)
        expect(page.locator("#walk-chain")).to_contain_text("did not succeed", timeout=30_000)

    return Seen(shop.olga, f"{walk}step/{steps.WORKERS}/", prepare=run_all)


@STATES.state("no-worker")
def no_worker(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk(where=shop.annex)}step/{steps.DISK}/", "No worker serves")


@STATES.state("stale")
def stale(shop: Shop) -> Seen:
    """Nothing was heard for 40 s, by the page's own clock."""
    walk = shop.walk()
    run = shop.started(walk, steps.WORKERS, steps.LOG)
    here = shop.olga.pages[1280].context
    assert here.browser is not None
    alone = Account(here.browser, shop.console.url, here.storage_state())

    def cut(page: Page) -> None:
        expect(page.locator("#conn")).to_have_text("Live", timeout=20_000)
        page.clock.install()
        page.context.set_offline(True)
        page.clock.fast_forward(40_000)
        expect(page.locator("#stale-banner")).to_be_visible()

    return Seen(
        alone, f"{walk}step/{steps.WORKERS}/", "Running", prepare=cut, after=[stopping(shop, walk, run), alone.close]
    )


@STATES.state("values-missing", always=True)
def values_missing(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.ORDER}/", "needs order_id")


@STATES.state("values-given")
def values_given(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.ORDER}/values", **{"value:order_id": "4711", "value:customer-ip": "203.0.113.7"})
    return Seen(shop.olga, f"{walk}step/{steps.ORDER}/", "4711")


@STATES.state("values-wrong")
def values_wrong(shop: Shop) -> Seen:
    walk = shop.walk()

    def type_it(page: Page) -> None:
        page.get_by_role("textbox", name="customer-ip").fill("300.1.2")
        page.get_by_role("button", name="Use these values").click()
        expect(page.locator("#walk-values .field-error")).to_be_visible()

    return Seen(shop.olga, f"{walk}step/{steps.ORDER}/", prepare=type_it)


@pytest.mark.parametrize(("name", "build"), STATES.cases)
def test_every_state_fits_and_is_accessible(shop: Shop, name: str, build: Build) -> None:
    fits(shop, name, build)
