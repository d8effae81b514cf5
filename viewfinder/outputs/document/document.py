"""`Document`: pages of typed elements, read from and written as QwenVL HTML.

    document = Document.from_html(reply.text, transform)
    document.tables[0].to_pandas(), document.to_markdown(), document.to_html() == reply.text

Boxes are in pixels of each original page. What the model wrote is untrusted: only safe content survives
reading (`html_inline`), and what was repaired is said per page.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from PIL import Image

from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import Box
from viewfinder.outputs.document.clean import PageImages, clean_html, crop_figures, viewer_html
from viewfinder.outputs.document.convert import page_to_dict
from viewfinder.outputs.document.elements import Chart, Element, Heading, Picture, Table
from viewfinder.outputs.document.markdown import element_to_markdown
from viewfinder.outputs.document.parse import parse_page
from viewfinder.outputs.document.problems import problems
from viewfinder.outputs.document.truth import Check
from viewfinder.outputs.document.write import write_elements
from viewfinder.outputs.written import DocumentJson

_PAGE = re.compile(r"(?=<html\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        elements: in reading order.
        transform: from the original page to what the model saw; None when it is not known, and boxes are then
            in the pixels they were written in.
        number: of the page in its document, from 0.
        repairs: what reading had to change, as phrases.
        confidence: probability of the page's words, 0..1, when it is known.
        checks: what the text layer of a digital PDF, and the ink of the page, say of the elements.
        error: why the page could not be read; "" when it could.
    """

    elements: tuple[Element, ...]
    transform: Transform | None = None
    number: int = 0
    repairs: tuple[str, ...] = ()
    confidence: float | None = None
    checks: tuple[Check, ...] = ()
    error: str = ""
    opening: str = field(default="<html><body>", repr=False, compare=False)
    tail: str = field(default="\n", repr=False, compare=False)
    closing: str = field(default="</body></html>", repr=False, compare=False)

    @classmethod
    def from_html(
        cls, text: str, transform: Transform | None = None, number: int = 0, confidence: float | None = None
    ) -> Self:
        """Read one page; never raises."""
        read = parse_page(text, transform)
        return cls(
            elements=read.elements,
            transform=transform,
            number=number,
            repairs=read.repairs,
            confidence=confidence,
            opening=read.opening,
            tail=read.tail,
            closing=read.closing,
        )

    def to_html(self) -> str:
        """QwenVL HTML. Text that was well formed when read is given back to the letter."""
        return self.opening + write_elements(self.elements, self.transform) + self.tail + self.closing

    @property
    def size(self) -> tuple[float, float]:
        """(width, height) of the original page; of what the boxes span when that is not known."""
        if self.transform is not None:
            return self.transform.original_size
        corners = [element.box for element in self.elements if element.box]
        return max((box[2] for box in corners), default=1.0), max((box[3] for box in corners), default=1.0)

    @property
    def text(self) -> str:
        return "\n\n".join(text for element in self.elements if (text := element.text))

    @property
    def disagreements(self) -> tuple[Check, ...]:
        """Checks that speak against the reading: other words in the text layer, or nothing drawn there."""
        return tuple(check for check in self.checks if check.disagrees and not check.corrected)

    def boxes(self) -> list[Box]:
        """Each element that has a box, labelled with its kind: to draw or to score."""
        return [
            Box(*element.box, label=element.kind, text=element.text, transform=self.transform)
            for element in self.elements
            if element.box is not None
        ]


