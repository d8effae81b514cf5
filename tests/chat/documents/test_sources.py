"""What counts as a document, page by page: TIFF files, locked and very large PDFs, and names in errors."""

import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.doubles import ScriptedChat, small_processor
from tests.media.pdfs import locked, page_of, text_at
from viewfinder.chat import Viewfinder
from viewfinder.chat.documents.sources import open_pages
from viewfinder.errors import MediaError
from viewfinder.messages import Message


def three_sheets(path: Path) -> Path:
    sheets = [Image.new("L", (60, 40), shade) for shade in (10, 20, 30)]
    sheets[0].save(path, save_all=True, append_images=sheets[1:])
    return path


def test_a_tiff_file_has_its_pages(tmp_path: Path) -> None:
    with open_pages(three_sheets(tmp_path / "fax.tiff")) as pages:
        assert [int(pages.picture(i).pixels[0, 0, 0]) for i in range(len(pages))] == [10, 20, 30]
        assert [pages.picture(i).notes for i in range(3)] == [(), (), ()]


def test_a_tiff_file_in_memory_too(tmp_path: Path) -> None:
    with open_pages(three_sheets(tmp_path / "fax.tiff").read_bytes()) as pages:
        assert int(pages.picture(2).pixels[0, 0, 0]) == 30


def test_parse_reads_every_page_of_a_tiff_file(tmp_path: Path) -> None:
    sheets = []
    for shade in (10, 20, 30):
        sheet = np.full((392, 392), shade, np.uint8)
        sheet[40:80, 40:200] = 255
        sheets.append(Image.fromarray(sheet))
    sheets[0].save(tmp_path / "fax.tiff", save_all=True, append_images=sheets[1:])
    seen: list[int] = []

    def answer(messages: Sequence[Message]) -> str:
        seen.append(int(messages[-1].parts[0].image.pixels[0, 0, 0]))
        return '<html><body>\n<p data-bbox="0 0 28 28">x</p>\n</body></html>'

    chat = ScriptedChat(small_processor(), answer)
    document = Viewfinder(chat, chat.processor).parse(str(tmp_path / "fax.tiff"), check=False)
    assert [page.number for page in document.pages] == [0, 1, 2]
    assert seen == [10, 20, 30]


def test_a_password_is_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "letter.pdf"
    path.write_bytes(locked(text_at(20, 100, "Secret"), b"tulip"))
    with open_pages(path, password="tulip") as pages:
        assert [word.text for word in pages.words(0, pages.picture(0))] == ["Secret"]
    with pytest.raises(MediaError, match=r"^letter\.pdf is locked by a password"), open_pages(path):
        pass


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(b"%PDF-1.4 nothing")
    with pytest.raises(MediaError, match=r"^report\.pdf is damaged"), open_pages(path):
        pass
    (tmp_path / "scan.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(MediaError, match=r"^scan\.png"), open_pages(tmp_path / "scan.png"):
        pass


def test_a_poster_is_drawn_as_large_as_the_model_sees() -> None:
    """8,400 points square would be 306 million pixels at 150 dpi; the model sees 12,845,056 at most."""
    poster = page_of(text_at(100, 100, "Poster", size=400)).replace(b"[0 0 300 200]", b"[0 0 8400 8400]")
    with open_pages(poster) as pages:
        picture = pages.picture(0)
        width, height = picture.size
        assert 12_800_000 < width * height <= 12_845_056
        assert picture.notes == ("page drawn at 31 dpi to stay within 12,845,056 pixels",)
        assert [word.text for word in pages.words(0, picture)] == ["Poster"]


def test_pixels_of_a_page_stay_where_they_were() -> None:
    with open_pages(io.BytesIO(page_of(text_at(20, 100, "A4"))).getvalue()) as pages:
        assert pages.picture(0).size == (625, 417)
        assert pages.picture(0).notes == ()


def test_a_poster_takes_little_memory() -> None:
    """In a process of its own: drawing, words and ink of 8,400 points square within 500 MB beyond what imports take."""
    code = (
        "import resource\n"
        "from tests.media.pdfs import page_of, text_at\n"
        "from viewfinder.chat.documents.ink import Ink\n"
        "from viewfinder.chat.documents.sources import open_pages\n"
        "poster = page_of(text_at(100, 100, 'Poster', size=400)).replace(b'[0 0 300 200]', b'[0 0 8400 8400]')\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "with open_pages(poster) as pages:\n"
        "    picture = pages.picture(0)\n"
        "    assert pages.words(0, picture) and not Ink(picture).blank\n"
        "print((peak() - before) // 1024)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 500
