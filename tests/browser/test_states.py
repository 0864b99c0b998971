"""Every state of the step panel and of the gates, on a computer and on a phone, light and dark.

Each is reached on a walk of its own, is looked at by the person whom it concerns, and leaves four pictures.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser import shop as steps
from tests.browser.shop import DOCUMENT_OF_ROLLOUT, ROLLOUT, Shop, number_of, open_sheet, open_strip
from tests.browser.test_screens import Account, look
from tests.browser.test_two_operators import PASTE
from tests.stack import ROOT, Stack

PICTURES = ROOT / "test-artifacts" / "states"
pytestmark = pytest.mark.timeout(300)


@dataclass
class Seen:
    """Who looks at which page; `prepare` opens what is meant on it, `sign` has to be shown, `after` tidies up."""

    who: Account
    path: str
    sign: str = ""
    prepare: Callable[[Page], None] | None = None
    after: Sequence[Callable[[], object]] = ()
    status: int = 200


State = Callable[[Shop], Seen]
STATES: dict[str, State] = {}
# What is looked at each time; the others are for `make test-full`.
ALWAYS = {
    "read-succeeded",
    "read-running",
    "outcome-unknown",
    "values-missing",
    "change-strip",
    "disrupt-sheet",
    "destroy-sheet",
    "approval-question",
    "decision",
    "verification-fails",
    "baton-asked-holder",
    "complete-sheet",
}


def state(name: str) -> Callable[[State], State]:
    """Register what brings the shop into the state of that name."""

    def kept(build: State) -> State:
        STATES[name] = build
        return build

    return kept


@pytest.fixture(scope="module")
def shop(chromium: Browser, shared_console: Stack, signed_in: StorageState) -> Iterator[Shop]:
    with steps.opened(chromium, shared_console, signed_in) as found:
        yield found


# --- what reads


@state("read-idle")
def read_idle(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.DISK}/", "Expected")


@state("read-succeeded")
def read_succeeded(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "Succeeded")


@state("read-queued")
def read_queued(shop: Shop) -> Seen:
    walk = shop.walk()
    run = shop.ran(walk, steps.BACK)
    shop.leave(run, "queued", ended_at=None, started_at=None)
    after = partial(shop.leave, run, "stopped")
    return Seen(shop.olga, f"{walk}step/{steps.BACK}/", "Queued", after=[after])


@state("read-running")
def read_running(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.WORKERS, steps.COUNT)
    run = shop.started(walk, steps.WORKERS, steps.LOG)
    return Seen(shop.olga, f"{walk}step/{steps.WORKERS}/", "Running", after=[_stop(shop, walk, run)])


def _stop(shop: Shop, walk: str, run: int) -> Callable[[], object]:
    return partial(shop.olga.post, f"{walk.partition('run/')[0]}run/{run}/stop")


@state("read-failed")
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


@state("read-timed-out")
def read_timed_out(shop: Shop) -> Seen:
    return Seen(shop.olga, _ended(shop, "timed_out", reason="It was ended after 60 s."), "Timed out")


@state("read-stopped")
def read_stopped(shop: Shop) -> Seen:
    return Seen(shop.olga, _ended(shop, "stopped", reason="Stopped by olga."), "Stopped")


@state("read-not-started")
def read_not_started(shop: Shop) -> Seen:
    reason = "The worker has no program named ls."
    return Seen(shop.olga, _ended(shop, "not_started", reason=reason, output_bytes=0), "Not started")


@state("outcome-unknown")
def outcome_unknown(shop: Shop) -> Seen:
    return Seen(shop.olga, _ended(shop, "outcome_unknown"), "Nobody knows how this ended")


@state("stop-unconfirmed")
def stop_unconfirmed(shop: Shop) -> Seen:
    return Seen(shop.olga, _ended(shop, "stop_unconfirmed", host="erp-prod-1"), "may still run")


@state("from-before")
def from_before(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.BACK)
    shop.olga.post(f"{walk}step/{steps.BACK}/resume")
    shop.ran(walk, steps.BACK, attempt="2")
    shop.ran(walk, steps.DISK)
    return Seen(shop.olga, f"{walk}step/{steps.BACK}/", "From before")


@state("reads-ended-at-a-failure")
def reads_ended(shop: Shop) -> Seen:
    walk = shop.walk()

    def run_all(page: Page) -> None:
        page.locator("#run-reads").click()
        page.locator("#stop-1").click(timeout=20_000)
        expect(page.locator("#walk-chain")).to_contain_text("did not succeed", timeout=30_000)

    return Seen(shop.olga, f"{walk}step/{steps.WORKERS}/", prepare=run_all)


# --- values


@state("values-missing")
def values_missing(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.ORDER}/", "needs order_id")


@state("values-given")
def values_given(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.ORDER}/values", **{"value:order_id": "4711", "value:customer-ip": "203.0.113.7"})
    return Seen(shop.olga, f"{walk}step/{steps.ORDER}/", "4711")


@state("values-wrong")
def values_wrong(shop: Shop) -> Seen:
    walk = shop.walk()

    def type_it(page: Page) -> None:
        page.get_by_role("textbox", name="customer-ip").fill("300.1.2")
        page.get_by_role("button", name="Use these values").click()
        expect(page.locator("#walk-values .field-error")).to_be_visible()

    return Seen(shop.olga, f"{walk}step/{steps.ORDER}/", prepare=type_it)


# --- gates


@state("change-strip")
def change_strip(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.NOTE}/", prepare=open_strip)


@state("disrupt-sheet")
def disrupt_sheet(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.STUCK}/", prepare=open_sheet)


@state("disrupt-outside-production")
def disrupt_elsewhere(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk(where=shop.elsewhere)}step/{steps.STUCK}/", prepare=open_strip)


@state("disrupt-in-use")
def disrupt_in_use(shop: Shop) -> Seen:
    other = shop.walk("Orders wait for their workers", by=shop.rina)
    run = shop.ran(other, steps.BACK, by=shop.rina)
    text = "pkill -HUP shop-orders"
    where = "UPDATE runbooks_commandrun SET touches = %s, text = %s WHERE id = %s RETURNING id"
    shop.rows(where, ["shop-orders"], text, run)
    shop.leave(run, "outcome_unknown")
    after = partial(shop.leave, run, "stopped")
    return Seen(shop.olga, f"{shop.walk()}step/{steps.STUCK}/", prepare=open_sheet, after=[after])


@state("destroy-before")
def destroy_before(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.WIPE}/values", **{"value:order_id": "4711"})
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "Review and ask")


@state("destroy-sheet")
def destroy_sheet(shop: Shop) -> Seen:
    return Seen(shop.olga, destroy_before(shop).path, prepare=open_sheet)


@state("destroy-wrong-target")
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


@state("destroy-waiting")
def destroy_waiting(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.asked(walk)
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "Waiting for approval")


@state("approval-now")
def approval_now(shop: Shop) -> Seen:
    shop.asked(shop.walk())
    return Seen(shop.lena, "/", "Remove 1 path on Shop")


@state("approval-question")
def approval_question(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    return Seen(shop.lena, f"/approvals/{shop.asked(walk)}/", "Waiting for an answer")


@state("approval-asker")
def approval_asker(shop: Shop) -> Seen:
    return Seen(shop.olga, f"/approvals/{shop.asked(shop.walk())}/", "Withdraw the question")


@state("approval-approved")
def approval_approved(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.approve(shop.asked(walk))
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "Approved by Lena Okafor")


@state("approval-approved-sheet")
def approval_approved_sheet(shop: Shop) -> Seen:
    return Seen(shop.olga, approval_approved(shop).path, prepare=open_sheet)


@state("approval-answered")
def approval_answered(shop: Shop) -> Seen:
    asked = shop.asked(shop.walk())
    shop.approve(asked)
    return Seen(shop.lena, f"/approvals/{asked}/", "approved it")


@state("approval-rejected")
def approval_rejected(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.lena.post(f"/approvals/{shop.asked(walk)}/answer", verdict="reject", comment="There is no copy yet.")
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "Refused by Lena Okafor")


@state("approval-expired")
def approval_expired(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.asked_earlier(shop.asked(walk), "asked_at", "expires_at", by=timedelta(minutes=16))
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "expired")


@state("approval-void")
def approval_void(shop: Shop) -> Seen:
    """Asked for one order, and another one is meant by now."""
    walk = shop.walk()
    asked = shop.asked(walk)
    shop.olga.post(f"{walk}step/{steps.WIPE}/values", **{"value:order_id": "4712"})
    return Seen(shop.lena, f"/approvals/{asked}/", "It is void")


@state("approval-withdrawn-by-an-edit")
def approval_withdrawn(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.asked(walk)
    shop.olga.post(f"{walk}step/{steps.WIPE}/values", **{"value:order_id": "4712"})
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "is void")


@state("glass")
def glass(shop: Shop) -> Seen:
    return Seen(shop.lena, f"/approvals/{_unanswered(shop)[1]}/", "Break the glass")


def _unanswered(shop: Shop) -> tuple[str, int]:
    walk = shop.walk(severity="SEV1", by=shop.lena)
    asked = shop.asked(walk, by=shop.lena)
    shop.asked_earlier(asked, "asked_at", by=timedelta(minutes=6))
    return walk, asked


@state("glass-broken")
def glass_broken(shop: Shop) -> Seen:
    walk, asked = _unanswered(shop)
    shop.lena.post(f"/approvals/{asked}/glass", reason="Orders are lost every minute and nobody answers.")
    return Seen(shop.lena, f"{walk}step/{steps.WIPE}/", "Glass broken by Lena Okafor")


@state("solo")
def solo(shop: Shop) -> Seen:
    walk = shop.walk(by=shop.lena)
    alone = shop.alone()
    alone.__enter__()
    shop.asked(walk, by=shop.lena)
    return Seen(
        shop.lena, f"{walk}step/{steps.WIPE}/", "Cooling down", after=[lambda: alone.__exit__(None, None, None)]
    )


@state("solo-sheet")
def solo_sheet(shop: Shop) -> Seen:
    walk = shop.walk(by=shop.lena)
    shop.lena.post(f"{walk}step/{steps.WIPE}/values", **{"value:order_id": "4711"})
    alone = shop.alone()
    alone.__enter__()
    after = [lambda: alone.__exit__(None, None, None)]
    return Seen(shop.lena, f"{walk}step/{steps.WIPE}/", prepare=open_sheet, after=after)


@state("blocked")
def blocked(shop: Shop) -> Seen:
    def unfold(page: Page) -> None:
        page.get_by_text("Keep what it printed", exact=True).click()

    return Seen(shop.olga, f"{shop.walk()}step/{steps.BY_HAND}/", "Copy it", prepare=unfold)


# --- the walk


@state("decision")
def decision(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    return Seen(shop.olga, f"{walk}step/{steps.FULL}/", "Suggested")


@state("decision-not-sure")
def decision_not_sure(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice="unsure", reason="df and the panel differ")
    return Seen(shop.olga, f"{walk}step/{steps.FULL}/", "Not sure yet")


@state("decision-taken")
def decision_taken(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice=str(steps.FULL), reason="97 %")
    return Seen(shop.olga, f"{walk}step/{steps.FULL}/", "Decided")


@state("decision-branch-not-taken")
def decision_branch(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice=str(steps.FULL), reason="97 %")

    def unfold(page: Page) -> None:
        page.get_by_text("Decide again").click()

    return Seen(shop.olga, f"{walk}step/{steps.STUCK}/", "not taken", prepare=unfold)


@state("decision-none")
def decision_none(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice="none")
    return Seen(shop.olga, f"{walk}step/{steps.FULL}/", "none of these applies")


@state("options")
def options(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk(runbook=ROLLOUT)}step/{steps.GREEN}/", "Which way is taken?")


@state("go-or-no-go")
def go_or_no_go(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk(runbook=ROLLOUT)}step/{steps.WATCH}/", "Go or no-go?")


@state("no-go")
def no_go(shop: Shop) -> Seen:
    walk = shop.walk(runbook=ROLLOUT)
    shop.olga.post(f"{walk}step/{steps.WATCH}/go", choice="no_go", reason="errors at 3 %")
    return Seen(shop.olga, f"{walk}step/{steps.WATCH}/", "No-go")


@state("wait")
def wait(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.WAIT}/", "Start the clock")


@state("wait-running")
def wait_running(shop: Shop) -> Seen:
    def unfold(page: Page) -> None:
        page.get_by_text("End it early").click()

    return Seen(shop.olga, f"{_waiting(shop)}step/{steps.WAIT}/", "until", prepare=unfold)


def _waiting(shop: Shop) -> str:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.WAIT}/wait", wait="0")
    return walk


@state("wait-over")
def wait_over(shop: Shop) -> Seen:
    walk = _waiting(shop)
    shop.olga.post(f"{walk}step/{steps.WAIT}/wait", wait="0", act="end", reason="quiet already")
    return Seen(shop.olga, f"{walk}step/{steps.WAIT}/", "ended early")


@state("verification")
def verification(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.VERIFY}/", "What did you see?")


def _observe(shop: Shop, walk: str, item: int, text: str, holds: str) -> None:
    shop.olga.post(f"{walk}step/{steps.VERIFY}/observe", about=f"item:{item}", observed=text, holds=holds)


@state("verification-fails")
def verification_fails(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice=str(steps.FULL))
    _observe(shop, walk, 0, "503", "0")
    _observe(shop, walk, 1, "14 a minute", "1")
    return Seen(shop.olga, f"{walk}step/{steps.VERIFY}/", "It does not hold")


@state("verification-holds")
def verification_holds(shop: Shop) -> Seen:
    walk = shop.walk()
    _observe(shop, walk, 0, "200 OK", "1")
    _observe(shop, walk, 1, "14 a minute", "1")
    return Seen(shop.olga, f"{walk}step/{steps.VERIFY}/", "14 a minute")


@state("checklist")
def checklist(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.TELL}/tick", item="0", ticked="1")
    return Seen(shop.olga, f"{walk}step/{steps.TELL}/", "1 not ticked yet")


@state("optional")
def optional(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.FAN}/", "Optional")


@state("skip-menu")
def skip_menu(shop: Shop) -> Seen:
    def unfold(page: Page) -> None:
        page.locator("#skip-menu > summary").click()

    return Seen(shop.olga, f"{shop.walk()}step/{steps.VERIFY}/", prepare=unfold)


@state("skipped")
def skipped(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.BY_HAND}/skip", reason="no access")
    return Seen(shop.olga, f"{walk}step/{steps.BY_HAND}/", "Skipped")


@state("done")
def done(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.FAN}/done", note="it turns")
    return Seen(shop.olga, f"{walk}step/{steps.FAN}/", "it turns")


@state("phase-over")
def phase_over(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.read(f"{walk}step/{steps.DISK}/")
    shop.rows(
        "UPDATE runbooks_phaseclock SET started_at = started_at - %s, due_at = due_at - %s, over_at = now()"
        " WHERE execution_id = %s RETURNING id",
        *[timedelta(minutes=7)] * 2,
        number_of(walk),
    )
    return Seen(shop.olga, f"{walk}step/{steps.WORKERS}/", "over", prepare=_all_steps)


def _all_steps(page: Page) -> None:
    """On a phone the list of the steps is folded."""
    if (page.viewport_size or {"width": 0})["width"] < 500:
        page.locator("#walk-count").click()


@state("all-steps")
def all_steps(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    shop.ran(walk, steps.WORKERS, steps.MISSING)
    shop.olga.post(f"{walk}step/{steps.BY_HAND}/skip", reason="no access")
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice=str(steps.FULL))
    return Seen(shop.olga, f"{walk}step/{steps.ORDER}/", prepare=_all_steps)


# --- people


@state("baton-with-another")
def baton_with_another(shop: Shop) -> Seen:
    return Seen(shop.rina, f"{shop.walk()}step/{steps.DISK}/", "Take over")


@state("baton-asked-holder")
def baton_asked_holder(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{_asked_for(shop)}step/{steps.DISK}/", "asks for the baton")


def _asked_for(shop: Shop) -> str:
    walk = shop.walk()
    shop.rina.post(f"{walk}take", position="0")
    return walk


@state("baton-asked-asker")
def baton_asked_asker(shop: Shop) -> Seen:
    return Seen(shop.rina, f"{_asked_for(shop)}step/{steps.DISK}/", "You asked")


@state("baton-kept")
def baton_kept(shop: Shop) -> Seen:
    walk = _asked_for(shop)
    asked = re.findall(rf"{walk}baton/(\d+)", shop.olga.read(f"{walk}step/0/"))[0]
    shop.olga.post(f"{walk}baton/{asked}", answer="keep", word="one more step")
    return Seen(shop.rina, f"{walk}step/{steps.DISK}/", "one more step")


@state("paused")
def paused(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}pause", position="0")
    return Seen(shop.rina, f"{walk}step/{steps.DISK}/", "Paused at")


@state("walk-menu")
def walk_menu(shop: Shop) -> Seen:
    def unfold(page: Page) -> None:
        page.locator("#walk-menu > summary").click()

    return Seen(shop.olga, f"{shop.walk()}step/{steps.DISK}/", prepare=unfold)


@state("handover-new")
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


@state("handover-offered-giver")
def handover_giver(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{_offered(shop)[0]}step/{steps.DISK}/", "not answered for")


@state("handover-offered-receiver")
def handover_receiver(shop: Shop) -> Seen:
    return Seen(shop.rina, f"{_offered(shop)[0]}step/{steps.DISK}/", "hands this over to you")


@state("handover-sheet")
def handover_sheet(shop: Shop) -> Seen:
    return Seen(
        shop.rina, f"{_offered(shop)[0]}step/{steps.DISK}/", prepare=partial(open_sheet, opener="#read-handover")
    )


@state("handover-declined")
def handover_declined(shop: Shop) -> Seen:
    walk, answer = _offered(shop)
    shop.rina.post(answer, answer="decline", word="on a train until 14:00")
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "on a train until 14:00")


@state("handover-accepted")
def handover_accepted(shop: Shop) -> Seen:
    walk, answer = _offered(shop)
    shop.rina.post(answer, answer="accept")
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "Rina Hartono")


@state("presence")
def presence(shop: Shop) -> Seen:
    walk = shop.walk()
    for page, step in ((shop.rina.pages[1280], steps.WORKERS), (shop.lena.pages[1280], steps.DISK)):
        page.goto(f"{walk}step/{step}/")

    def wait_for_them(page: Page) -> None:
        expect(page.locator("#room-here")).to_contain_text("Rina Hartono", timeout=15_000)
        _all_steps(page)

    leave = [partial(who.pages[1280].goto, "about:blank") for who in (shop.rina, shop.lena)]
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", prepare=wait_for_them, after=[*leave])


# --- around and at the end


@state("dry-run-of-a-step")
def dry_run_of_a_step(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.WIPE}/dry-run", "Nothing was started")


@state("dry-run")
def dry_run(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}dry-run", "Nothing was started")


@state("complete-sheet")
def complete_sheet(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.WORKERS, steps.MISSING)
    shop.olga.post(f"{walk}step/{steps.BY_HAND}/skip", reason="no access")
    shop.olga.post(f"{walk}step/{steps.FULL}/decide", choice=str(steps.FULL))
    return Seen(shop.olga, f"{walk}step/{steps.TELL}/", prepare=partial(open_sheet, opener="#walk-complete"))


@state("completed")
def completed(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.BACK)
    shop.olga.post(f"{walk}step/{steps.BY_HAND}/skip", reason="no access")
    shop.olga.post(f"{walk}complete", position="0", note="the disk is replaced tomorrow")
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "Completed")


@state("abandoned")
def abandoned(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}abandon", reason="wrong runbook, it is the broker")
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "Given up")


@state("abandon-sheet")
def abandon_sheet(shop: Shop) -> Seen:
    def unfold(page: Page) -> None:
        page.locator("#walk-menu > summary").click()
        page.get_by_role("link", name="Leave it unfinished").click()
        expect(page.locator("dialog[open] h2")).to_be_visible()

    return Seen(shop.olga, f"{shop.walk()}step/{steps.DISK}/", prepare=unfold)


@state("resolve-sheet")
def resolve_sheet(shop: Shop) -> Seen:
    walk = shop.walk()
    return Seen(
        shop.olga, f"{walk}step/{steps.DISK}/", prepare=partial(open_sheet, opener="a[href$='/resolve']:visible")
    )


@state("stale")
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
        alone, f"{walk}step/{steps.WORKERS}/", "Running", prepare=cut, after=[_stop(shop, walk, run), alone.close]
    )


@state("no-worker")
def no_worker(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk(where=shop.annex)}step/{steps.DISK}/", "No worker serves")


@state("reference")
def reference(shop: Shop) -> Seen:
    return Seen(shop.olga, f"{shop.walk()}step/{steps.FAN}/", ROLLOUT)


@state("reference-begun")
def reference_begun(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.olga.post(f"{walk}step/{steps.FAN}/refer/{ROLLOUT.lower().replace(' ', '-')}")
    return Seen(shop.olga, f"{walk}step/{steps.FAN}/", "steps passed")


@state("picture-note")
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


@state("resolved")
def resolved(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    told = {"reason": "The disk was freed.", "unverified": "customers confirm it"}
    shop.olga.post(f"{walk.partition('run/')[0]}resolve", **told)
    return Seen(shop.olga, f"{walk}step/{steps.DISK}/", "Resolved")


@state("newer-version")
def newer_version(shop: Shop) -> Seen:
    walk = shop.walk(runbook=ROLLOUT)
    steps.publish(shop.admin, "rollout.md", DOCUMENT_OF_ROLLOUT.replace("echo 0.4", "echo 0.3"))
    return Seen(shop.olga, f"{walk}step/{steps.WATCH}/", "is published by now")


@state("guest")
def guest(shop: Shop) -> Seen:
    return Seen(shop.gus, f"{shop.walk()}step/{steps.DISK}/", "Operator", status=403)


# What a finger has to hit and is lower than 44 px; links in the middle of a text are not meant.
_SMALL = """() => [...document.querySelectorAll(
    "main :is(button, .btn, summary, select, input:not([type=hidden], [type=radio], [type=checkbox], [type=file])),"
    + "[open] .btn"
  )].filter((each) => each.checkVisibility() && !each.matches(".sr-only"))
  .filter((each) => each.getBoundingClientRect().height < 43.5)
  .map((each) => `${each.tagName} ${each.id} ${each.className} ${each.textContent.trim().slice(0, 30)} `
    + each.getBoundingClientRect().height)"""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow) for name in STATES]
)
def test_every_state_fits_and_is_accessible(shop: Shop, name: str) -> None:
    seen = STATES[name](shop)

    def prepare(page: Page) -> None:
        if seen.sign:
            expect(page.locator("main")).to_contain_text(seen.sign)
        if seen.prepare:
            seen.prepare(page)
        page.mouse.move(0, 0)

    try:
        look(seen.who, name, seen.path, seen.status, prepare=prepare, folder=PICTURES)
        assert seen.who.pages[375].evaluate(_SMALL) == []
    finally:
        for tidy in seen.after:
            tidy()
