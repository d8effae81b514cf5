"""PDF pages as pictures, and the words of their text layer with boxes in the same pixels.

A broken page raises for that page alone. The text layer serves to check what a model reads from a
digital PDF; scans have none. PDFium is not safe to enter from two threads, hence the one lock.
"""

import math
import threading
from dataclasses import dataclass
from typing import Any, Self

import pypdfium2
import pypdfium2.raw as pdfium

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.image import Picture
from viewfinder.media.source import DEFAULT_LIMITS, Limits, describe_source, read_source
from viewfinder.media.transform import Box, Transform

DEFAULT_DPI = 150.0
_LOCK = threading.RLock()
_SUBPIXEL = 64  # PageToDevice answers in whole pixels; asking for a larger page gives it fractions


@dataclass(frozen=True)
class Word:
    """A word of the text layer; `box` is x0, y0, x1, y1 in pixels of the rendered page."""

    text: str
    box: Box


def open_document(source: Any, limits: Limits = DEFAULT_LIMITS) -> "Document":
    """Open a PDF given as a path, bytes, URL or `data:` URI.

    Raises:
        LimitError: more bytes or pages than `limits` allow.
        MediaError: not a PDF, damaged as a whole, or locked by a password.
    """
    name = describe_source(source)
    data = read_source(source, limits)
    if b"%PDF-" not in data[:1024]:
        raise MediaError(
            f"{name} is no PDF (it begins with {data[:8]!r}); give pictures as images, other documents as PDF"
        )
    with _LOCK:
        try:
            pdf = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            problem = "is locked by a password" if "assword" in str(error) else "is damaged"
            raise MediaError(f"{name} {problem} and cannot be opened; save it again without a password") from error
        pages = len(pdf)
        if pages == 0 or pages > limits.max_pages:
            pdf.close()
            if pages == 0:
                raise MediaError(f"{name} has no readable page; save it again")
            raise LimitError(
                f"{name} has {pages:,} pages, over the {limits.max_pages:,} allowed; split it or raise Limits.max_pages"
            )
        pdf.init_forms()
    return Document(pdf, name, limits)


