"""A picture or a PDF as pages, drawn one at a time when asked for, so that memory does not grow with their number.

Page coordinates are pixels of the picture, or of the PDF page drawn at 150 dpi (one point is 150/72 of them);
a page that would have more than the model ever sees (12.8 million) is drawn that large, and says so.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, overload

from PIL import Image as PillowImage

from viewfinder.errors import MediaError, ViewfinderError
from viewfinder.media.document import DEFAULT_DPI, Word, chosen_pages, open_document
from viewfinder.media.document import Document as PdfDocument
from viewfinder.media.image import IMAGE_SUFFIXES, Picture, count_pages, load_image
from viewfinder.media.resize import MAX_PIXELS
from viewfinder.media.source import DEFAULT_LIMITS, Limits, describe_source, read_source

DOCUMENT_SUFFIXES = IMAGE_SUFFIXES | {".pdf"}


class Pages(Protocol):
    """An open document. `digest` names its content."""

    name: str
    digest: str

    def __len__(self) -> int: ...

    def picture(self, index: int) -> Picture:
        """One page.

        Raises:
            MediaError: this page is broken; others may still be read.
        """
        ...

    def words(self, index: int, picture: Picture) -> tuple[Word, ...]:
        """The words of the text layer in pixels of the page; none for scans and pictures."""
        ...


class _PdfPages:
    def __init__(self, pdf: PdfDocument, digest: str) -> None:
        self._pdf = pdf
        self.name = pdf.name
        self.digest = digest

    def __len__(self) -> int:
        return len(self._pdf)

    def picture(self, index: int) -> Picture:
        return self._pdf.page(index, dpi=DEFAULT_DPI, max_pixels=MAX_PIXELS)

    def words(self, index: int, picture: Picture) -> tuple[Word, ...]:
        try:
            return self._pdf.words(index, picture)
        except MediaError:  # a page without a readable text layer is read as a scan
            return ()


class _Pictures:
    """One picture, or the pages of a TIFF file, of which the first is kept."""

    def __init__(self, source: Any, limits: Limits, name: str, digest: str, count: int = 1) -> None:
        self._source, self._limits, self._count = source, limits, count
        self._first = load_image(source, limits, 0 if count > 1 else None)
        self.name = name
        self.digest = digest

    def __len__(self) -> int:
        return self._count

    def picture(self, index: int) -> Picture:
        assert 0 <= index < self._count, f"page {index} of {self._count}"
        return load_image(self._source, self._limits, index) if index else self._first

    def words(self, index: int, picture: Picture) -> tuple[Word, ...]:
        return ()


@contextmanager
def open_pages(source: Any, limits: Limits = DEFAULT_LIMITS, password: str | None = None) -> Iterator[Pages]:
    """Open a picture (anything `load_image` takes) or a PDF (path, bytes, URL, `data:` URI); open `Pages` stay so.

    A TIFF file has its own pages. `password` opens a PDF that is locked.

    Raises:
        MediaError: neither of the two, or damaged as a whole.
    """
    if hasattr(source, "picture") and hasattr(source, "words"):
        yield source
        return
    name = describe_source(source)
    if isinstance(source, Picture | PillowImage.Image):
        picture = load_image(source, limits)
        yield _Pictures(picture, limits, name, hashlib.sha256(picture.image.tobytes()).hexdigest())
        return
    data = read_source(source, limits)
    digest = hashlib.sha256(data).hexdigest()
    if b"%PDF-" not in data[:1024]:
        if name.lower().endswith(".pdf"):
            raise MediaError(f"{name} is no PDF (it begins with {data[:8]!r}); rename it, or save it again")
        on_disk = isinstance(source, Path) or (isinstance(source, str) and "://" not in source)
        yield _Pictures(source if on_disk else data, limits, name, digest, count_pages(data))  # errors name the file
        return
    with open_document(data, limits, password=password, name=name) as pdf:
        yield _PdfPages(pdf, digest)


class PageImages(Sequence[PillowImage.Image | None]):
    """The drawn pages of an open document, each made when asked for and not kept; None for one that is broken."""

    def __init__(self, pages: Pages, numbers: Sequence[int] | None = None) -> None:
        """`numbers` are the pages that are meant, all when None."""
        self._pages = pages
        self._numbers = range(len(pages)) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> PillowImage.Image | None: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PillowImage.Image | None]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return PageImages(self._pages, list(self._numbers)[index])
        try:
            return self._pages.picture(self._numbers[index]).image
        except ViewfinderError:
            return None


def find_documents(sources: Sequence[str]) -> list[str]:
    """Files and URLs named, and all pictures and PDFs below folders named, in order of name.

    Raises:
        MediaError: a folder without any, or a path where nothing is.
    """
    files: list[str] = []
    for source in sources:
        folder = Path(source)
        if folder.is_dir():
            inside = sorted(str(path) for path in folder.rglob("*") if is_document(path))
            if not inside:
                raise MediaError(f"{source} holds no PDFs and no pictures; name another folder")
            files += inside
        elif "://" not in source and not folder.is_file():
            raise MediaError(f"there is no file or folder {source}; check the path")
        else:
            files.append(source)
    return list(dict.fromkeys(files))


def is_document(path: Path) -> bool:
    """A picture or PDF by its name; hidden files, which editors and systems leave behind, are none."""
    return path.suffix.lower() in DOCUMENT_SUFFIXES and not path.name.startswith(".") and path.is_file()


def page_numbers(pages: Pages, wanted: Sequence[int] | None, limits: Limits) -> list[int]:
    """Pages from 0, each once: those wanted, or all; errors as in `media.document.chosen_pages`."""
    return list(dict.fromkeys(chosen_pages(len(pages), wanted, pages.name, limits)))
