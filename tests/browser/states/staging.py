"""What the tests of states share: how a state is described, and how it is looked at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.shop import Shop
from tests.browser.test_screens import Account, look
from tests.stack import ROOT

PICTURES = ROOT / "test-artifacts" / "states"


@dataclass
class Seen:
    """Who looks at which page; `prepare` opens what is meant on it, `sign` has to be shown, `after` tidies up."""

    who: Account
    path: str
    sign: str = ""
    prepare: Callable[[Page], None] | None = None
    after: Sequence[Callable[[], object]] = ()
    status: int = 200


Build = Callable[[Shop], Seen]


@dataclass
class States:
    """The states that one file looks at, by name."""

    cases: list[Any] = field(default_factory=list)

    def state(self, name: str, *, always: bool = False) -> Callable[[Build], Build]:
        """Register what brings the shop into the state of that name.

        It is looked at each time when `always`, else by `make test-full` alone.
        """

        def kept(build: Build) -> Build:
            self.cases.append(pytest.param(name, build, id=name, marks=() if always else pytest.mark.slow))
            return build

        return kept


# What a finger has to hit and is lower than 44 px; links in the middle of a text are not meant.
_SMALL = """() => [...document.querySelectorAll(
    "main :is(button, .btn, summary, select, input:not([type=hidden], [type=radio], [type=checkbox], [type=file])),"
    + "[open] .btn"
  )].filter((each) => each.checkVisibility() && !each.matches(".sr-only"))
  .filter((each) => each.getBoundingClientRect().height < 43.5)
  .map((each) => `${each.tagName} ${each.id} ${each.className} ${each.textContent.trim().slice(0, 30)} `
    + each.getBoundingClientRect().height)"""


def fits(shop: Shop, name: str, build: Build) -> None:
    """Bring the shop into the state and fail with what is wrong with how it looks."""
    seen = build(shop)

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


def unfold_steps(page: Page) -> None:
    """On a phone the list of the steps is folded."""
    if (page.viewport_size or {"width": 0})["width"] < 500:
        page.locator("#walk-count").click()
