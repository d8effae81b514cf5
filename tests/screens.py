"""The programs that tests of real screens use: a browser, an X display, a mouse and keyboard for it.

`make setup` installs them (`tools/system_packages.sh`). Without them these tests are skipped and say so; with
`--no-skips` that fails the run.
"""

import shutil

import pytest

from viewfinder.materials.chromium import find_program


def needs(*programs: str) -> None:
    """Skip the test when a program is not on the path."""
    if missing := [name for name in programs if shutil.which(name) is None]:
        pytest.skip(f"{', '.join(missing)} not found; `make setup` installs what these tests need")


def find_browser() -> str:
    """The path of a Chromium: of the system, else the build that Playwright installs. Without one: skip."""
    found = find_program()
    if found is None:
        pytest.skip("no Chromium found; `make setup` installs what these tests need")
    return found
