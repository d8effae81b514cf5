"""A camera, a screen or a running clip at the page, in a real browser with its pretended camera."""

import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, Request

from tests.screens import find_browser
from tests.serve.conftest import LONG, SANDBOX, Running, serving
from tests.serve.playground import shot
from tests.serve.scripted import ScriptedEngine
from tests.serve.test_streams import when_bright
from viewfinder.media.encode import write_clip
from viewfinder.processor.processor import Prepared
from viewfinder.serve.settings import ServeSettings

Open = Callable[..., Page]
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}
FAKE = ("--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream")
SLOW = 0.4  # seconds of an answer to a standing query


def slowly(words: str, prepared: Prepared) -> str:
    if "a slow event" in words:
        time.sleep(SLOW)
    return when_bright(words, prepared)


@pytest.fixture(scope="module")
def playground_server() -> Iterator[Running]:
    settings = ServeSettings(model_name="scripted", sandbox=SANDBOX, drain_seconds=1)
    with serving(settings, engine=ScriptedEngine(slowly)) as running:
        yield running


@pytest.fixture(scope="module")
def tool() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        yield tool


@pytest.fixture(scope="module")
def browser(tool: Any) -> Iterator[Any]:
    running = tool.chromium.launch(executable_path=find_browser(), args=[*FAKE, "--use-fake-ui-for-media-stream"])
    yield running
    running.close()


@pytest.fixture(autouse=True)
def _ended(playground_server: Running) -> Iterator[None]:
    """Every stream is ended by the page, long before the server would."""
    yield
    wait(lambda: not playground_server.server.streams)


def wait(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG / 1000
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def begin(page: Page, source: str, rate: str = "4") -> list[Any]:
    """Open a source as a stream; the requests for its frames, as they are sent."""
    frames: list[Any] = []
    page.on("request", lambda asked: frames.append(asked) if asked.url.endswith("/frame") else None)
    page.get_by_role("button", name="Live", exact=True).click()
    page.get_by_label("Frames a second").last.select_option(rate)
    page.get_by_role("button", name=source, exact=True).click()
    return frames


def enough(page: Page, frames: list[Any], count: int) -> None:
    while len(frames) < count:
        page.wait_for_timeout(50)


def times(frames: list[Any]) -> list[float]:
    return [asked.post_data_json["time"] for asked in frames]


def say(page: Page, words: str, button: str) -> None:
    page.locator("#live-words").fill(words)
    page.locator("#live-form").get_by_role("button", name=button, exact=True).click()


def bright_film(path: Path, start: float, end: float, seconds: float) -> Path:
    shades = ["white" if start <= i / 10 < end else "black" for i in range(round(10 * seconds))]
    write_clip(path, (Image.new("RGB", (160, 90), shade) for shade in shades), fps=10)
    return path


@pytest.mark.parametrize("source", ["Camera", pytest.param("Screen", marks=pytest.mark.slow)])
def test_a_camera_or_screen_is_watched_until_the_page_is_left(
    opened: Open, playground_server: Running, source: str
) -> None:
    page = opened()
    frames = begin(page, source)
    enough(page, frames, 4)
    assert len(playground_server.server.streams) == 1
    assert page.evaluate("document.querySelector('#live-video').videoWidth") > 100
    say(page, "What is there now?", "Ask")
    page.get_by_text("The total is EUR 21.20").wait_for()
    shot(page, f"live-{source.lower()}")
    sent = times(frames)
    assert sent[0] >= 0
    assert all(later - earlier >= 0.2 for earlier, later in itertools.pairwise(sent))
    assert frames[0].post_data_json["image"].startswith("data:image/jpeg;base64,/9j/")
    page.goto("about:blank")
    wait(lambda: not playground_server.server.streams)


@pytest.mark.slow  # a busy machine draws a clip late, which the page cannot see
def test_a_standing_query_tells_the_seconds_of_the_clip(opened: Open, tmp_path: Path) -> None:
    page = opened()
    with page.expect_file_chooser() as chooser:
        frames = begin(page, "A clip as it runs")
    chooser.value.set_files(bright_film(tmp_path / "clip.mp4", 2, 3.5, 4.5))
    enough(page, frames, 1)
    page.evaluate("document.querySelector('#live-video').pause()")  # however slow the machine is
    say(page, "it is bright", "Tell me when")
    page.get_by_text("Tells when: it is bright").wait_for()
    page.evaluate("document.querySelector('#live-video').play()")
    page.get_by_text("the clip has ended").wait_for()
    say(page, "What was it?", "Ask")
    page.get_by_text("The total is EUR 21.20").wait_for()
    page.locator("#live-about").select_option("when")
    say(page, "it was bright", "Ask")
    page.locator("#live-log p").nth(5).wait_for()
    shot(page, "live-events")
    lines = page.locator("#live-log p").all_inner_texts()
    began, was, *_, found = [[float(s) for s in re.findall(r"0:([\d.]+)", line)] for line in lines]
    assert "began: it is bright" in lines[0]
    assert "was: it is bright" in lines[1]
    sent = times(frames)
    assert len(began) == 1
    for told, moment in ((began[0], 2.0), (was[0], 2.0), (was[1], 3.5)):
        before, after = max(t for t in sent if t < moment), min(t for t in sent if t >= moment)
        assert before - 0.15 <= told <= after + 0.15, "the frames beside it; a film frame is 0.1 s, as is a told digit"
    assert found == was[:2], "found in what is kept, after the clip too"
    assert sent == sorted(set(sent))
    assert sent[-1] <= 4.5, "a clip's own seconds"


@pytest.mark.slow
def test_a_slow_server_gets_fewer_frames_and_never_two_at_once(opened: Open) -> None:
    page = opened()
    under_way, most = set[Request](), 0

    def sent(asked: Request) -> None:
        nonlocal most
        if asked.url.endswith("/frame"):
            under_way.add(asked)
            most = max(most, len(under_way))

    page.on("request", sent)
    page.on("requestfinished", lambda asked: under_way.discard(asked))
    frames = begin(page, "Camera")
    enough(page, frames, 1)
    say(page, "a slow event", "Tell me when")
    page.get_by_text("Tells when: a slow event").wait_for()
    first = len(frames)
    enough(page, frames, first + 6)
    sent_times = times(frames)[first:]
    assert most == 1
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent_times)]
    assert sum(gap >= SLOW for gap in gaps) >= 2, "frames that came meanwhile are left out"
    assert re.search(r"[1-9]\d* left out", page.locator("#live-told").inner_text())
    page.get_by_role("button", name="Close and end the stream").click()


