"""The shop in which every state is reached."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, StorageState

from tests.browser import shop as steps
from tests.browser.shop import Shop
from tests.stack import Stack


@pytest.fixture(scope="package")
def shop(chromium: Browser, shared_console: Stack, signed_in: StorageState) -> Iterator[Shop]:
    with steps.opened(chromium, shared_console, signed_in) as found:
        yield found
