"""The words of a PDF page that can be seen on it, and nothing else that its text layer holds.

What a layer says and a reader sees are two things: scanners lay invisible text over pictures, drawings are moved off
the page, layers are switched off, words are covered, clipped or white on white. Seen is what is missing when the
page is drawn without its text. Boxes are those of the letters' outlines.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium

from viewfinder.media.transform import Box

_HYPHENS = (0x02, 0xFFFE)  # PDFium's marks for a hyphen at the end of a line
_HIDDEN_MODES = (pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP)
_SEEN_SCALE = 1.0  # pixels per point of the drawings that are compared
_SEEN_PIXELS = 4_000_000
_SEEN_CONTRAST = 6  # of 255; white on white differs by nothing, the palest print by more
_DEEPEST = 15  # form XObjects within each other
_FAR = 1000  # points and pixels at which the page's matrix is read off, for PDFium answers in whole pixels


@dataclass(frozen=True)
class Word:
    """A word of the text layer; `box` is x0, y0, x1, y1 in pixels of the rendered page.

    A word that is parted at the end of a line is two, and the first ends with the hyphen.
    """

    text: str
    box: Box


def visible_words(
    page: pypdfium2.PdfPage, size: tuple[float, float], drawn: np.ndarray | None = None
) -> tuple[Word, ...]:
    """The words of a page in the layer's order, in pixels of a drawing of `size` (width, height).

    `drawn` is that drawing, RGB (height, width, 3), where it is at hand, which spares making one. Hides the text of
    the page at hand, which is not to be drawn afterwards.

    Raises:
        pypdfium2.PdfiumError: the layer cannot be read.
    """
    text_page = page.get_textpage()
    try:
        words = list(_words(text_page))
    finally:
        text_page.close()
    if not words:
        return ()
    drawings = _with_and_without_text(page, drawn)
    if drawings is None:
        return ()
    boxes = np.array([box for _, box in words])
    to_seen = _to_device(page, boxes, (drawings[0].shape[1], drawings[0].shape[0]))
    to_size = _to_device(page, boxes, size)
    return tuple(
        Word(text, (float(box[0]), float(box[1]), float(box[2]), float(box[3])))
        for (text, _), box, there in zip(words, to_size, to_seen, strict=True)
        if _differ(*drawings, there)
    )


def _words(text_page: pypdfium2.PdfTextPage) -> Iterator[tuple[str, Box]]:
    """Words with boxes in the page's own space (points, y upwards, before rotation)."""
    letters: list[str] = []
    boxes: list[Box] = []
    edges = [pdfium.c_double() for _ in range(4)]  # left, right, bottom, top; one set for all letters
    half = 0  # of a letter beyond U+FFFF, which PDFium gives as two

    def finished() -> Iterator[tuple[str, Box]]:
        if letters:
            left, bottom, right, top = zip(*boxes, strict=True)
            yield "".join(letters), (min(left), min(bottom), max(right), max(top))
            letters.clear()
            boxes.clear()

    for i in range(text_page.count_chars()):
        code = pdfium.FPDFText_GetUnicode(text_page, i)
        if half and 0xDC00 <= code < 0xE000:
            letters[-1] = chr(0x10000 + (half - 0xD800) * 0x400 + code - 0xDC00)
            half = 0
            continue
        half = code if 0xD800 <= code < 0xDC00 else 0
        letter = "-" if code in _HYPHENS else "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)
        if code and letter.strip():
            letters.append(letter)
            pdfium.FPDFText_GetCharBox(text_page, i, *edges)
            left, right, bottom, top = (edge.value for edge in edges)
            boxes.append((left, bottom, right, top))
        if not code or not letter.strip() or code in _HYPHENS:
            yield from finished()
    yield from finished()


def _with_and_without_text(page: pypdfium2.PdfPage, drawn: np.ndarray | None) -> tuple[np.ndarray, np.ndarray] | None:
    """The page drawn twice, RGB (H, W, 3); None where all its text is invisible by its mode."""
    texts = [thing.raw for thing in page.get_objects([pdfium.FPDF_PAGEOBJ_TEXT], max_depth=_DEEPEST)]
    if all(pdfium.FPDFTextObj_GetTextRenderMode(text) in _HIDDEN_MODES for text in texts):
        return None
    width, height = page.get_size()
    scale = min(_SEEN_SCALE, (_SEEN_PIXELS / (width * height)) ** 0.5)
    if drawn is not None and drawn.shape[0] * drawn.shape[1] <= _SEEN_PIXELS:
        scale = _scale_of(drawn, width, height)
    else:
        drawn = None

    def draw() -> np.ndarray:
        paper = (255, 255, 255, 255)
        bitmap = page.render(scale=scale, rev_byteorder=True, fill_color=paper, may_draw_forms=False)  # pyright: ignore[reportArgumentType] - takes floats
        return bitmap.to_numpy()

    whole = draw() if drawn is None else drawn
    for text in texts:
        pdfium.FPDFTextObj_SetTextRenderMode(text, pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)
    bare = draw()
    assert bare.shape == whole.shape, f"{bare.shape} is drawn where {whole.shape} was"
    return whole, bare


def _scale_of(drawn: np.ndarray, width: float, height: float) -> float:
    """Pixels per point that draw a page in the same size again; sides are rounded up."""
    rows, columns = drawn.shape[:2]
    return (max((columns - 1) / width, (rows - 1) / height) + min(columns / width, rows / height)) / 2


def _differ(whole: np.ndarray, bare: np.ndarray, box: np.ndarray) -> bool:
    """Whether two drawings differ in a box, but for its rim, which its neighbors may touch."""
    rim = np.minimum(1.0, (box[2:] - box[:2]) / 4)
    x0, y0 = (max(math.floor(value), 0) for value in box[:2] + rim)
    x1, y1 = (max(math.ceil(value), 0) for value in box[2:] - rim)
    part = slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))
    a, b = whole[part], bare[part]
    return bool(a.size) and int((np.maximum(a, b) - np.minimum(a, b)).max()) >= _SEEN_CONTRAST


def _to_device(page: pypdfium2.PdfPage, boxes: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """Boxes (N, 4) of the page's own space in pixels of a drawing of `size`."""
    device: list[tuple[float, float]] = []
    for x, y in ((0, 0), (_FAR, 0), (0, _FAR)):
        device_x, device_y = pdfium.c_int(), pdfium.c_int()
        width, height = round(size[0] * _FAR), round(size[1] * _FAR)
        pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, device_x, device_y)
        device.append((device_x.value / _FAR, device_y.value / _FAR))
    origin, right, up = np.array(device)
    corners = boxes.reshape(-1, 2, 2) @ np.stack([(right - origin) / _FAR, (up - origin) / _FAR]) + origin
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
