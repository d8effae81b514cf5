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


def _texts(body: str) -> list[str]:
    page = read_page(f"<html><body>{body}</body></html>")
    return [block.text for block in page.blocks if isinstance(block, Words)]


@pytest.mark.parametrize("name", ["SQL-COMMENT", "editing-and-navigation", "buffer-related-functions", "menu-items"])
def test_a_section_is_not_dropped_for_the_words_of_its_id(name: str) -> None:
    assert _texts(f'<div id="{name}" class="refentry"><p>COMMENT ON stores a comment.</p></div>') == [
        "COMMENT ON stores a comment."
    ]
    for frame in ('id="comments"', 'id="nav"', 'class="post comments-area"'):
        assert _texts(f"<p>a</p><div {frame}><p>b</p></div>") == ["a"]


def test_code_keeps_its_lines() -> None:
    assert _texts("<p>So:</p><pre>\nif x:\n    y = 1\n\n    <b>z</b> = 2\n</pre><p>End.</p>") == [
        "So:",
        "if x:\n    y = 1\n\n    z = 2",
        "End.",
    ]


def test_words_said_twice_are_said_twice() -> None:
    assert _texts("<p>Yes.</p><p>No.</p><p>Yes.</p>") == ["Yes.", "No.", "Yes."]


def test_cells_with_blocks_stay_in_their_row() -> None:
    rows = "<tr><td><p>Speed</p></td><td><p>Yes</p></td></tr><tr><td><div>Size</div></td><td><p>Yes</p></td></tr>"
    assert _texts(f"<table>{rows}</table>") == ["Speed | Yes", "Size | Yes"]
    assert _texts("<table><tr><td>a</td><td><ul><li>b</li><li>c</li></ul></td></tr></table>") == ["a | b c"]
    assert _texts("<table><tr><td><h1>Title</h1><p>One.</p><p>Two.</p></td></tr></table>") == ["Title", "One.", "Two."]


def test_permalink_marks_go() -> None:
    mark = '<a class="headerlink" href="#x" title="Permalink">{}</a>'
    assert _texts(f"<h1>Boxes{mark.format('¶')}</h1><p>See <a href='#note1'>1</a>.</p>") == ["Boxes", "See 1."]


def _warc(path: Path, records: list[tuple[str, bytes]]) -> Path:
    with path.open("wb") as file:
        for headers, block in records:
            file.write(f"WARC/1.1\r\n{headers}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n")
    return path


_LONG = "この文書には十分な言葉があります。" * 8


def _said(record: str, more: str = "") -> str:
    return f"WARC-Type: {record}\r\nWARC-Target-URI: https://example.org/{more}"


def test_the_servers_charset_comes_first(tmp_path: Path) -> None:
    page = f"<html><body><p>{_LONG}</p></body></html>".encode("shift_jis")
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=Shift_JIS\r\n\r\n"
    wrong = page.replace(b"<body>", b"<head><meta charset='utf-8'></head><body>")
    for body in (page, wrong):
        head = _said("response", "\r\nContent-Type: application/http; msgtype=response\r\n")
        (sample,), _ = read_all("warc", _warc(tmp_path / "a.warc", [(head, http + body)]))
        assert sample.answer == _LONG


def test_resource_and_revisit_records_are_pages(tmp_path: Path) -> None:
    page = f"<html><body><p>{_LONG}</p></body></html>".encode()
    digest = "WARC-Payload-Digest: sha1:AAAA\r\n"
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    records = [
        (_said("resource", f"a\r\nContent-Type: text/html\r\n{digest}"), page),
        (_said("revisit", f"b\r\nContent-Type: application/http; msgtype=response\r\n{digest}"), http),
        (_said("revisit", f"a\r\nContent-Type: application/http; msgtype=response\r\n{digest}"), http),
        (_said("revisit", "c\r\nContent-Type: application/http\r\nWARC-Payload-Digest: sha1:BBBB\r\n"), http),
    ]
    samples, (bad,) = read_all("warc", _warc(tmp_path / "a.warc", records))
    assert [sample.answer for sample in samples] == [
        _LONG,
        _LONG,
    ]  # a, and b with a's content; a again is the same page
    assert bad.row == "https://example.org/c"
    assert "its first visit is in none of the archives" in bad.reason


def test_archives_of_the_older_format(tmp_path: Path) -> None:
    body = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><body><p>{_LONG}</p></body></html>".encode()
    version = b"1 0 InternetArchive\nURL IP-address Archive-date Content-type Archive-length\n"
    head = f"filedesc://a.arc 0.0.0.0 20200101000000 text/plain {len(version)}\n".encode()
    entries = b"".join(
        f"https://example.org/{name} 1.2.3.4 20200101000000 text/html {len(body)}\n".encode() + body + b"\n"
        for name in "ab"
    )
    (tmp_path / "a.arc").write_bytes(head + version + b"\n" + entries)
    samples, bad = read_all("warc", tmp_path)
    assert [sample.answer for sample in samples] == [_LONG, _LONG]
    assert not bad
