"""HTML files and web archives as interleaved documents."""

import gzip
import io
from pathlib import Path

import pytest
from PIL import Image

from tests.data.sources.reading import picture, read_all
from viewfinder.data.sources.html_blocks import Shown, Words, read_page
from viewfinder.errors import DataError
from viewfinder.media.image import load_image

_PAGE = """<html lang="de-AT"><head><title> On  boxes </title><style>p {}</style></head><body>
<nav><a href="/">Home</a><a href="/b">Boxes</a></nav>
<div class="cookie-banner">We value your privacy and our many partners.</div>
<article><h1>Boxes</h1>
<p>A red box stands on <a href="t">the table</a> since the morning, and nobody knows who put it there.</p>
<figure><img src="red.png" alt="a red box"><figcaption>The box in question.</figcaption></figure>
<p>Its lid is closed.<br>It weighs nothing.</p>
<ul><li>first</li><li>second</li></ul>
<table><tr><th>side</th><td>10</td></tr></table>
<img src="icon.png"><img src="gone.png"><img src="../../outside.png">
<p><a href="x">More boxes</a> <a href="y">Fewer boxes</a></p>
<script>alert(1)</script>
<p>Afterwards it was found to be <b>empty</b>.</p><img src="red.png"><img src="blue.png">
</article><footer>Imprint</footer></body></html>"""


def test_content_without_its_frame_in_reading_order() -> None:
    page = read_page(_PAGE.encode(), "https://example.org/a/b.html")
    assert (page.title, page.language) == ("On boxes", "de")
    texts = [block.text for block in page.blocks if isinstance(block, Words)]
    assert texts[0] == "Boxes"
    assert texts[2:] == [
        "The box in question.",
        "Its lid is closed.\nIt weighs nothing.",
        "- first",
        "- second",
        "side | 10",
        "Afterwards it was found to be empty.",
    ]
    shown = [block for block in page.blocks if isinstance(block, Shown)]
    assert [one.address.rsplit("/", 1)[1] for one in shown] == [
        "red.png",
        "icon.png",
        "gone.png",
        "outside.png",
        "blue.png",
    ]
    assert shown[0] == Shown("https://example.org/a/red.png", "a red box", "The box in question.")


def test_bytes_are_read_in_the_pages_own_encoding() -> None:
    body = "<html><head>{}</head><body><p>grün</p></body></html>"
    latin = body.format('<meta charset="iso-8859-1">').encode("latin-1")
    for data in (body.format("").encode(), latin):
        assert read_page(data).blocks == (Words("grün"),)
    for junk in (b"", b"   "):
        with pytest.raises(DataError, match="no HTML"):
            read_page(junk)


def test_pictures_stand_before_the_words_that_follow_them(tmp_path: Path) -> None:
    picture(tmp_path / "site" / "red.png", (80, 60))
    picture(tmp_path / "site" / "blue.png", (80, 60), "blue")
    picture(tmp_path / "site" / "icon.png", (16, 16))
    picture(tmp_path / "outside.png", (80, 60))
    (tmp_path / "site" / "a.html").write_text(_PAGE)
    (tmp_path / "site" / "b.html").write_text("<p>too short</p>")
    (sample,), (bad,) = read_all("html", tmp_path / "site")
    assert [message.role for message in sample.messages] == ["user", "assistant"] * 2
    assert sample.messages[0].text == "On boxes"
    assert sample.messages[1].text.startswith("Boxes\n\nA red box stands")
    assert len(sample.messages[2].parts) == 1
    assert sample.messages[3].text.endswith("found to be empty.")
    assert sample.truth["pictures"][0]["alt"] == "a red box"
    assert len(sample.media) == 1  # nothing is said after the blue one, the icon is too small, one lies outside
    assert sample.truth["lost_pictures"] == 3
    assert (sample.language, sample.domain, sample.task) == ("de", "web", "interleaved")
    assert bad.row == "b.html"
    assert "2 words of content" in bad.reason


def _archive(path: Path) -> None:
    sink = io.BytesIO()
    Image.new("RGB", (80, 60), "red").save(sink, "PNG")
    squeezed = gzip.compress(_PAGE.encode())
    records = [
        ("https://example.org/a/b.html", "200 OK", "Content-Type: text/html\r\nContent-Encoding: gzip", squeezed),
        ("https://example.org/a/red.png", "200 OK", "Content-Type: image/png", sink.getvalue()),
        ("https://example.org/short", "200 OK", "Content-Type: text/html; charset=utf-8", b"<p>gone</p>"),
        ("https://example.org/404", "404 Not Found", "Content-Type: text/html", _PAGE.encode()),
    ]
    with path.open("wb") as file:
        for address, status, headers, body in records:
            response = f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n".encode() + body
            about = (
                f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {address}\r\n"
                f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(response)}\r\n\r\n"
            )
            file.write(gzip.compress(about.encode() + response + b"\r\n\r\n"))


def test_an_archive_gives_its_pages_with_its_own_pictures(tmp_path: Path) -> None:
    _archive(tmp_path / "crawl.warc.gz")
    (sample,), (bad,) = read_all("warc", tmp_path)
    assert [message.role for message in sample.messages] == ["user", "assistant"] * 2
    assert load_image(sample.media[0].image).image.getpixel((5, 5)) == (255, 0, 0)  # type: ignore[union-attr]
    assert bad.row == "https://example.org/short"
    (tmp_path / "crawl.warc.gz").write_bytes(b"junk" * 100)
    with pytest.raises(DataError, match="no web archive"):
        read_all("warc", tmp_path / "crawl.warc.gz")
