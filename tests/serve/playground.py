"""A real browser at the playground of a server that says what a test wants, and what people do there."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.screens import find_browser
from tests.serve.conftest import SANDBOX, Running, serving
from tests.serve.scripted import ScriptedEngine, about_the_receipt
from viewfinder.serve.settings import ServeSettings

LONG = 240_000  # milliseconds; a loaded machine is slow, not wrong


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    samples = str(tmp_path_factory.mktemp("playground") / "samples")
    settings = ServeSettings(
        model_name="scripted", sandbox=SANDBOX, drain_seconds=1, samples=samples, prices=(0.2, 0.6)
    )
    with serving(settings, engine=ScriptedEngine(about_the_receipt)) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as tool:
        running = tool.chromium.launch(executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture
def opened(browser: Any, server: Running) -> Iterator[Callable[..., Page]]:
    """Opens the page of a server in a fresh browser profile."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def open_page(url: str = server.url, quiet: bool = True, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(LONG)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if quiet and said.type == "error" else None)
        own = (url, "blob:", "data:")
        page.on("request", lambda asked: None if asked.url.startswith(own) else wrong.append(asked.url))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong


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
