"""The parts of a page, typed: one small class for each element kind of the QwenVL HTML format.

Boxes are (x1, y1, x2, y2) in pixels of the original page, None where the model gave none. `content` is safe inline HTML
(`html_inline`), as written; `text` is the same without markup. Elements stand in reading order. The fields that are not
compared remember white space, so that a text is written back as it was.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from viewfinder.outputs.document.data_frame import make_frame
from viewfinder.outputs.document.html_inline import plain_text, verbatim_text, without_delimiters
from viewfinder.outputs.place import Corners


@dataclass(frozen=True)
class Element:
    """What every element has: its `kind` as in the format, its box, and `lead`, the white space before it."""

    kind: ClassVar[str] = ""
    box: Corners | None
    lead: str = field(default="\n", repr=False, compare=False, kw_only=True)

    @property
    def text(self) -> str:
        """The words of the element in reading order, without markup."""
        return ""


@dataclass(frozen=True)
class Paragraph(Element):
    """Running text. `role` is the class of its tag, as in `<p class="footnote">`; inline math stands between `$`."""

    kind: ClassVar[str] = "paragraph"
    content: str = ""
    role: str = ""

    @property
    def text(self) -> str:
        return plain_text(self.content)


@dataclass(frozen=True)
class Code(Paragraph):
    """Text whose white space counts (`<pre>`)."""

    kind: ClassVar[str] = "code"

    @property
    def text(self) -> str:
        return verbatim_text(self.content)


@dataclass(frozen=True)
class Break(Element):
    """An empty paragraph: the break between columns or sections in real outputs."""

    kind: ClassVar[str] = "break"


@dataclass(frozen=True)
class Heading(Element):
    """A title of `level` 1 to 6."""

    kind: ClassVar[str] = "heading"
    content: str = ""
    level: int = 1

    @property
    def text(self) -> str:
        return plain_text(self.content)


@dataclass(frozen=True)
class Address(Element):
    """Authors and their affiliations (`<address class="author">`), each a paragraph."""

    kind: ClassVar[str] = "author"
    paragraphs: tuple[Paragraph, ...] = ()
    role: str = "author"
    tail: str = field(default="", repr=False, compare=False, kw_only=True)

    @property
    def text(self) -> str:
        return "\n".join(paragraph.text for paragraph in self.paragraphs)


@dataclass(frozen=True)
class ListItem:
    """One item, with a list below it or none. `number` is its own, where it has one (`<li value="7">`)."""

    content: str
    box: Corners | None = None
    below: "ListBlock | None" = None
    number: int | None = None
    lead: str = field(default="", repr=False, compare=False, kw_only=True)
    tail: str = field(default="", repr=False, compare=False, kw_only=True)

    @property
    def text(self) -> str:
        own = plain_text(self.content)
        return own if self.below is None else f"{own}\n{self.below.text}"


@dataclass(frozen=True)
class ListBlock(Element):
    """A list, numbered from `start` when `ordered`."""

    kind: ClassVar[str] = "list"
    items: tuple[ListItem, ...] = ()
    ordered: bool = False
    start: int = 1
    tail: str = field(default="", repr=False, compare=False, kw_only=True)

    @property
    def text(self) -> str:
        return "\n".join(item.text for item in self.items)

    def numbers(self) -> list[int]:
        """The number of each item: its own, or one more than that before."""
        last = self.start - 1
        return [last := last + 1 if item.number is None else item.number for item in self.items]


@dataclass(frozen=True)
class Cell:
    """A cell of a table, over `rowspan` rows and `colspan` columns."""

    content: str
    rowspan: int = 1
    colspan: int = 1
    header: bool = False
    lead: str = field(default="", repr=False, compare=False, kw_only=True)

    @property
    def text(self) -> str:
        return plain_text(self.content)


@dataclass(frozen=True)
class Row:
    """A row; `section` is "head", "body" or "foot" where the table says so, else ""."""

    cells: tuple[Cell, ...]
    section: Literal["", "head", "body", "foot"] = ""
    lead: str = field(default="", repr=False, compare=False, kw_only=True)
    tail: str = field(default="", repr=False, compare=False, kw_only=True)
    section_lead: str = field(default="", repr=False, compare=False, kw_only=True)
    section_tail: str = field(default="", repr=False, compare=False, kw_only=True)


@dataclass(frozen=True)
class Table(Element):
    """A table. `name` is its class (`table1`), `style` the CSS that came with it, `caption` its content."""

    kind: ClassVar[str] = "table"
    rows: tuple[Row, ...] = ()
    caption: str = ""
    name: str = ""
    style: str = ""
    tail: str = field(default="", repr=False, compare=False, kw_only=True)

    @property
    def text(self) -> str:
        rows = ["\t".join(cell.text.replace("\n", " ") for cell in row.cells) for row in self.rows]
        return "\n".join([plain_text(self.caption), *rows] if self.caption else rows)

    @property
    def num_columns(self) -> int:
        return max((len(row) for row in self.grid()), default=0)

    def grid(self) -> list[list[str]]:
        """Texts by row and column; a cell over several places appears in each of them."""
        return [[cell.text if cell else "" for cell in row] for row in self.cell_grid()]

    def cell_grid(self) -> list[list[Cell | None]]:
        """Cells by row and column; None where nothing covers a place.

        A first cell over two rows beside "b" and "c" gives [[a, b], [a, c]].
        """
        grid: dict[tuple[int, int], Cell] = {}
        width = 0
        for r, row in enumerate(self.rows):
            c = 0
            for cell in row.cells:
                while (r, c) in grid:
                    c += 1
                for down in range(min(cell.rowspan, len(self.rows) - r)):
                    for right in range(cell.colspan):
                        grid.setdefault((r + down, c + right), cell)
                c += cell.colspan
                width = max(width, c)
        return [[grid.get((r, c)) for c in range(width)] for r in range(len(self.rows))]

    @property
    def num_header_rows(self) -> int:
        """Rows at the top that are marked as heads (`<thead>`, or `<th>` throughout)."""
        count = 0
        for row in self.rows:
            if row.section != "head" and not (row.cells and all(cell.header for cell in row.cells)):
                break
            count += 1
        return count

    def to_pandas(self) -> Any:
        """A pandas DataFrame (needs pandas): marked heads become columns, numeric columns numbers."""
        return make_frame(self.grid(), self.num_header_rows)


@dataclass(frozen=True)
class Picture(Element):
    """What is drawn rather than written. `image_box` is that of its `<img>`; the rest is white space."""

    image_box: Corners | None = None
    has_image: bool = True
    gaps: tuple[str, str, str] = field(default=("", "", ""), repr=False, compare=False, kw_only=True)
    image_end: str = field(default="/>", repr=False, compare=False, kw_only=True)


@dataclass(frozen=True)
class Image(Picture):
    """A figure: bare, with a caption of the model's own, or with the text that is in it, by `role`."""

    kind: ClassVar[str] = "image"
    role: Literal["", "caption", "ocr"] = ""
    paragraphs: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "\n".join(map(plain_text, self.paragraphs))


