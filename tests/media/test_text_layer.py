"""A text layer gives the words that a reader sees, one box a line, in whole letters."""

import pytest

from tests.media.pdfs import font_of, page_of, text_at
from viewfinder.media.document import open_document

SHOWN = text_at(20, 160, "Shown")
LAYER_OFF = "<</Type/OCG/Name(Draft)>>"


def words_of(pdf: bytes) -> list[str]:
    with open_document(pdf) as document:
        return [word.text for word in document.words(0)]


@pytest.mark.parametrize(
    "content",
    [
        text_at(20, 100, "Hidden", "3 Tr"),  # as OCR writes under a scan
        text_at(20, 100, "Hidden", "1 1 1 rg"),  # white on white
        text_at(20, -50, "Hidden"),  # off the page
        text_at(280, 20, "W") + text_at(400, 100, "Hidden"),
        text_at(20, 100, "Hidden") + "0.5 g 10 90 200 40 re f\n",  # covered
        "q 200 10 50 20 re W n " + text_at(20, 100, "Hidden") + "Q\n",  # clipped away
        "/OC /L1 BDC " + text_at(20, 100, "Hidden") + "EMC\n",  # on a layer that is switched off
        text_at(20, 100, "Hidden", "/G0 gs"),  # fully transparent
    ],
)
def test_what_is_not_seen_is_no_word(content: str) -> None:
    pdf = page_of(
        SHOWN + content,
        resources="/Properties<</L1 6 0 R>>/ExtGState<</G0<</ca 0/CA 0>>>>",
        catalog="/OCProperties<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>",
        objects=[LAYER_OFF],
    )
    assert words_of(pdf) == ["Shown"] + ["W"] * ("(W)" in content)


def test_outside_the_crop_box() -> None:
    pdf = page_of(SHOWN + text_at(20, 20, "Below"), page="/CropBox[0 100 300 200]")
    assert words_of(pdf) == ["Shown"]


@pytest.mark.parametrize("color", ["0.93 g", "1 0 0 rg", "0 0 0 rg"])
def test_pale_and_colored_words_are_seen(color: str) -> None:
    assert words_of(page_of(text_at(20, 100, "Pale", color))) == ["Pale"]


def test_white_words_on_black_are_seen() -> None:
    assert words_of(page_of("0 g 0 0 300 200 re f\n" + text_at(20, 100, "Night", "1 g"))) == ["Night"]


def test_a_scan_with_invisible_text_has_no_words() -> None:
    assert words_of(page_of("0.6 g 10 10 200 150 re f\n" + text_at(20, 100, "Support", "3 Tr"))) == []


def test_letters_beyond_the_first_plane_are_whole() -> None:
    """U+1D70E, mathematical italic sigma, is D835 DF0E in UTF-16; a half alone is no letter."""
    content = "BT /F2 20 Tf 20 100 Td (A) Tj ET"
    for mapping, letter in (("D835DF0E", "\U0001d70e"), ("D835", "\ufffd"), ("DF0E", "\ufffd")):
        (word,) = words_of(page_of(content, resources="/Font<</F2 6 0 R>>", objects=font_of(mapping)))
        assert word == letter
        word.encode()


def test_a_word_parted_at_a_line_end_is_two_with_a_box_each() -> None:
    with open_document(page_of(text_at(150, 150, "the tur-") + text_at(20, 120, "pis grew"))) as document:
        words = document.words(0)
    assert [word.text for word in words] == ["the", "tur-", "pis", "grew"]
    assert words[1].box[0] > 170
    assert words[2].box[2] < 60
    assert max(word.box[3] - word.box[1] for word in words) < 25


def test_values_of_form_fields_are_words_on_their_ink() -> None:
    field = "<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Ada Lovelace)/Rect[100 150 280 180]/DA(/F1 18 Tf 0 g)/F 4>>"
    pick = (
        "<</Type/Annot/Subtype/Widget/FT/Ch/T(pick)/V(List2)/Opt[(List1)(List2)]/Rect[100 20 280 100]"
        "/DA(/F1 14 Tf 0 g)/F 4>>"
    )
    form = "<</Fields[6 0 R 7 0 R]/NeedAppearances true/DR<</Font<</F1 5 0 R>>>>/DA(/F1 12 Tf 0 g)>>"
    pdf = page_of(
        text_at(20, 160, "Name:"),
        page="/Annots[6 0 R 7 0 R]",
        catalog="/AcroForm 8 0 R",
        objects=[field, pick, form],
    )
    with open_document(pdf) as document:
        before = document.page(0, dpi=72)
        words = document.words(0, before)
        assert (document.page(0, dpi=72).pixels == before.pixels).all()
    assert [word.text for word in words] == ["Name:", "Ada", "Lovelace", "List1", "List2"]
    x0, y0, x1, y1 = (round(value) for value in words[1].box)
    assert x0 >= 100
    assert y1 <= 50
    assert (before.pixels[y0:y1, x0:x1] < 128).any()
