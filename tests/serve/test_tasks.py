"""The task endpoints give typed results in pixels and seconds of the original, and say how they came about."""

import io
from pathlib import Path
from typing import Any

import httpx
import pypdfium2
import pytest

from tests.media.films import write_film
from tests.serve.conftest import Running, uri


def post(server: Running, path: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{server.url}{path}", json=body, timeout=60)


@pytest.mark.parametrize(
    ("path", "key", "place"), [("locate", "boxes", "box"), ("point", "points", "point"), ("count", "points", "point")]
)
def test_places_lie_in_the_original_and_in_the_model_picture(
    small_server: Running, picture_uri: str, path: str, key: str, place: str
) -> None:
    common = {"image": picture_uri, "query": "red box", "max_tokens": 200}
    original = post(small_server, f"/v1/{path}", **common).json()
    model = post(small_server, f"/v1/{path}", **common, coordinates="model").json()
    (seen,) = original["media"]
    assert seen["original_size"] == [200, 100]
    assert original["stamp"] == model["stamp"]
    assert original["text"] == model["text"]
    assert (original["coordinates"], model["coordinates"]) == ("original", "model")
    scale = [a / b for a, b in zip(seen["resized_size"], seen["original_size"], strict=True)] * 2
    for there, here in zip(original[key], model[key], strict=True):
        assert here[place] == pytest.approx([v * s for v, s in zip(there[place], scale, strict=False)])


def test_read_and_its_lines(small_server: Running, picture_uri: str) -> None:
    assert "text" in post(small_server, "/v1/read", image=picture_uri, max_tokens=5).json()
    lines = post(small_server, "/v1/read", image=picture_uri, max_tokens=40, lines=True).json()
    assert isinstance(lines["lines"], list)


def test_moments_of_a_clip(small_server: Running, tmp_path: Path) -> None:
    data = write_film(tmp_path / "a.mp4", [i / 10 for i in range(30)], size=(64, 64)).read_bytes()
    answer = post(
        small_server,
        "/v1/moments",
        video=uri(data, "video/mp4"),
        query="a jump",
        fps=1,
        max_pixels=56 * 56,
        max_tokens=60,
    )
    result = answer.json()
    assert answer.status_code == 200, result
    assert result["duration"] == pytest.approx(2.93, abs=0.1)
    for span in result["moments"]:
        assert 0 <= span["start"] <= span["end"] <= result["duration"]


def two_pages() -> str:
    pdf = pypdfium2.PdfDocument.new()
    for _ in range(2):
        pdf.new_page(100, 100)
    sink = io.BytesIO()
    pdf.save(sink)
    return uri(sink.getvalue(), "application/pdf")


def test_parse_and_extract(small_server: Running, picture_uri: str) -> None:
    parsed = post(small_server, "/v1/parse", document=picture_uri, max_tokens=30)
    assert parsed.status_code == 200, parsed.text
    assert len(parsed.json()["pages"]) == 1
    assert len(post(small_server, "/v1/parse", document=two_pages(), max_tokens=5).json()["pages"]) == 2
    schema = {
        "type": "object",
        "properties": {"paid": {"type": "boolean"}},
        "required": ["paid"],
        "additionalProperties": False,
    }
    extracted = post(small_server, "/v1/extract", document=picture_uri, schema=schema, places=False, max_tokens=200)
    assert extracted.status_code == 200, extracted.text
    assert extracted.json()["data"]["paid"] in (True, False)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/locate", {"image": "data:,x", "query": "x", "quary": 1}, 400),
        ("/v1/locate", {"image": "data:image/png;base64,AAAA", "query": "x"}, 422),
        ("/v1/locate", {"query": "x"}, 400),
        ("/v1/moments", {"video": "data:video/mp4;base64,AAAA", "query": "x"}, 422),
        ("/v1/parse", {"document": "data:application/pdf;base64,JVBERi0="}, 422),
        ("/v1/read", {"image": "data:,x", "model": "other"}, 404),
    ],
)
def test_mistakes(small_server: Running, path: str, body: dict[str, Any], status: int) -> None:
    answer = post(small_server, path, **body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
