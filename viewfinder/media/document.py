"""PDF pages as pictures, and the words of their text layer with boxes in the same pixels.

A broken page raises for that page alone. The text layer (see `text_layer`) serves to check what a model reads
from a digital PDF; scans have none. PDFium is not safe to enter from two threads, hence the one lock.
"""

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

import pypdfium2
import pypdfium2.raw as pdfium

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.image import Picture
from viewfinder.media.source import DEFAULT_LIMITS, Limits, describe_source, read_source
from viewfinder.media.text_layer import Word, visible_words
from viewfinder.media.transform import Transform

DEFAULT_DPI = 150.0
_LOCK = threading.RLock()


def open_document(
    source: Any, limits: Limits = DEFAULT_LIMITS, *, password: str | None = None, name: str | None = None
) -> "Document":
    """Open a PDF given as a path, bytes, URL or `data:` URI; `name` is what errors call it.

    Raises:
        LimitError: more bytes than `limits` allow.
        MediaError: not a PDF, damaged as a whole, or locked by another password.
    """
    name = name or describe_source(source)
    data = read_source(source, limits)
    if b"%PDF-" not in data[:1024]:
        raise MediaError(
            f"{name} is no PDF (it begins with {data[:8]!r}); give pictures as images, other documents as PDF"
        )
    with _LOCK:
        pdf = _opened(data, password, name)
        if not len(pdf):
            pdf.close()
            raise MediaError(f"{name} has no readable page; save it again")
    return Document(pdf, name, limits, lambda: _opened(data, password, name))


def _opened(data: bytes, password: str | None, name: str) -> pypdfium2.PdfDocument:
    pdfium.FPDF_LoadMemDocument64(b"", 0, None)  # some failures leave the last error as it was: now "no PDF"
    try:
        pdf = pypdfium2.PdfDocument(data, password=password)
    except pypdfium2.PdfiumError as error:
        if "assword" not in str(error):
            raise MediaError(f"{name} is damaged or has no pages, and cannot be opened; save it again") from error
        wrong = "by a password; give it" if password is None else "by another password than the one given"
        raise MediaError(f"{name} is locked {wrong}, or save it again without one") from error
    pdf.init_forms()
    return pdf


def _no_page(name: str, count: int, index: int) -> str:
    return f"{name} has pages 1 to {count}, and page {index + 1} was asked for; name others (from 0 in Python)"


def chosen_pages(count: int, wanted: Sequence[int] | None, name: str, limits: Limits) -> list[int]:
    """Pages from 0 of a document of `count`: those wanted, or all.

    Raises:
        LimitError: more than `limits` allow at once.
        MediaError: a page that the document does not have.
    """
    numbers = list(range(count) if wanted is None else wanted)
    for number in numbers:
        if not 0 <= number < count:
            raise MediaError(_no_page(name, count, number))
    if len(numbers) > limits.max_pages:
        raise LimitError(
            f"{len(numbers):,} pages of {name} are asked for, over the {limits.max_pages:,} allowed at once; name "
            "fewer (pages) or raise Limits.max_pages"
        )
    return numbers


class Document:
    """An open PDF. `len()` is its number of pages, which count from 0; use it as a context manager or `close` it."""

    def __init__(
        self, pdf: pypdfium2.PdfDocument, name: str, limits: Limits, again: Callable[[], pypdfium2.PdfDocument]
    ) -> None:
        """`again` opens the same file once more, for words: what is in forms must be made part of the pages."""
        self._pdf = pdf
        self._limits = limits
        self._again = again
        self._flat: pypdfium2.PdfDocument | None = None
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
            if self._flat is not None:
                self._flat.close()

    def page_size(self, index: int) -> tuple[float, float]:
        """(width, height) in points of 1/72 inch, as shown (after the page's own rotation)."""
        with _LOCK:
            page = self._page(index)
            try:
                return self._size_of(page, index)
            finally:
                page.close()

    def pixel_size(self, index: int, *, dpi: float | None = None, max_pixels: int | None = None) -> tuple[int, int]:
        """(width, height) in pixels of what `page` draws, without drawing; at most one more per side."""
        width, height = self.page_size(index)
        scale, _ = self._scale(width * height, dpi, max_pixels)
        return math.ceil(width * scale), math.ceil(height * scale)

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
                paper = (255, 255, 255, 255)
                bitmap = page.render(scale=scale, rev_byteorder=True, fill_color=paper)  # pyright: ignore[reportArgumentType] - takes floats
                image = bitmap.to_pil().convert("RGB")  # a copy: the bitmap's memory goes with the page
            except (pypdfium2.PdfiumError, ValueError, MemoryError) as error:
                if isinstance(error, MediaError):
                    raise
                raise MediaError(f"{self._name_page(index)} cannot be drawn ({error}); leave this page out") from error
            finally:
                page.close()
        return Picture(image, Transform.identity(image.size), notes)

    def words(self, index: int, picture: Picture | None = None) -> tuple[Word, ...]:
        """The words that are seen on a page, in the order of its text layer; none for a scan.

        Boxes are in pixels of the rendered page that `picture` came from (its upright original), or in
        points when no picture is given. Values of form fields are among them.
        """
        with _LOCK:
            page, flat = self._flat_page(index)
            try:
                size = self._size_of(page, index) if picture is None else picture.transform.original_size
                same = picture is not None and picture.size == size and not flat
                return visible_words(page, size, picture.pixels if picture is not None and same else None)
            except pypdfium2.PdfiumError as error:
                raise MediaError(
                    f"the text of {self._name_page(index)} cannot be read; render the page instead"
                ) from error
            finally:
                page.close()

    def _flat_page(self, index: int) -> tuple[pypdfium2.PdfPage, bool]:
        """A page, and whether annotations and form fields were made part of it, in a second copy of the document."""
        page = self._page(index)
        if not _has_more_than_links(page):
            return page, False
        page.close()
        self._flat = self._flat or self._again()
        page = self._flat[index]
        pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        page.close()  # what was flattened shows when the page is loaded again
        return self._flat[index], True

    def _page(self, index: int) -> pypdfium2.PdfPage:
        if not 0 <= index < len(self._pdf):
            raise MediaError(_no_page(self.name, len(self._pdf), index))
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
        return f"page {index + 1} of {self.name}"


def _has_more_than_links(page: pypdfium2.PdfPage) -> bool:
    """Whether the page has annotations that may show text: fields, stamps, notes."""
    kinds: set[int] = set()
    for i in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, i)
        kinds.add(pdfium.FPDFAnnot_GetSubtype(annotation))
        pdfium.FPDFPage_CloseAnnot(annotation)
    return bool(kinds - {pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP})