@pytest.mark.slow
def test_a_stream_goes_on_after_the_server_was_not_reached(opened: Open, playground_server: Running) -> None:
    page = opened(quiet=False)
    frames = begin(page, "Camera")
    enough(page, frames, 2)
    page.context.set_offline(True)
    page.get_by_text("It is tried again.").wait_for()
    assert page.locator("#live-told.failure").count() == 1
    page.context.set_offline(False)
    before = len(frames)
    enough(page, frames, before + 3)
    assert len({asked.url for asked in frames}) == 1, "the same session"
    (stream,) = playground_server.server.streams._streams.values()
    wait(lambda: (stream.session.window.last_time or 0) >= times(frames)[before])
    page.keyboard.press("Escape")


def test_a_camera_that_is_not_allowed_is_told(tool: Any, playground_server: Running) -> None:
    asking = tool.chromium.launch(executable_path=find_browser(), args=FAKE)
    page = asking.new_page()
    page.goto(playground_server.url)
    begin(page, "Camera")
    page.get_by_text("The camera is not allowed. Allow it for this page in the browser").wait_for()
    shot(page, "live-refused")
    assert not playground_server.server.streams
    asking.close()


@pytest.mark.slow
def test_what_cannot_be_played_or_is_gone_is_told(opened: Open, playground_server: Running, tmp_path: Path) -> None:
    page = opened(quiet=False)
    page.get_by_role("button", name="Live", exact=True).click()
    (tmp_path / "clip.mp4").write_bytes(b"no clip")
    page.locator("#live-file").set_input_files(tmp_path / "clip.mp4")
    page.get_by_text("This browser cannot play clip.mp4.").wait_for()
    page.get_by_role("button", name="Camera", exact=True).click()
    wait(lambda: len(playground_server.server.streams) == 1)
    (stream,) = playground_server.server.streams._streams.values()
    playground_server.server.streams.close(stream)
    page.get_by_text("there is no live session").wait_for()
    assert page.evaluate("document.querySelector('#live-video').srcObject") is None, "the camera is off"


def test_the_dialog_fits_a_phone_and_stands_in_nobodys_way(opened: Open) -> None:
    page = opened(**PHONE)
    frames = begin(page, "Camera")
    enough(page, frames, 2)
    say(page, "a person with a very long red coat and an even longer name of it enters", "Tell me when")
    page.get_by_text("Tells when: a person").wait_for()
    for words in ("What is there?", "And now? " + "x" * 120):
        say(page, words, "Ask")
        page.locator("#live-log").get_by_text(words.split()[-1]).last.wait_for()
    page.locator("#live-log p").nth(3).wait_for()
    shot(page, "live-phone")
    found = Axe().run(page).response["violations"]
    assert not found, [(v["id"], [n["html"] for n in v["nodes"]]) for v in found]
    dialog = "document.querySelector('#live')"
    assert (
        page.evaluate(f"Math.max(document.documentElement.scrollWidth, {dialog}.getBoundingClientRect().right)") <= 390
    )
    assert page.evaluate(f"{dialog}.scrollWidth - {dialog}.clientWidth") == 0
    inside = "[...document.querySelectorAll('#live *')].every((node) => node.getBoundingClientRect().right <= 390)"
    assert page.evaluate(inside)
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("The stream was ended.").wait_for()
    assert page.evaluate("document.querySelector('#live-video').srcObject") is None
    assert page.locator("#live-log p").count() == 4, "what was told stays"
    shot(page, "live-ended")


def test_only_the_playground_may_use_camera_and_screen(playground_server: Running) -> None:
    policies = {
        path: httpx.get(playground_server.url + path).headers["permissions-policy"]
        for path in ("/", "/index.html", "/docs", "/live.js", "/icon.svg")
    }
    own = {path for path, policy in policies.items() if "camera=(self), display-capture=(self)" in policy}
    assert own == {"/", "/index.html"}
    assert all("camera=(), display-capture=()" in policies[path] for path in policies.keys() - own)
    assert all("microphone=()" in policy for policy in policies.values())
