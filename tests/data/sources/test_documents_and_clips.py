"""Pages of PDFs and clips with events."""

import json
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from tests.data.sources.reading import read_all
from viewfinder.data.sources.pdf import group_lines
from viewfinder.media.document import Word
from viewfinder.media.encode import write_clip
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.spans import parse_spans


def test_words_become_lines() -> None:
    words = [
        Word("a", (0, 0, 10, 10)),
        Word("b", (14, 0, 24, 10)),
        Word("c", (0, 20, 10, 30)),
        Word("d", (90, 20, 99, 30)),
    ]
    lines = group_lines(words)
    assert [(line.text, line.xyxy) for line in lines] == [
        ("a b", (0, 0, 24, 10)),
        ("c", (0, 20, 10, 30)),
        ("d", (90, 20, 99, 30)),  # across a gutter
    ]


def _pdf(path: Path) -> None:
    """Two pages: one with two lines of text, one blank."""
    content = b"BT /F1 24 Tf 50 120 Td (Hello there world) Tj 0 -40 Td (Second line) Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R 6 0 R]/Count 2>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]>>",
    ]
    body, places = b"%PDF-1.4\n", []
    for i, one in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (i, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer<</Size 7/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)
    path.write_bytes(body + b"xref\n0 7\n0000000000 65535 f \n" + table + trailer)


def test_pages_are_read_from_their_text_layer(tmp_path: Path) -> None:
    _pdf(tmp_path / "a.pdf")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4 broken")
    assert len(pypdfium2.PdfDocument(tmp_path / "a.pdf")) == 2
    (sample,), bad = read_all("pdf", tmp_path, dpi=144)
    assert sample.answer == "Hello there world\nSecond line"
    picture = sample.media[0].image  # type: ignore[union-attr]
    assert picture.size == (600, 400)
    boxes = parse_boxes(sample.messages[1].text, Transform.identity(picture.size))
    assert [box.text for box in boxes] == ["Hello there world", "Second line"]
    for box in boxes:  # truth against pixels: ink inside, none just around
        ink = np.asarray(picture.image.convert("L")) < 128
        x1, y1, x2, y2 = (round(corner) for corner in box.xyxy)
        assert ink[y1:y2, x1:x2].any()
        inside = ink[y1:y2, x1:x2].sum()
        assert ink[y1 - 12 : y2 + 12, x1 - 12 : x2 + 12].sum() - inside < 0.05 * inside
    assert [one.row for one in bad] == ["a.pdf page 2", "b.pdf page 1"]
    assert "no text layer" in bad[0].reason
    assert "damaged" in bad[1].reason


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "v1.mp4", (Image.new("RGB", (64, 48), (4 * i, 4 * i, 4 * i)) for i in range(60)), 10)
    return folder


_FORMS = {
    "a.jsonl": "\n".join(
        json.dumps({"video": name, "events": events})
        for name, events in (
            ("v1.mp4", [{"start": 1, "end": 2.5, "caption": "It darkens."}]),
            ("v1.mp4", [{"start": 1, "end": 9.5, "caption": "It darkens."}]),
            ("v2.mp4", [{"start": 1, "end": 2.5, "caption": "x"}]),
        )
    ),
    "a.json": json.dumps({"v1": {"duration": 6.0, "timestamps": [[1, 2.5]], "sentences": [" It darkens."]}}),
    "a.txt": "v1 1.0 2.5##It darkens.\n",
}


@pytest.mark.parametrize("name", list(_FORMS))
def test_published_annotations_are_read(clips: Path, name: str) -> None:
    (clips / name).write_text(_FORMS[name])
    samples, bad = read_all("videos", clips / name)
    (sample,) = samples
    assert "'It darkens.'" in sample.question
    (span,) = parse_spans(sample.answer, sample.truth["duration"])
    assert (span.start, span.end) == (1.0, 2.5)
    assert sample.truth["duration"] == pytest.approx(6.0, abs=0.2)
    if name == "a.jsonl":
        assert "outside its clip" in bad[0].reason
        assert "no clip 'v2.mp4'" in bad[1].reason


def test_several_events_are_described(clips: Path) -> None:
    events = [{"start": 3, "end": 4, "caption": "later"}, {"start": 0, "end": 2, "caption": "first"}]
    (clips / "many.jsonl").write_text(json.dumps({"video": "v1", "events": events}))
    (sample,), _ = read_all("videos", clips / "many.jsonl", dense=1.0)
    spans = parse_spans(sample.answer, sample.truth["duration"])
    assert [(s.start, s.end, s.label) for s in spans] == [(0, 2, "first"), (3, 4, "later")]
