"""Every state of the step panel and of the gates, on a computer and on a phone, light and dark.

Each is reached on a walk of its own, is looked at by the person whom it concerns, and leaves four pictures.
"""

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
