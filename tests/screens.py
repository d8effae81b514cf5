"""The programs that tests of real screens use: a browser, an X display, a mouse and keyboard for it.

`make setup` installs them (`tools/system_packages.sh`). Without them these tests are skipped and say so; with
`--no-skips` that fails the run.
"""

import shutil
from functools import lru_cache
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def needs(*programs: str) -> None:
    """Skip the test when a program is not on the path."""
    if missing := [name for name in programs if shutil.which(name) is None]:
        pytest.skip(f"{', '.join(missing)} not found; `make setup` installs what these tests need")


@lru_cache(maxsize=1)
def find_browser() -> str:
    """The path of a Chromium: of the system, else the build that Playwright installs. Without one: skip."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        with sync_playwright() as tool:
            found = tool.chromium.executable_path
    if not Path(found).exists():
        pytest.skip("no Chromium found; `make setup` installs what these tests need")
    return found