@dataclass(frozen=True)
class Chart(Picture):
    """A chart and the table of its values; `paragraphs` is what else was said of it."""

    kind: ClassVar[str] = "chart"
    table: Table | None = None
    paragraphs: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "\n".join([*([self.table.text] if self.table else []), *map(plain_text, self.paragraphs)])

    def to_pandas(self) -> Any:
        """The values as a pandas DataFrame (needs pandas); without a table an empty one."""
        return (self.table or Table(None)).to_pandas()


@dataclass(frozen=True)
class Written(Picture):
    """A picture that has a notation: its `content` in that notation, escaped."""

    content: str = ""
    notation: str = ""
    has_body: bool = field(default=True, repr=False, compare=False, kw_only=True)

    @property
    def text(self) -> str:
        return plain_text(self.content)


@dataclass(frozen=True)
class Formula(Written):
    """A formula in LaTeX. `variant` is "handwritten" or "machine_printed" where the model says so."""

    kind: ClassVar[str] = "formula"
    variant: str = ""

    @property
    def latex(self) -> str:
        """LaTeX without the delimiters around it: dollars, `\\[ \\]` or `\\( \\)`."""
        return without_delimiters(self.text)


@dataclass(frozen=True)
class MusicSheet(Written):
    """Music in ABC notation."""

    kind: ClassVar[str] = "music sheet"
    notation: str = "abc notation"


@dataclass(frozen=True)
class ChemicalFormula(Written):
    """A molecule in SMILES (which the format spells `smile`)."""

    kind: ClassVar[str] = "chemical formula"
    notation: str = "smile"


def walk_tables(elements: "tuple[Element, ...]") -> Iterator[Table]:
    """Tables and the tables of charts, in reading order."""
    for element in elements:
        if isinstance(element, Table):
            yield element
        elif isinstance(element, Chart) and element.table is not None:
            yield element.table