@dataclass(frozen=True, repr=False)
class Document:
    """Pages in order."""

    pages: tuple[Page, ...]

    @classmethod
    def from_html(cls, text: str, transform: Transform | Sequence[Transform] | None = None) -> Self:
        """Read QwenVL HTML; never raises. Each `<html>` begins a page.

        Args:
            transform: of the page, or one for each page in order.
        """
        starts = _PAGE.split(text)
        texts = [*([starts[0] + starts[1]] if len(starts) > 1 else starts), *starts[2:]]
        many = [transform] * len(texts) if transform is None or isinstance(transform, Transform) else list(transform)
        many += [many[-1] if many else None] * (len(texts) - len(many))
        return cls(tuple(Page.from_html(page, many[i], i) for i, page in enumerate(texts)))

    def to_html(self, fenced: bool = False) -> str:
        """QwenVL HTML, page after page; `fenced` as checkpoints answer, between ```` ```html ```` marks."""
        text = "\n".join(page.to_html() for page in self.pages)
        return f"```html\n{text}\n```" if fenced else text

    def __iter__(self) -> Iterator[Element]:
        """All elements in reading order."""
        return (element for page in self.pages for element in page.elements)

    @property
    def tables(self) -> list[Table]:
        return [element for element in self if isinstance(element, Table)]

    @property
    def charts(self) -> list[Chart]:
        return [element for element in self if isinstance(element, Chart)]

    @property
    def pictures(self) -> list[Picture]:
        """Images, charts, formulas, music and molecules: all that the page shows as a picture."""
        return [element for element in self if isinstance(element, Picture)]

    @property
    def headings(self) -> list[Heading]:
        return [element for element in self if isinstance(element, Heading)]

    @property
    def text(self) -> str:
        """All words in reading order, a blank line between elements."""
        return "\n\n".join(page.text for page in self.pages if page.text)

    @property
    def repairs(self) -> list[str]:
        """What reading had to change, with the number of its page (from 1)."""
        return [f"page {page.number + 1}: {repair}" for page in self.pages for repair in page.repairs]

    @property
    def failed(self) -> dict[int, str]:
        """Pages that could not be read, by number, and why."""
        return {page.number: page.error for page in self.pages if page.error}

    def validate(self) -> list[str]:
        """What is still wrong with the document: missing, empty and foreign boxes, ragged tables, open formulas."""
        return [f"page {page.number + 1}: {problem}" for page in self.pages for problem in problems(page.elements)]

    def to_markdown(self) -> str:
        """Markdown; figures are named as `figure_name` says."""
        blocks: list[str] = []
        for page in self.pages:
            for i, element in enumerate(page.elements):
                name = figure_name(page.number, i)
                blocks.append(element_to_markdown(element, lambda _, name=name: name))
        return "\n\n".join(block for block in blocks if block) + "\n"

    def to_clean_html(self, pages: PageImages = ()) -> str:
        """A web page of words, tables and figures; `pages` are the page images, in any size, None for unknown."""
        return clean_html(self, pages)

    def to_viewer(self, pages: PageImages = ()) -> str:
        """A self-contained viewer of page images beside the parsed text."""
        return viewer_html(self, pages)

    def figures(self, pages: PageImages) -> dict[str, Image.Image]:
        """Pictures cropped from the page images, by the names that `to_markdown` uses."""
        return dict(self.each_figure(pages))

    def each_figure(self, pages: PageImages) -> Iterator[tuple[str, Image.Image]]:
        """As `figures`, one at a time; only pages that show pictures are asked for."""
        for page, i in zip(self.pages, range(len(pages)), strict=False):
            shows = any(isinstance(element, Picture) for element in page.elements)
            image = pages[i] if shows else None
            if image is not None:
                for place, crop in crop_figures(page, image).items():
                    yield figure_name(page.number, place), crop

    def __repr__(self) -> str:
        elements = sum(len(page.elements) for page in self.pages)
        failed = f", {len(self.failed)} pages failed" if self.failed else ""
        return f"Document({len(self.pages)} pages, {elements} elements{failed})"

    def to_pandas(self) -> Any:
        """A DataFrame with a row for each element, with its page (from 1); pandas must be installed."""
        import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

        rows = [{"page": page["page"], **element} for page in self.to_dict()["pages"] for element in page["elements"]]
        return pd.DataFrame(rows)

    def to_dict(self) -> DocumentJson:
        """JSON-ready; `from_dict` gives an equal document back."""
        return {"pages": [page_to_dict(page) for page in self.pages]}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; pages written before they counted from 1 have `number` from 0."""
        pages: list[Page] = []
        for page in raw["pages"]:
            transform = Transform.from_dict(page["transform"]) if page.get("transform") else None
            number = page["page"] - 1 if "page" in page else page["number"]
            read = Page.from_html(page["html"], transform, number, page.get("confidence"))
            checks = tuple(Check.from_dict(check) for check in page.get("checks", ()))
            repairs = tuple(page.get("repairs", ()))
            pages.append(replace(read, repairs=repairs, checks=checks, error=page.get("error", "")))
        return cls(tuple(pages))


def figure_name(page: int, element: int) -> str:
    """The file name of a picture: `page-1-figure-3.png` for element 3 (from 0) of the first page."""
    return f"page-{page + 1}-figure-{element}.png"
