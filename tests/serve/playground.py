"""What people do at the playground, in a real browser (the fixtures `playground_server` and `opened` of `conftest`)."""

import os
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page


def shot(page: Page, name: str) -> None:
    if folder := os.environ.get("VIEWFINDER_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def send(page: Page, task: str, words: str = "") -> Any:
    """Do a job; its card."""
    page.get_by_role("radio", name=task, exact=True).check(force=True)
    if words:
        page.get_by_role("textbox", name=re.compile(".")).last.fill(words)
    before = page.locator(".card").count()
    page.locator("#send").click()
    page.wait_for_function(
        "before => document.querySelectorAll('.card').length > before && !document.querySelector('.card[aria-busy]')",
        arg=before,
    )
    return page.locator(".card").nth(before)


def receipt(page: Page) -> None:
    page.get_by_role("button", name="Try a receipt").click()
    page.locator(".frame img").wait_for()
