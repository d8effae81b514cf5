"""What is written to disk: every format, figures, names that do not collide, folders that go on where they stopped."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from bench.document_files import LayerChat
from viewfinder.chat import Viewfinder
from viewfinder.chat.documents.files import FORMATS, parse_files, text_of, write_document
from viewfinder.chat.documents.sources import PageImages, find_documents, open_pages
from viewfinder.errors import MediaError
from viewfinder.media.transform import Transform
from viewfinder.outputs.document import Document

PAGE = """<html><body>
<h2 data-bbox="20 20 200 40">Sales</h2>
<div class="image" data-bbox="20 60 200 120"><img data-bbox="20 60 200 120"/></div>
<table data-bbox="20 140 200 180"><tr><td>a</td><td>1</td></tr></table>
</body></html>"""


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[Document, Path]:
    picture = Image.new("RGB", (392, 196), "white")
    ImageDraw.Draw(picture).rectangle((20, 60, 199, 119), fill="green")
    path = tmp_path / "page.png"
    picture.save(path)
    return Document.from_html(PAGE, Transform((392, 196), (392, 196))), path


def test_every_format_is_written(drawn: tuple[Document, Path], tmp_path: Path) -> None:
    document, path = drawn
    written = write_document(document, str(path), tmp_path / "out" / "page", list(FORMATS))
    texts = {kind: file.read_text() for kind, file in zip(FORMATS, written, strict=True)}
    assert texts["html"].startswith('<html><body>\n<h2 data-bbox="20 20 200 40">Sales</h2>')
    assert texts["md"].startswith("## Sales\n\n![")
    assert json.loads(texts["json"])["pages"][0]["elements"][2]["rows"] == [["a", "1"]]
    assert texts["txt"].startswith("Sales\n")
    for kind in ("clean", "viewer"):
        assert "data:image/" in texts[kind], "figures stand inside the page"
        assert "://" not in texts[kind].replace("http://www.w3.org", ""), "nothing is fetched"
    (figure,) = (tmp_path / "out" / "page.figures").iterdir()
    assert f"page.figures/{figure.name}" in texts["md"]
    with Image.open(figure) as cut:
        assert cut.size == (180, 60)
        assert cut.convert("RGB").getpixel((90, 30)) == (0, 128, 0)


def test_unknown_formats_and_places_are_refused(drawn: tuple[Document, Path], tmp_path: Path) -> None:
    document, path = drawn
    with pytest.raises(MediaError, match="no format 'docx'; the formats are html"):
        text_of(document, "docx")
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaError, match="cannot be written"):
        write_document(document, str(path), tmp_path / "file" / "page", ["md"])


def test_many_documents_go_on_where_they_stopped(
    report: Path, reader: Callable[[LayerChat], Viewfinder], tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        (folder / name / "report.pdf").write_bytes(report.read_bytes())
    (folder / "c.pdf").write_bytes(b"no pdf at all")
    files = find_documents([str(folder)])
    chat = LayerChat(report)

    def stopping(file: str, keep: Path) -> Document:
        def stop(done: int, _: int) -> None:
            if "b/" in file and done == 2:
                raise KeyboardInterrupt

        return reader(chat).parse(file, resume=keep, progress=stop)

    stopped = parse_files(files, stopping, tmp_path / "out", ["md"], settings={"query": 1})
    assert (stopped.done, stopped.left) == (1, 2)
    assert chat.asked == [0, 1, 2, 3, 4, 0, 1]
    summary = parse_files(
        files, lambda file, keep: reader(chat).parse(file, resume=keep), tmp_path / "out", ["md"], settings={"query": 1}
    )
    assert chat.asked == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    assert (summary.done, summary.skipped) == (1, 1)
    assert list(summary.failed) == [str(folder / "c.pdf")]
    assert "is no PDF" in summary.failed[str(folder / "c.pdf")]
    names = sorted(path.name for path in (tmp_path / "out").glob("*.md"))
    assert len(names) == 2, names
    assert [name.endswith(f"{key}_report.pdf.md") for name, key in zip(names, "ab", strict=True)] == [True, True]


def test_page_images_are_made_when_asked_for(report: Path) -> None:
    with open_pages(str(report)) as pages:
        images = PageImages(pages, [4, 2])
        assert len(images) == 2
        assert images[0].size == (1240, 1755)
        assert len(images[1:]) == 1


def test_what_counts_as_a_document(tmp_path: Path) -> None:
    for name in ("b.PDF", "a.png", ".hidden.pdf", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [Path(file).name for file in find_documents([str(tmp_path)])] == ["a.png", "b.PDF"]
    with pytest.raises(MediaError, match="no file or folder"):
        find_documents([str(tmp_path / "absent.pdf")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="holds no PDFs and no pictures"):
        find_documents([str(tmp_path / "empty")])
