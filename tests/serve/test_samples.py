"""Corrected answers become samples that training opens, with places where they were put and in the right words."""

import io
import json
import zipfile
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
from viewfinder.messages import VideoPart, user
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
    sample = saved(small_server, document=document, page=2, task="parse", text=html)
    assert (sample.form_of(1), sample.question) == ("html", "QwenVL HTML")
    assert 'data-bbox="10 20 110 40"' in sample.answer
    sample = saved(
        small_server, document=document, page=1, task="extract", question="total, date", text='{"total": "1"}'
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
    assert (answer["kind"], answer["count"], answer["pages"][0]["page"]) == ("image", 1, 1)
    assert answer["pages"][0]["size"] == [30, 20]
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


def test_a_preview_of_a_clip_counts_as_the_processor_does(small_server: Running, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", [i / 10 for i in range(40)], size=(160, 90))
    asked = {"source": uri(film.read_bytes(), "video/x-matroska"), "stills": True}
    answer = httpx.post(f"{small_server.url}/preview", json=asked, timeout=60).json()
    info = small_server.server.engine.engine.processor.plan([user(VideoPart(video=str(film)))]).media[0]
    assert (answer["kind"], answer["size"], answer["codec"]) == ("video", [160, 90], "h264")
    assert (answer["times"], answer["seen"]) == (list(info.frame_times or ()), list(info.resized_size))
    assert (answer["tokens"], answer["duration"]) == (info.tokens, pytest.approx(info.duration))
    assert [round(still["time"], 1) for still in answer["stills"]][:2] == [0.0, 0.2]
    fewer = httpx.post(f"{small_server.url}/preview", json={**asked, "fps": 1.0, "stills": False}, timeout=60).json()
    assert len(fewer["times"]) < len(answer["times"])
    assert fewer["stills"] == []


def test_a_file_of_another_kind_is_told_which_kinds_are_taken(small_server: Running) -> None:
    answer = httpx.post(f"{small_server.url}/preview", json={"source": uri(b"Dear Sir, " * 50, "text/plain")})
    assert answer.status_code == 422
    assert "no picture, PDF or clip that can be read" in answer.text
    assert ".webp" in answer.text


def test_labels_are_written_for_other_tools(small_server: Running) -> None:
    places = [{"box": [20, 30, 100, 70], "label": "red box"}, {"point": [60, 50], "label": "middle"}]
    picture = {"name": "shelf/a b.png", "size": [200, 100], "places": places, "source": uri(picture_bytes())}

    def written(kind: str) -> bytes:
        answer = httpx.post(
            f"{small_server.url}/labels", json={"format": kind, "pictures": [picture, picture]}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        return answer.content

    coco = json.loads(written("coco"))
    assert [image["file_name"] for image in coco["images"]] == ["shelf/a b.png"] * 2
    assert coco["annotations"][0]["bbox"] == [20, 30, 80, 40]
    with zipfile.ZipFile(io.BytesIO(written("yolo"))) as archive:
        assert archive.namelist() == ["labels/a_b.txt", "labels/a_b-2.txt", "data.yaml"]
        assert archive.read("labels/a_b.txt") == b"0 0.300000 0.500000 0.400000 0.400000\n"
    assert len(json.loads(written("label-studio"))[0]["predictions"][0]["result"]) == 2
    assert Image.open(io.BytesIO(written("png"))).size == (720, 360)
    outside = {**picture, "places": [{"box": [-1e300, -5, 1e300, 1e9], "label": "all"}]}
    answer = httpx.post(f"{small_server.url}/labels", json={"format": "coco", "pictures": [outside]}, timeout=60)
    assert answer.json()["annotations"][0]["bbox"] == [0, 0, 200, 100]
