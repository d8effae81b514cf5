"""Real screens for tests: Chromium and X displays. Without these programs their tests are skipped, and say so.

`VIEWFINDER_SCREENS=required` (make test-agent) makes a missing program an error.
"""

import os
import shutil
from collections.abc import Iterator

import pytest

from viewfinder.agent.browser import Chromium


def needs(*programs: str) -> None:
    """Skip the test, or fail it where screens are required, when a program is missing."""
    if missing := [name for name in programs if shutil.which(name) is None]:
        said = f"{', '.join(missing)} not found; `make test-agent` installs what these tests need"
        if os.environ.get("VIEWFINDER_SCREENS") == "required":
            pytest.fail(said)
        pytest.skip(said)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One browser program; each test opens its own context in it."""
    pytest.importorskip("playwright")
    needs("chromium")
    with Chromium() as browser:
        yield browser
