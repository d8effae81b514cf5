"""Real screens for the tests of the agent."""

from collections.abc import Iterator

import pytest

from tests.screens import find_browser
from viewfinder.agent.browser import Chromium


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One browser program; each test opens its own context in it."""
    with Chromium(find_browser(), shipped_fonts=True) as browser:
        yield browser
