"""PDF pages, their words, and pages that are broken."""

import pytest

from tests.media.pdfs import locked, text_at, without_pages
from viewfinder.errors import LimitError, MediaError
from viewfinder.media.document import chosen_pages, open_document
from viewfinder.media.source import Limits

PDF = b"""%%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R 6 0 R 7 0 R]/Count 3>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Rotate %d/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 44>>stream
BT /F1 24 Tf 50 100 Td (Hello big world) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
7 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 50]>>endobj
trailer<</Root 1 0 R>>"""


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_words_lie_on_their_ink(rotation: int) -> None:
    with open_document(PDF % rotation) as document:
        picture = document.page(0, dpi=144)
        words = document.words(0, picture)
    assert picture.size == ((600, 400) if rotation % 180 == 0 else (400, 600))
    assert [word.text for word in words] == ["Hello", "big", "world"]
    ink = picture.pixels[:, :, 0] < 128
    for word in words:
        x0, y0, x1, y1 = (round(v) for v in word.box)
        near = ink[y0 - 6 : y1 + 6, x0 - 6 : x1 + 6]
        rows, columns = near.any(1).nonzero()[0], near.any(0).nonzero()[0]
        found = (columns[0] + x0 - 6, rows[0] + y0 - 6, columns[-1] + x0 - 5, rows[-1] + y0 - 5)
        assert max(abs(a - b) for a, b in zip(found, word.box, strict=True)) < 3


def test_sizes() -> None:
    with open_document(PDF % 0) as document:
        assert len(document) == 3
        assert document.page_size(0) == (300, 200)
        assert document.page(0).size == (625, 417)  # 150 dpi
        width, height = document.page(0, max_pixels=100_000).size
        assert 98_000 < width * height <= 100_000
        capped = document.page(0, dpi=1200, max_pixels=100_000)
        assert capped.size[0] * capped.size[1] <= 100_000
        assert "dpi to stay within" in capped.notes[0]


def test_a_broken_page_spares_the_others() -> None:
    with open_document(PDF % 0) as document:
        with pytest.raises(MediaError, match=r"page 2 .* is broken"):
            document.page(1)
        with pytest.raises(MediaError, match=r"page 2 .* is broken"):
            document.words(1)
        assert (document.page(2).pixels == 255).all()
        assert document.words(2) == ()
        with pytest.raises(MediaError, match="pages 1 to 3"):
            document.page(3)


@pytest.mark.parametrize(
    ("data", "hint"),
    [(b"", "no PDF"), (b"hello", "no PDF"), (b"%PDF-1.4 garbage", "damaged"), (b"\x89PNG\r\n", "no PDF")],
)
def test_not_a_pdf(data: bytes, hint: str) -> None:
    with pytest.raises(MediaError, match=hint):
        open_document(data)


def test_the_cap_is_on_pages_asked_for() -> None:
    limits = Limits(max_pages=2)
    with open_document(PDF % 0, limits) as document:
        assert chosen_pages(len(document), [0, 2], "a.pdf", limits) == [0, 2]
        with pytest.raises(
            LimitError, match=r"3 pages of a\.pdf are asked for, over the 2 allowed at once; name fewer"
        ):
            chosen_pages(len(document), None, "a.pdf", limits)
        with pytest.raises(MediaError, match=r"a\.pdf has pages 1 to 3, and page 4 was asked for"):
            chosen_pages(len(document), [3], "a.pdf", limits)
    with open_document(PDF % 0, Limits(max_pixels=10_000)) as document:
        width, height = document.page(0).size
    assert width * height <= 10_000


def test_a_password_opens_what_it_locks() -> None:
    pdf = locked(text_at(20, 100, "Secret"), b"tulip")
    with open_document(pdf, password="tulip") as document:
        assert [word.text for word in document.words(0)] == ["Secret"]
    with pytest.raises(MediaError, match="locked by a password; give it"):
        open_document(pdf)
    with pytest.raises(MediaError, match="locked by another password than the one given"):
        open_document(pdf, password="rose")


def test_damaged_after_locked_is_damaged() -> None:
    """PDFium fails on this file without saying why, and what it said of the last file still stands."""
    with pytest.raises(MediaError, match="locked"):
        open_document(locked("", b"tulip"))
    with pytest.raises(MediaError, match=r"^report\.pdf is damaged"):
        open_document(without_pages(), name="report.pdf")
