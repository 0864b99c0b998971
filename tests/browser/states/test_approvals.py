"""States of a question for approval, of the broken glass and of the cool-down of somebody who is alone."""

from datetime import timedelta

import pytest

from tests.browser import shop as steps
from tests.browser.shop import Shop, open_sheet
from tests.browser.states.staging import Build, Seen, States, fits

STATES = States()
pytestmark = pytest.mark.timeout(300)


@STATES.state("destroy-waiting")
def destroy_waiting(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.asked(walk)
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "Waiting for approval")


@STATES.state("approval-now")
def approval_now(shop: Shop) -> Seen:
    shop.asked(shop.walk())
    return Seen(shop.lena, "/", "Remove 1 path on Shop")


@STATES.state("approval-question", always=True)
def approval_question(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.ran(walk, steps.DISK)
    return Seen(shop.lena, f"/approvals/{shop.asked(walk)}/", "Waiting for an answer")


@STATES.state("approval-asker")
def approval_asker(shop: Shop) -> Seen:
    return Seen(shop.olga, f"/approvals/{shop.asked(shop.walk())}/", "Withdraw the question")


@STATES.state("approval-approved")
def approval_approved(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.approve(shop.asked(walk))
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "Approved by Lena Okafor")


@STATES.state("approval-approved-sheet")
def approval_approved_sheet(shop: Shop) -> Seen:
    return Seen(shop.olga, approval_approved(shop).path, prepare=open_sheet)


@STATES.state("approval-answered")
def approval_answered(shop: Shop) -> Seen:
    asked = shop.asked(shop.walk())
    shop.approve(asked)
    return Seen(shop.lena, f"/approvals/{asked}/", "approved it")


@STATES.state("approval-rejected")
def approval_rejected(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.lena.post(f"/approvals/{shop.asked(walk)}/answer", verdict="reject", comment="There is no copy yet.")
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "Refused by Lena Okafor")


@STATES.state("approval-expired")
def approval_expired(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.asked_earlier(shop.asked(walk), "asked_at", "expires_at", by=timedelta(minutes=16))
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "expired")


@STATES.state("approval-void")
def approval_void(shop: Shop) -> Seen:
    """Asked for one order, and another one is meant by now."""
    walk = shop.walk()
    asked = shop.asked(walk)
    shop.olga.post(f"{walk}step/{steps.WIPE}/values", **{"value:order_id": "4712"})
    return Seen(shop.lena, f"/approvals/{asked}/", "It is void")


@STATES.state("approval-withdrawn-by-an-edit")
def approval_withdrawn(shop: Shop) -> Seen:
    walk = shop.walk()
    shop.asked(walk)
    shop.olga.post(f"{walk}step/{steps.WIPE}/values", **{"value:order_id": "4712"})
    return Seen(shop.olga, f"{walk}step/{steps.WIPE}/", "is void")


@STATES.state("glass")
def glass(shop: Shop) -> Seen:
    return Seen(shop.lena, f"/approvals/{_unanswered(shop)[1]}/", "Break the glass")


def _unanswered(shop: Shop) -> tuple[str, int]:
    walk = shop.walk(severity="SEV1", by=shop.lena)
    asked = shop.asked(walk, by=shop.lena)
    shop.asked_earlier(asked, "asked_at", by=timedelta(minutes=6))
    return walk, asked


@STATES.state("glass-broken")
def glass_broken(shop: Shop) -> Seen:
    walk, asked = _unanswered(shop)
    shop.lena.post(f"/approvals/{asked}/glass", reason="Orders are lost every minute and nobody answers.")
    return Seen(shop.lena, f"{walk}step/{steps.WIPE}/", "Glass broken by Lena Okafor")


@STATES.state("solo")
def solo(shop: Shop) -> Seen:
    walk = shop.walk(by=shop.lena)
    alone = shop.alone()
    alone.__enter__()
    shop.asked(walk, by=shop.lena)
    return Seen(
        shop.lena, f"{walk}step/{steps.WIPE}/", "Cooling down", after=[lambda: alone.__exit__(None, None, None)]
    )


@STATES.state("solo-sheet")
def solo_sheet(shop: Shop) -> Seen:
    walk = shop.walk(by=shop.lena)
    shop.lena.post(f"{walk}step/{steps.WIPE}/values", **{"value:order_id": "4711"})
    alone = shop.alone()
    alone.__enter__()
    after = [lambda: alone.__exit__(None, None, None)]
    return Seen(shop.lena, f"{walk}step/{steps.WIPE}/", prepare=open_sheet, after=after)


@pytest.mark.parametrize(("name", "build"), STATES.cases)
def test_every_state_fits_and_is_accessible(shop: Shop, name: str, build: Build) -> None:
    fits(shop, name, build)
