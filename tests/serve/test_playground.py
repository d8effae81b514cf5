"""A person at the page, in a real browser: finds, corrects, keeps. Needs Chromium (`make setup` installs it).

Every page must stay silent: no error in its console, no request to anywhere but its own server. With
VIEWFINDER_SHOTS=FOLDER the pictures of each step are kept there for people to look at.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.media.films import write_film
from tests.serve.conftest import SANDBOX, Running, serving
from tests.serve.playground import receipt, send, shot
from tests.serve.scripted import ANSWER, TOTAL, ScriptedEngine, about_the_receipt
from viewfinder.data.shards import ShardReader
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.serve.settings import ServeSettings


def corner_of(mark: Any, corner: int) -> tuple[float, float]:
    box = mark.locator(f'[data-corner="{corner}"]').bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def num_samples(server: Running) -> int:
    return len(list(Path(server.server.settings.samples or "").glob("*.tar")))


def last_sample(server: Running) -> Any:
    return list(ShardReader(Path(server.server.settings.samples or "")))[-1]


def test_a_person_finds_the_total_and_corrects_its_box(opened: Callable[..., Page], playground_server: Running) -> None:
    page = opened()
    receipt(page)
    card = send(page, "Locate", "the total")
    assert card.get_by_role("button", name="the total").inner_text().startswith("the total")
    mark = page.get_by_role("button", name="the total, box at 30, 340, 384, 404")
    mark.wait_for()
    shot(page, "1-located")

    card.get_by_role("button", name="Correct").click()
    # the answer begins too high: the upper left corner goes from (30, 340) to where the line begins
    mark = page.locator(".overlay .mark").first
    picture = page.locator(".frame img").bounding_box()
    scale = picture["width"] / 420
    start = corner_of(mark, 0)
    assert start == pytest.approx((picture["x"] + 30 * scale, picture["y"] + 340 * scale), abs=1)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 3, start[1] + 10 * scale)
    page.mouse.move(start[0] + 6 * scale, start[1] + 32 * scale)
    page.mouse.up()
    shot(page, "2-corrected")
    page.get_by_role("textbox", name="Name of box 1").fill("the total, in words and figures")
    before = num_samples(playground_server)
    page.get_by_role("button", name="Save for training").dblclick()
    saved = page.get_by_text("viewfinder train lora --data samples")
    saved.wait_for()
    shot(page, "3-saved")

    assert num_samples(playground_server) == before + 1, "an impatient person saves once"
    sample = last_sample(playground_server)
    (box,) = parse_boxes(sample.answer, Transform.identity((420, 600)))
    assert box.xyxy == pytest.approx(TOTAL, abs=1.5)
    assert box.label == "the total, in words and figures"
    assert "Locate the total" in sample.question
    assert '"was"' in sample.lineage[1], "what the model had said is kept"


def test_boxes_are_corrected_by_keyboard_alone_and_drawn_anew(
    opened: Callable[..., Page], playground_server: Running
) -> None:
    page = opened()
    receipt(page)
    send(page, "Locate", "the total").get_by_role("button", name="Correct").click()
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused) == "the total, box at 30, 340, 384, 404"
    for key in ("ArrowRight", "Alt+ArrowUp", "Shift+ArrowDown", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    assert page.evaluate(focused) == "the total, box at 31, 330, 384, 395"
    page.keyboard.press("Delete")
    assert page.locator(".overlay .mark").count() == 0
    picture = page.locator(".frame img").bounding_box()
    scale = picture["width"] / 420
    page.mouse.move(picture["x"] + 384 * scale, picture["y"] + 404 * scale)
    page.mouse.down()
    page.mouse.move(picture["x"] + 36 * scale, picture["y"] + 372 * scale, steps=3)
    page.mouse.up()
    page.get_by_role("button", name="Save for training").click()
    page.locator(".saved").wait_for()
    (box,) = parse_boxes(last_sample(playground_server).answer, Transform.identity((420, 600)))
    assert (box.xyxy, box.label) == (pytest.approx(TOTAL, abs=1.5), "the total")


def test_a_conversation_streams_goes_on_and_tells_its_price(
    opened: Callable[..., Page], playground_server: Running
) -> None:
    page = opened()
    receipt(page)
    page.get_by_text("about 315 picture tokens · about $0.000063").wait_for()
    card = send(page, "Ask", "What is the total?")
    assert card.locator(".said").inner_text() == ANSWER
    figures = card.locator("summary.figures").inner_text()
    assert re.fullmatch(r"[\d,]+ tokens read, 315 of them picture · \d+ answered in [\d.]+ s · \$[\d.e-]+", figures)
    card.locator("summary.figures").click()
    assert "420 × 600 seen as 420 × 588" in card.inner_text()
    first = int(figures.split()[0].replace(",", ""))
    again = send(page, "Ask", "And how was it paid?").locator("summary.figures").inner_text()
    assert int(again.split()[0].replace(",", "")) > first, "what was said before is sent along"
    assert page.locator("#announce").inner_text() == ANSWER, "told to those who do not see it"
    card.get_by_role("button", name="Correct").click()
    card.get_by_role("textbox", name="The right words").fill("EUR 21.20")
    card.get_by_role("button", name="Save for training").click()
    card.locator(".saved").wait_for()
    sample = last_sample(playground_server)
    assert (sample.question, sample.answer) == ("What is the total?", "EUR 21.20")


def test_a_parsed_page_and_its_picture_point_at_each_other(opened: Callable[..., Page]) -> None:
    page = opened(color_scheme="dark")
    receipt(page)
    card = send(page, "Parse")
    element = card.get_by_text("TOTAL EUR 21.20", exact=True)
    element.hover()
    lit = page.locator(".overlay .mark.lit")
    assert lit.count() == 1
    assert lit.get_attribute("aria-label").endswith("box at 36, 372, 384, 404")
    shot(page, "4-parsed-dark")
    page.get_by_role("button", name="heading, box at").focus()
    assert card.locator(".element.lit").inner_text() == "CORNER GROCER"


def test_spans_on_the_timeline_seek_the_clip(
    opened: Callable[..., Page], tmp_path: Path, playground_server: Running
) -> None:
    film = write_film(tmp_path / "clip.mp4", [i / 10 for i in range(30)], size=(160, 90))
    page = opened()
    page.locator("#file").set_input_files(film)
    page.locator(".frame video").wait_for()
    card = send(page, "Moments", "a jump")
    span = page.get_by_role("button", name="a jump, from 0:01.8 to 0:02.4; go there")
    span.click()
    assert page.evaluate("document.querySelector('.frame video').currentTime") == pytest.approx(1.8, abs=0.05)
    shot(page, "5-moments")
    card.get_by_role("button", name="Correct").click()
    card.get_by_role("spinbutton", name="end of moment 1, seconds").fill("1.0")
    card.get_by_role("button", name="Remove moment 2").click()
    card.get_by_role("button", name="Save for training").click()
    card.locator(".saved").wait_for()
    assert last_sample(playground_server).answer == "The given query happens in 0.5 - 1.0 seconds."


def test_pages_of_a_pdf_are_turned_and_several_media_stand_in_a_row(
    opened: Callable[..., Page], tmp_path: Path
) -> None:
    pdf = pypdfium2.PdfDocument.new()
    for size in ((200, 300), (300, 200)):
        pdf.new_page(*size)
    pdf.save(tmp_path / "two.pdf")
    page = opened()
    receipt(page)
    page.locator("#file").set_input_files(tmp_path / "two.pdf")
    page.get_by_text("1 / 2").wait_for()
    page.get_by_role("button", name="Next page").click()
    page.get_by_text("2 / 2").wait_for()
    assert page.locator("#about").inner_text().startswith("625 × 417")
    assert page.get_by_role("button", name="Next page").is_disabled()
    page.get_by_role("button", name="Show receipt.png").click()
    assert page.locator("#about").inner_text().startswith("420 × 600")
    page.get_by_role("button", name="Model’s view").click()
    canvas = page.locator(".frame canvas")
    assert (canvas.get_attribute("width"), canvas.get_attribute("height")) == ("420", "588")
    page.get_by_role("button", name="Remove receipt.png").click()
    page.get_by_text("two.pdf").or_(page.get_by_role("button", name="Show two.pdf")).first.wait_for()


PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}


LOOKS = {"light": {"color_scheme": "light"}, "dark": {"color_scheme": "dark"}, "phone": PHONE}


@pytest.mark.parametrize("look", list(LOOKS))
def test_nothing_stands_in_the_way_of_anybody(opened: Callable[..., Page], look: str) -> None:
    """By the rules of axe-core (WCAG 2 A and AA: names, roles, contrast); and nothing is wider than the screen."""
    axe = Axe()
    page = opened(**LOOKS[look])
    page.locator(".model.ready").wait_for()
    assert not axe.run(page).response["violations"]
    receipt(page)
    send(page, "Locate", "the total").get_by_role("button", name="Correct").click()
    found = [(v["id"], [n["html"] for n in v["nodes"]]) for v in axe.run(page).response["violations"]]
    assert not found, json.dumps(found, indent=1)
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    send_button = page.locator("#send").bounding_box()
    assert send_button["x"] + send_button["width"] <= width
    shot(page, f"6-{look}")


def test_a_key_is_asked_for_and_a_refusal_is_told(opened: Callable[..., Page]) -> None:
    settings = ServeSettings(model_name="scripted", sandbox=SANDBOX, drain_seconds=1, api_keys=("open sesame",))
    with serving(settings, engine=ScriptedEngine(about_the_receipt)) as locked:
        page = opened(locked.url, quiet=False)
        page.get_by_label("API key").fill("open sesame")
        page.get_by_role("button", name="Done").click()
        page.locator(".model.ready").wait_for()
        receipt(page)
        send(page, "Locate", "the total").get_by_role("button", name="Correct").click()
        page.get_by_role("button", name="Save for training").click()
        assert "start it with --samples FOLDER" in page.get_by_role("alert").inner_text()


@pytest.mark.parametrize(
    "evil",
    [
        '<img src=x onerror="document.title=1"><script>document.title=2</script>',
        "![x](http://evil.test/pixel.png) [go](javascript:document.title=1) <http://evil.test/>",
    ],
)
def test_the_answer_cannot_bring_code_along(opened: Callable[..., Page], evil: str) -> None:
    with serving(engine=ScriptedEngine(lambda *_: evil)) as running:
        page = opened(running.url)
        page.locator(".model.ready").wait_for()
        said = send(page, "Ask", "hi").locator(".said")
        assert said.inner_text() == evil
        assert said.locator("a, img, script").count() == 0
        assert page.title() == "Viewfinder"
        policy = page.request.get(running.url).headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy


def test_sizes_told_before_sending_are_the_models(opened: Callable[..., Page]) -> None:
    """The page's arithmetic against the processor's, odd multiples and bounds included."""
    from viewfinder.media.resize import smart_resize

    page = opened()
    cases = [(70, 42), (1080, 1920), (15, 2900), (8000, 8000), (29, 41), (420, 600), (56, 56), (98, 126)]
    for least, most in ((3136, 12845056), (3136, 200_000), (100_352, 10**6)):
        told = page.evaluate(
            "async ([cases, least, most]) => { const { smartResize } = await import('./sizes.js');"
            " return cases.map(([h, w]) => smartResize(w, h, least, most)); }",
            [cases, least, most],
        )
        assert [tuple(size) for size in told] == [
            smart_resize(h, w, min_pixels=least, max_pixels=most)[::-1] for h, w in cases
        ]