class Document:
    """An open PDF. `len()` is its number of pages, which count from 0; use it as a context manager or `close` it."""

    def __init__(self, pdf: pypdfium2.PdfDocument, name: str, limits: Limits) -> None:
        self._pdf = pdf
        self._limits = limits
        self.name = name

    def __len__(self) -> int:
        return len(self._pdf)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with _LOCK:
            self._pdf.close()

    def page_size(self, index: int) -> tuple[float, float]:
        """(width, height) in points of 1/72 inch, as shown (after the page's own rotation)."""
        with _LOCK:
            page = self._page(index)
            try:
                return self._size_of(page, index)
            finally:
                page.close()

    def page(self, index: int, *, dpi: float | None = None, max_pixels: int | None = None) -> Picture:
        """Render one page on white.

        `dpi` sets the size (150 when nothing is given); `max_pixels` alone renders as large as it allows,
        and beside `dpi` it is a cap.

        Raises:
            MediaError: this page is broken; others may still be read.
        """
        with _LOCK:
            page = self._page(index)
            try:
                width, height = self._size_of(page, index)
                scale, notes = self._scale(width * height, dpi, max_pixels)
                bitmap = page.render(scale=scale, rev_byteorder=True, fill_color=(255, 255, 255, 255))
                image = bitmap.to_pil().convert("RGB").copy()  # the bitmap's memory goes with the page
            except (pypdfium2.PdfiumError, ValueError, MemoryError) as error:
                if isinstance(error, MediaError):
                    raise
                raise MediaError(f"{self._name_page(index)} cannot be drawn ({error}); leave this page out") from error
            finally:
                page.close()
        return Picture(image, Transform.identity(image.size), notes)

    def words(self, index: int, picture: Picture | None = None) -> tuple[Word, ...]:
        """The text layer of a page in its own order; empty for a scan.

        Boxes are in pixels of the rendered page that `picture` came from (its upright original), or in
        points when no picture is given.
        """
        with _LOCK:
            page = self._page(index)
            try:
                points = self._size_of(page, index)
                size = points if picture is None else picture.transform.original_size
                text_page = page.get_textpage()
                try:
                    return tuple(_words(page, text_page, size))
                finally:
                    text_page.close()
            except pypdfium2.PdfiumError as error:
                raise MediaError(
                    f"the text of {self._name_page(index)} cannot be read; render the page instead"
                ) from error
            finally:
                page.close()

    def _page(self, index: int) -> pypdfium2.PdfPage:
        if not 0 <= index < len(self._pdf):
            raise MediaError(f"{self.name} has pages 0 to {len(self._pdf) - 1}, and page {index} was asked for")
        try:
            return self._pdf[index]
        except pypdfium2.PdfiumError as error:
            raise MediaError(f"{self._name_page(index)} is broken and cannot be loaded; leave this page out") from error

    def _size_of(self, page: pypdfium2.PdfPage, index: int) -> tuple[float, float]:
        width, height = page.get_size()
        if not (0 < width < math.inf and 0 < height < math.inf):
            raise MediaError(f"{self._name_page(index)} has the size {width}x{height} points; leave this page out")
        return width, height

    def _scale(self, area: float, dpi: float | None, max_pixels: int | None) -> tuple[float, tuple[str, ...]]:
        """Pixels per point for a page of `area` square points, under all caps."""
        cap = min(max_pixels or self._limits.max_pixels, self._limits.max_pixels)
        # One pixel of every side is held back, because PDFium rounds sides up.
        largest = math.sqrt(cap / area) * (1 - 1 / math.sqrt(cap)) if cap > 1 else 0.0
        if dpi is None and max_pixels is not None:
            return largest, ()
        wanted = (dpi or DEFAULT_DPI) / 72
        if wanted <= largest:
            return wanted, ()
        return largest, (f"page drawn at {largest * 72:.0f} dpi to stay within {cap:,} pixels",)

    def _name_page(self, index: int) -> str:
        return f"page {index} (counting from 0) of {self.name}"


def _words(page: pypdfium2.PdfPage, text_page: pypdfium2.PdfTextPage, size: tuple[float, float]) -> list[Word]:
    words: list[Word] = []
    letters: list[str] = []
    boxes: list[Box] = []

    def finish() -> None:
        if letters:
            x0, y0, x1, y1 = zip(*boxes, strict=True)
            words.append(Word("".join(letters), (min(x0), min(y0), max(x1), max(y1))))
            letters.clear()
            boxes.clear()

    for i in range(text_page.count_chars()):
        code = pdfium.FPDFText_GetUnicode(text_page, i)
        letter = "-" if code in (0x02, 0xFFFE) else chr(code)  # PDFium's marks for a hyphen at a line's end
        if not letter.strip() or code == 0:
            finish()
            continue
        letters.append(letter)
        boxes.append(_to_device(page, text_page.get_charbox(i), size))
    finish()
    return words


def _to_device(page: pypdfium2.PdfPage, box: Box, size: tuple[float, float]) -> Box:
    """A box of the page's own space (points, y upwards, before rotation) in pixels of a drawing of `size`."""
    left, bottom, right, top = box
    ends: list[tuple[float, float]] = []
    for x, y in ((left, bottom), (right, top)):
        device_x, device_y = pdfium.c_int(), pdfium.c_int()
        width, height = round(size[0] * _SUBPIXEL), round(size[1] * _SUBPIXEL)
        pdfium.FPDF_PageToDevice(page, 0, 0, width, height, 0, x, y, device_x, device_y)
        ends.append((device_x.value / _SUBPIXEL, device_y.value / _SUBPIXEL))
    (xa, ya), (xb, yb) = ends
    return min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)
