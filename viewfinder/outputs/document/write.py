"""Typed elements -> QwenVL HTML, boxes in whole pixels of what the model saw.

The canonical text, which grammars allow and training data uses, has one element per line and no white
space inside; an element that was read keeps the white space it was read with.
"""

from collections.abc import Iterable
from itertools import groupby

from viewfinder.media.transform import Transform
from viewfinder.outputs.document.elements import (
    Address,
    Break,
    Chart,
    ChemicalFormula,
    Code,
    Corners,
    Element,
    Formula,
    Heading,
    Image,
    ListBlock,
    MusicSheet,
    Paragraph,
    Picture,
    Row,
    Table,
    Written,
)

_SECTION_TAGS = {"head": "thead", "body": "tbody", "foot": "tfoot"}


def write_elements(elements: Iterable[Element], transform: Transform | None) -> str:
    """All elements, each behind its white space; without `transform` boxes are written as they are."""
    writer = _Writer(transform)
    return "".join(element.lead + writer.write(element) for element in elements)


class _Writer:
    def __init__(self, transform: Transform | None) -> None:
        self.transform = transform

    def box(self, box: Corners | None) -> str:
        """The attribute, with a space before it; nothing where there is no box."""
        if box is None:
            return ""
        if self.transform is not None:
            box = self.transform.clamp_box_model(self.transform.box_to_model(box))
        return f' data-bbox="{" ".join(str(round(corner)) for corner in box)}"'

    def write(self, element: Element) -> str:
        match element:
            case Break():
                return "<p></p>"
            case Code():
                return f"<pre{_class(element.role)}{self.box(element.box)}>{element.content}</pre>"
            case Paragraph():
                return f"<p{_class(element.role)}{self.box(element.box)}>{element.content}</p>"
            case Heading():
                return f"<h{element.level}{self.box(element.box)}>{element.content}</h{element.level}>"
            case Address():
                inside = "".join(part.lead + self.write(part) for part in element.paragraphs)
                return f"<address{_class(element.role)}{self.box(element.box)}>{inside}{element.tail}</address>"
            case ListBlock():
                return self.list(element)
            case Table():
                return self.table(element)
            case Picture():
                return self.picture(element)
            case _:
                raise AssertionError(f"no form for {type(element).__name__}")

    def list(self, block: ListBlock) -> str:
        items: list[str] = []
        for item in block.items:
            below = self.list(item.below) if item.below else ""
            number = "" if item.number is None else f' value="{item.number}"'
            items.append(f"{item.lead}<li{number}{self.box(item.box)}>{item.content}{below}{item.tail}</li>")
        tag = "ol" if block.ordered else "ul"
        start = f' start="{block.start}"' if block.ordered and block.start != 1 else ""
        return f"<{tag}{start}{self.box(block.box)}>{''.join(items)}{block.tail}</{tag}>"

    def table(self, table: Table) -> str:
        style = f"<style>{table.style}</style>" if table.style else ""
        caption = f"<caption>{table.caption}</caption>" if table.caption else ""
        sections: list[str] = []
        for section, group in groupby(table.rows, key=lambda row: row.section):
            rows = list(group)
            inside = "".join(map(_row, rows))
            if section:
                tag = _SECTION_TAGS[section]
                inside = f"{rows[0].section_lead}<{tag}>{inside}{rows[-1].section_tail}</{tag}>"
            sections.append(inside)
        attributes = self.box(table.box) + _class(table.name)
        return f"{style}<table{attributes}>{caption}{''.join(sections)}{table.tail}</table>"

    def picture(self, element: Picture) -> str:
        before, between, after = element.gaps
        image = f"<img{self.box(element.image_box)}{element.image_end}" if element.has_image else ""
        inside = f"{before}{image}{between}{self.body(element)}{after}"
        return f"<div{_class(class_of(element))}{_format(element)}{self.box(element.box)}>{inside}</div>"

    def body(self, element: Picture) -> str:
        if isinstance(element, Written):
            return f"<div>{element.content}</div>" if element.has_body or element.content else ""
        assert isinstance(element, Image | Chart)
        table = self.table(element.table) if isinstance(element, Chart) and element.table else ""
        return table + "".join(f"<p>{content}</p>" for content in element.paragraphs)


def class_of(element: Picture) -> str:
    """The class that names the kind of a picture in the format."""
    match element:
        case Image():
            return f"image {element.role}".strip()
        case Formula():
            return f"formula.{element.variant}".removesuffix(".")
        case _:
            return element.kind


def _format(element: Picture) -> str:
    return f' format="{element.notation}"' if isinstance(element, MusicSheet | ChemicalFormula) else ""


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _row(row: Row) -> str:
    cells: list[str] = []
    for cell in row.cells:
        tag = "th" if cell.header else "td"
        spans = f' rowspan="{cell.rowspan}"' if cell.rowspan > 1 else ""
        spans += f' colspan="{cell.colspan}"' if cell.colspan > 1 else ""
        cells.append(f"{cell.lead}<{tag}{spans}>{cell.content}</{tag}>")
    return f"{row.lead}<tr>{''.join(cells)}{row.tail}</tr>"
