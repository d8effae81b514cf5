"""Page by page: places, blank and broken pages, interruptions, circles, and the text layer as a witness."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from PIL import Image, ImageDraw

from bench.document_files import LayerChat, lines_of, write_pdf
from tests.chat.documents.conftest import TEXTS
from tests.doubles import ScriptedChat, small_processor
from viewfinder.chat import Viewfinder
from viewfinder.errors import MediaError, MessageError, SettingsError
from viewfinder.media.document import open_document
from viewfinder.messages import Message, Reply

Open = Callable[[LayerChat], Viewfinder]


def test_words_and_boxes_of_every_page(report: Path, reader: Open) -> None:
    document = reader(LayerChat(report)).parse(str(report))
    assert [[element.text for element in page.elements] for page in document.pages] == TEXTS
    assert document.failed == {}
    assert all(check.agreement == 1 for page in document.pages for check in page.checks)
    with open_document(report) as pdf:
        for page in document.pages:
            assert page.size == (1240, 1755)  # A4 at 150 dpi
            for word in pdf.words(page.number, pdf.page(page.number)):
                x, y = (word.box[0] + word.box[2]) / 2, (word.box[1] + word.box[3]) / 2
                holders = [e for e in page.elements if e.box and e.box[0] < x < e.box[2] and e.box[1] < y < e.box[3]]
                assert [word.text in holder.text.split() for holder in holders] == [True]


@pytest.mark.parametrize("kind", ["scan", "pdf"])
def test_a_blank_page_is_not_asked_about(kind: str) -> None:
    noise = np.random.default_rng(0).normal(244, 8, (800, 600, 3)).clip(0, 255).astype(np.uint8)
    pdf = pypdfium2.PdfDocument.new()
    pdf.new_page(300, 400)
    pdf.save(saved := io.BytesIO())
    source = Image.fromarray(noise) if kind == "scan" else saved.getvalue()
    document = Viewfinder(_Never(), small_processor()).parse(source)
    assert document.pages[0].elements == ()
    assert document.text == ""


def test_pages_can_be_chosen(report: Path, reader: Open) -> None:
    chat = LayerChat(report)
    document = reader(chat).parse(str(report), pages=[3, 1, 3])
    assert [page.number for page in document.pages] == [3, 1]
    assert chat.asked == [3, 1]
    with pytest.raises(MediaError, match="pages 1 to 5, and page 7"):
        reader(chat).parse(str(report), pages=[6])


def test_a_broken_page_spares_the_others(report: Path, reader: Open, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    # the second page's object becomes a number, which no page can be
    data = report.read_bytes()
    at = data.index(b"<</Type/Page/Parent", data.index(b"<</Type/Page/Parent") + 1)
    end = data.index(b"endobj", at)
    broken.write_bytes(data[:at] + b"7".ljust(end - at) + data[end:])
    document = reader(LayerChat(report)).parse(str(broken))
    assert list(document.failed) == [1]
    assert "page 2" in document.failed[1]
    assert [element.text for element in document.pages[2].elements] == TEXTS[2]


def test_a_page_that_is_refused_is_tried_again_next_time(report: Path, reader: Open, tmp_path: Path) -> None:
    chat = _Refusing(report, {2})
    journal = tmp_path / "pages.jsonl"
    first = reader(chat).parse(str(report), resume=journal)
    assert first.failed == {2: "not this one"}
    assert len(first.pages) == 5
    chat = _Refusing(report, set())
    second = reader(chat).parse(str(report), resume=journal)
    assert second.failed == {}
    assert chat.asked == [2]
    assert [[element.text for element in page.elements] for page in second.pages] == TEXTS


def test_an_interrupted_run_does_no_page_twice_and_loses_none(report: Path, reader: Open, tmp_path: Path) -> None:
    journal = tmp_path / "pages.jsonl"
    chat = LayerChat(report)
    whole = reader(LayerChat(report)).parse(str(report))

    def stop(done: int, total: int) -> None:
        assert total == 5
        if done in (2, 4):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            reader(chat).parse(str(report), resume=journal, progress=stop)
        journal.write_text(journal.read_text() + '{"key": {"dig')  # the last write was cut off
    assert reader(chat).parse(str(report), resume=journal) == whole
    assert chat.asked == [0, 1, 2, 3, 4]


def test_finished_pages_of_another_document_or_setting_are_not_taken(
    report: Path, reader: Open, tmp_path: Path
) -> None:
    journal = tmp_path / "pages.jsonl"
    reader(LayerChat(report)).parse(str(report), resume=journal)
    other = tmp_path / "other.pdf"
    write_pdf(other, [lines_of(["Another paper altogether"])])
    chat = LayerChat(other)
    assert reader(chat).parse(str(other), resume=journal).text == "Another paper altogether"
    chat = LayerChat(report)
    with pytest.raises(SettingsError, match="correct was False and is True"):
        reader(chat).parse(str(report), resume=journal, correct=True)
    chat.fingerprint = "other weights"
    with pytest.raises(SettingsError, match="weights was 'LayerChat' and is 'other weights'"):
        reader(chat).parse(str(report), resume=journal)
    assert chat.asked == []


def test_pages_asked_at_the_same_time_come_in_order(report: Path, reader: Open) -> None:
    alone = reader(LayerChat(report)).parse(str(report))
    assert reader(LayerChat(report)).parse(str(report), workers=3) == alone


def test_the_text_layer_is_a_witness_and_on_request_the_truth(report: Path, reader: Open) -> None:
    wrong = _Altering(report, "euros.", "eunos.")
    page = reader(wrong).parse(str(report), pages=[1]).pages[0]
    (check,) = page.disagreements
    assert page.elements[check.element].text == "The total of item 1 is 7.50 eunos."
    assert check.differences == (("eunos.", "euros."),)
    page = reader(wrong).parse(str(report), pages=[1], correct=True).pages[0]
    assert page.elements[1].text == TEXTS[1][1]
    assert page.disagreements == ()
    assert [check.corrected for check in page.checks] == [False, True]
    assert reader(wrong).parse(str(report), pages=[1], check=False).pages[0].checks == ()


def test_words_that_nothing_holds_are_named(report: Path, reader: Open) -> None:
    page = reader(_Altering(report, "The total of item 1 is 7.50 euros.", None)).parse(str(report), pages=[1]).pages[0]
    (check,) = page.disagreements
    assert check.element is None
    assert check.layer == "The total of item 1 is 7.50 euros."
    assert check.box is not None


def test_words_where_nothing_is_drawn_are_flagged() -> None:
    picture = Image.new("RGB", (392, 392), "white")
    ImageDraw.Draw(picture).rectangle((40, 40, 120, 60), fill="black")
    html = (
        '<html><body>\n<p data-bbox="30 30 130 70">ink</p>\n<p data-bbox="30 300 200 340">made up</p>\n</body></html>'
    )
    page = _says(html).parse(picture).pages[0]
    assert [element.text for element in page.elements] == ["ink", "made up"]
    (check,) = page.disagreements
    assert check.element == 1
    assert check.empty


def test_a_page_says_how_sure_it_is() -> None:
    page = _says('<html><body>\n<p data-bbox="0 0 84 28">a1</p>\n</body></html>').parse(_drawn()).pages[0]
    assert page.confidence == pytest.approx(2.718281828**-0.05)  # of "a" (log 0) and "1" (log -0.1); the box is no word


def test_circles_are_asked_once_more_and_then_cut() -> None:
    rows = "".join("<li>and again the same</li>" for _ in range(400))
    circle = f'<html><body>\n<p data-bbox="0 0 84 28">Begin</p>\n<ul data-bbox="0 28 84 84">{rows}'
    good = '<html><body>\n<p data-bbox="0 0 84 28">Whole</p>\n</body></html>'
    chat = _InTurn([circle, good])
    page = Viewfinder(chat, chat.processor).parse(_drawn()).pages[0]
    assert page.text == "Whole"
    assert page.repairs[0] == "read a second time, for the first answer ran in circles"
    assert chat.temperatures == [0.0, 0.3]
    chat = _InTurn([circle, circle])
    page = Viewfinder(chat, chat.processor).parse(_drawn()).pages[0]
    assert "cut where that began" in page.repairs[0]
    assert page.text.startswith("Begin")
    assert page.text.count("and again the same") < 100


def _says(html: str) -> Viewfinder:
    processor = small_processor()
    return Viewfinder(ScriptedChat(processor, lambda _: html), processor)


def _drawn() -> Image.Image:
    picture = Image.new("RGB", (84, 84), "white")
    ImageDraw.Draw(picture).rectangle((10, 10, 70, 70), fill="black")
    return picture


class _Never:
    def chat(self, messages: Sequence[Message], **_: Any) -> Reply:
        raise AssertionError("a blank page was asked about")


class _Refusing(LayerChat):
    def __init__(self, path: Path, refused: set[int]) -> None:
        super().__init__(path)
        self.refused = refused

    def chat(self, messages: Sequence[Message], **options: Any) -> Reply:
        reply = super().chat(messages, **options)
        if self.asked[-1] in self.refused:
            raise MessageError("not this one")
        return reply


class _Altering(LayerChat):
    """Reads one text wrongly, or leaves its paragraph out."""

    def __init__(self, path: Path, text: str, wrong: str | None) -> None:
        super().__init__(path)
        self.text, self.wrong = text, wrong

    def chat(self, messages: Sequence[Message], **options: Any) -> Reply:
        reply = super().chat(messages, **options)
        lines = reply.text.split("\n")
        if self.wrong is None:
            lines = [line for line in lines if self.text not in line]
        text = "\n".join(lines).replace(self.text, self.wrong or "")
        return reply.model_copy(update={"text": text})


class _InTurn:
    """One answer after the other, the first kind cut by its length."""

    def __init__(self, answers: list[str]) -> None:
        self.processor = small_processor()
        self.answers = answers
        self.temperatures: list[float | None] = []

    def chat(self, messages: Sequence[Message], *, sampling: Any = None, **_: Any) -> Reply:
        self.temperatures.append(sampling.temperature)
        text = self.answers[len(self.temperatures) - 1]
        media = self.processor.plan(messages).media
        return Reply(text=text, media=media, finish_reason="stop" if text.endswith("</html>") else "length")
