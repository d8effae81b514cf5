"""Work that lasts longer than one answer: whole PDFs, folders, clips that do not play, a reload, a queue to check."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.media.films import write_film
from tests.serve.playground import receipt, send

Open = Callable[..., Page]


def finished(page: Page) -> None:
    """Wait until nothing is being asked."""
    page.wait_for_function("() => document.querySelector('#composer').getAttribute('aria-busy') !== 'true'")


def saved(page: Page, menu: Any, kind: str) -> tuple[str, bytes]:
    """Name and content of a file from a menu of downloads."""
    menu.locator("summary").click()
    with page.expect_download() as waiting:
        menu.get_by_role("button", name=kind, exact=True).click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def asked(page: Page, act: Callable[[], Any]) -> list[dict[str, Any]]:
    """The messages of the chat request that `act` makes."""
    with page.expect_request("**/v1/chat/completions") as waiting:
        act()
    return waiting.value.post_data_json["messages"]


def test_all_pages_of_a_pdf_are_parsed_and_kept_as_files(opened: Open) -> None:
    page = opened()
    page.get_by_role("button", name="Parse a PDF").click()
    page.get_by_text("1 / 2").wait_for()
    page.get_by_label("What it is for").select_option(label="all 2 pages")
    page.locator("#send").click()
    page.get_by_role("button", name="Page 2: done").wait_for()
    finished(page)
    assert page.locator(".batch").get_by_text("2 of 2 pages").count() == 1
    states = page.locator("#pages button").evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))")
    assert states == ["Page 1, parse done", "Page 2, parse done"]
    page.get_by_role("button", name="Page 1: done").click()
    page.get_by_text("1 / 2").wait_for()
    name, text = saved(page, page.locator(".batch .menu").first, "Markdown")
    assert (name, text.count(b"# CORNER GROCER")) == ("leaflet.md", 2)
    name, text = saved(page, page.locator(".batch .menu").first, "JSON")
    assert (name, re.findall(rb'"page": (\d)', text)) == ("leaflet.json", [b"1", b"2"])
    page.get_by_label("What it is for").select_option(label="some pages")
    page.get_by_label("Pages", exact=True).last.fill("2-3")
    page.locator("#send").click()
    assert "names no pages of 1 to 2" in page.get_by_role("alert").inner_text()


def test_a_reload_keeps_the_thread_and_its_media(opened: Open) -> None:
    page = opened()
    receipt(page)
    assert send(page, "Locate", "the total").get_by_role("button", name="the total").count() == 1
    assert page.locator("#announce").inner_text() == "1 place found"
    send(page, "Ask", "What is the total?")
    page.reload()
    page.locator(".card").nth(1).wait_for()
    page.locator(".frame img").wait_for()
    page.locator(".card").first.click(position={"x": 4, "y": 4})
    page.get_by_role("button", name="the total, box at 30, 340, 384, 404").wait_for()
    messages = asked(page, lambda: send(page, "Ask", "And how was it paid?"))
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert [part["type"] for part in messages[0]["content"]] == ["image_url", "text"]
    page.get_by_role("button", name="New").click()
    page.reload()
    page.locator(".model.ready").wait_for()
    page.locator(".frame img").wait_for()
    assert page.locator(".card").count() == 0


def test_a_turn_is_asked_again_and_in_other_words(opened: Open) -> None:
    page = opened()
    receipt(page)
    for words in ("What is the total?", "And who sold it?"):
        send(page, "Ask", words)
    messages = asked(page, page.locator(".card").nth(1).get_by_role("button", name="Again").click)
    finished(page)
    assert len(messages) == 3
    page.get_by_role("button", name="Edit and ask again").first.click()
    page.get_by_label("The question in other words").fill("What is the sum?")
    messages = asked(page, page.get_by_role("button", name="Ask again", exact=True).click)
    finished(page)
    assert [part.get("text") for part in messages[0]["content"]] == [None, "What is the sum?"]
    assert (len(messages), page.locator(".card").count()) == (1, 1), "what came after went"


def test_a_folder_is_asked_about_at_once_and_compared(opened: Open, tmp_path: Path) -> None:
    for name in ("b", "a"):
        Image.new("RGB", (84, 56), "white").save(tmp_path / f"{name}.png")
    (tmp_path / "notes.docx").write_text("x")
    page = opened()
    page.locator(".model.ready").wait_for()
    page.locator("#folder").set_input_files(tmp_path)
    told = page.get_by_role("alert")
    told.wait_for()
    assert re.search(
        r"notes.docx: not taken. Taken are pictures \(JPG, PNG, .* more\), PDF and clips", told.inner_text()
    )
    page.get_by_role("radio", name="Locate", exact=True).check(force=True)
    page.get_by_label("What it is for").select_option(label="all 2 files")
    page.locator("#question").fill("the total")
    page.locator("#send").click()
    page.get_by_text("2 of 2 files").wait_for()
    finished(page)
    page.get_by_role("button", name="Side by side").click()
    page.locator(".compare figure .mark").nth(1).wait_for()
    page.locator(".compare figcaption button").first.click()
    assert page.locator(".compare").is_hidden()
    folder = """async () => {
        const { below } = await import('./tray.js');
        const file = (name) => ({ isFile: true, file: (done) => done(new File(['x'], name)) });
        const reader = (parts) => ({ readEntries: (done) => done(parts.splice(0, 1)) });
        const tree = (...parts) => ({ isFile: false, createReader: () => reader(parts) });
        return (await below(tree(file('1.png'), tree(file('2.png'), file('3.png'))))).map((one) => one.name);
    }"""
    assert page.evaluate(folder) == ["1.png", "2.png", "3.png"], "folders in folders, whose readers give some at a time"


@pytest.mark.slow
def test_answers_are_checked_one_after_the_other_and_kept_as_files(opened: Open) -> None:
    page = opened()
    receipt(page)
    first = send(page, "Locate", "the total")
    assert re.search(r"the total \d+ %", page.locator(".overlay .word").text_content() or ""), "confidence on the label"
    second = send(page, "Point", "items")
    first.get_by_role("button", name="Right").click()
    page.get_by_text("1 of 2 answers checked").wait_for()
    page.get_by_role("button", name="Next to check").click()
    page.locator(".overlay .mark").nth(4).wait_for()
    second.get_by_role("button", name="Correct").click()
    page.get_by_role("button", name="Remove point 5").click()
    page.get_by_role("button", name="Save for training").click()
    page.get_by_text("2 of 2 answers checked").wait_for()
    checked = page.locator("#queue .menu")
    with zipfile.ZipFile(io.BytesIO(saved(page, checked, "YOLO")[1])) as archive:
        assert len(archive.read("labels/receipt.txt").splitlines()) == 1
    name, text = saved(page, checked, "COCO")
    assert (name, text.count(b'"image_id"')) == ("answers-coco.json", 5), "one box, and four points of five"
    assert b'"right": true' in saved(page, checked, "JSON")[1]
    drawn = saved(page, first.locator(".menu"), "Picture with places")
    assert (drawn[0], Image.open(io.BytesIO(drawn[1])).size) == ("receipt-marked.png", (504, 720))


@pytest.mark.slow
def test_a_clip_that_does_not_play_is_shown_by_the_server(opened: Open, tmp_path: Path) -> None:
    film = write_film(
        tmp_path / "a.mkv", [i / 10 for i in range(30)], size=(160, 90), codec="ffv1", options={"level": "3"}
    )
    page = opened()
    page.locator("#file").set_input_files(film)
    page.get_by_role("button", name="Show a.mkv").wait_for()
    about = page.locator("#about").inner_text()
    assert about.startswith(
        "160 × 90, 2.9 s of ffv1 (this browser cannot play it; 24 frames of it are shown) → 6 frames of"
    )
    tokens = page.locator("#estimate").inner_text()
    send(page, "Moments", "a jump")
    before = page.locator(".frame img").get_attribute("src")
    page.get_by_role("button", name="a jump, from 0:01.8 to 0:02.4; go there").click()
    assert page.locator(".frame img").get_attribute("src") != before
    media = int(re.findall(r"(\d+) of them picture", page.locator("summary.figures").inner_text())[0])
    assert tokens.startswith(f"about {media} picture tokens")


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 390, 360])
def test_nothing_is_cut_at_any_width(opened: Open, width: int) -> None:
    page = opened(viewport={"width": width, "height": 760})
    page.get_by_role("button", name="Parse a PDF").click()
    page.get_by_text("1 / 2").wait_for()
    page.get_by_label("What it is for").select_option(label="all 2 pages")
    page.locator("#send").click()
    page.get_by_role("button", name="Page 2: done").wait_for()
    receipt_file = Path("examples/receipt.png")
    page.locator("#file").set_input_files(receipt_file)
    page.get_by_role("button", name="Show receipt.png").wait_for()
    finished(page)
    send(page, "Locate", "the total").get_by_role("button", name="Right").click()
    page.locator(".card .menu summary").last.click()
    outside = """() => [...document.querySelectorAll('button, select, summary, input, .tasks label, .chip')]
        .filter((node) => node.checkVisibility() && !node.closest('.pages, .tray, .unseen') && !node.matches('.unseen'))
        .filter((node) => node.getBoundingClientRect().right > innerWidth + 1 || node.getBoundingClientRect().left < -1)
        .map((node) => node.outerHTML.slice(0, 80))"""
    assert page.evaluate(outside) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tasks = page.locator("#tasks").bounding_box()
    last = page.locator("#tasks label").last.bounding_box()
    assert last["x"] + last["width"] <= tasks["x"] + tasks["width"]
    assert last["y"] + last["height"] <= tasks["y"] + tasks["height"]
