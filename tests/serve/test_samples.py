"""Corrected answers become samples that training opens, with places where they were put and in the right words."""

import io
from pathlib import Path
from typing import Any

import httpx
import pypdfium2
import pytest
from PIL import Image

from tests.media.films import write_film
from tests.serve.conftest import Running, picture_bytes, uri
from viewfinder.data.places import for_model, prepare
from viewfinder.data.sample import Sample
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.recipes.sources import DataConfig, open_sources


def save(server: Running, **body: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/samples", json=body, timeout=60)


def saved(server: Running, **body: Any) -> Sample:
    """The sample as `viewfinder train sft --data FOLDER` opens it, last of the folder, ready for the model."""
    answer = save(server, **body)
    assert answer.status_code == 200, answer.text
    folder = Path(server.server.settings.samples or "")
    assert answer.json()["samples"] == answer.json()["saved"] + 1
    (sample,) = (
        open_sources(DataConfig(source=str(folder), holdout=1), seed=0).held_out
        if answer.json()["saved"]
        else _only(folder)
    )
    processor = server.server.engine.engine.processor
    assert (prepare(sample, processor).inputs.labels >= 0).any(), "nothing of it would be learnt"
    return sample


def _only(folder: Path) -> list[Sample]:
    source = open_sources(DataConfig(source=str(folder)), seed=0).training
    return [next(iter(source(0))).make()]


PICTURE = uri(picture_bytes())


def test_boxes_are_written_in_pixels_of_whatever_the_model_sees(small_server: Running) -> None:
    boxes = [{"box": [20, 30, 100, 70], "label": "red box"}]
    sample = saved(small_server, images=[PICTURE], task="locate", question="red box", boxes=boxes, model_answer="[]")
    assert (sample.task, sample.domain) == ("locate", "correction")
    assert sample.question == "Locate every red box in the image and output the coordinates in JSON format."
    view = for_model(sample, small_server.server.engine.engine.processor)
    (transform,) = view.transforms
    assert transform.resized_size != (200, 100)
    (box,) = parse_boxes(view.messages[-1].text, transform)
    assert box.xyxy == pytest.approx((20, 30, 100, 70), abs=1.0)
    assert box.label == "red box"


def test_points_of_a_count_and_places_of_a_question(small_server: Running) -> None:
    points = [{"point": [60, 50], "label": "red box"}, {"point": [999, -5], "label": "corner"}]
    sample = saved(small_server, images=[PICTURE], task="point", question="red boxes", points=points)
    assert sample.question.startswith("Point to")
    assert sample.truth["points"][1]["point"] == [200, 0], "outside is moved to the edge"
    boxes = [{"box": [20, 30, 100, 70], "label": "it"}]
    sample = saved(small_server, images=[PICTURE], task="ask", question="Where is it?", boxes=boxes)
    assert (sample.question, sample.form_of(1)) == ("Where is it?", "boxes")


def test_words_over_several_pictures(small_server: Running) -> None:
    sample = saved(small_server, images=[PICTURE, PICTURE], task="ask", question="Same?", text="Yes, both.")
    assert (len(sample.media), sample.question, sample.answer) == (2, "Same?", "Yes, both.")
    assert saved(small_server, images=[PICTURE], task="read", text="A\nB").answer == "A\nB"


def test_a_page_of_a_document_with_its_html(small_server: Running) -> None:
    pdf = pypdfium2.PdfDocument.new()
    for size in ((100, 100), (200, 100)):
        pdf.new_page(*size)
    sink = io.BytesIO()
    pdf.save(sink)
    document = uri(sink.getvalue(), "application/pdf")
    html = '<html><body>\n<h1 data-bbox="10 20 110 40">Title</h1>\n</body></html>'
    sample = saved(small_server, document=document, page=1, task="parse", text=html)
    assert (sample.form_of(1), sample.question) == ("html", "QwenVL HTML")
    assert 'data-bbox="10 20 110 40"' in sample.answer
    sample = saved(
        small_server, document=document, page=0, task="extract", question="total, date", text='{"total": "1"}'
    )
    assert sample.question.startswith('Extract the key-value information in the format:{"total": "", "date": ""}')
    missing = save(small_server, document=document, page=7, task="read", text="x")
    assert missing.status_code == 422
    assert "has 2 pages" in missing.json()["error"]["message"]


def test_times_of_a_clip(small_server: Running, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", [i / 10 for i in range(30)], size=(64, 64)).read_bytes()
    spans = [{"start": 0.5, "end": 1.0}, {"start": 99, "end": 2.0}]
    sample = saved(small_server, video=uri(film, "video/mp4"), task="moments", question="a jump", spans=spans)
    assert sample.answer == "The given query happens in 0.5 - 1.0 and 2.0 - 2.9 seconds."
    none = saved(small_server, video=uri(film, "video/mp4"), task="moments", question="a dog", spans=[])
    assert none.answer == "The given query does not occur in the video."


def test_a_preview_shows_what_a_browser_cannot(small_server: Running) -> None:
    sink = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(sink, "TIFF")
    answer = httpx.post(f"{small_server.url}/preview", json={"source": uri(sink.getvalue(), "image/tiff")}).json()
    assert (answer["count"], answer["pages"][0]["size"]) == (1, [30, 20])
    assert answer["pages"][0]["picture"].startswith("data:image/jpeg;base64,/9j/")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"task": "locate", "images": [PICTURE]}, "needs boxes"),
        ({"task": "ask", "images": [PICTURE], "text": "a", "boxes": []}, "one of them"),
        ({"task": "read", "text": "a"}, "exactly one"),
        ({"task": "moments", "images": [PICTURE], "spans": []}, "not about pictures"),
        ({"task": "locate", "images": ["data:,x"], "boxes": []}, "no picture"),
        ({"task": "locate", "images": [PICTURE], "boxes": [{"box": [1, 2, 3]}]}, "boxes"),
    ],
)
def test_mistakes_are_told(small_server: Running, body: dict[str, Any], message: str) -> None:
    answer = save(small_server, **body)
    assert 400 <= answer.status_code < 500
    assert message in answer.json()["error"]["message"]
