"""The `<div>`s of QwenVL HTML -> `Image`, `Chart`, `Formula`, `MusicSheet`, `ChemicalFormula`.

Each holds an `<img>` that says where the picture is, and then what it shows, in a tag of its own or loose.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from viewfinder.outputs.document.elements import (
    Cell,
    Chart,
    ChemicalFormula,
    Corners,
    Formula,
    Image,
    MusicSheet,
    Picture,
    Row,
    Table,
    Written,
)
from viewfinder.outputs.document.html_inline import inline_content
from viewfinder.outputs.document.html_tree import Node

_SECTIONS: dict[str, Literal["head", "body", "foot"]] = {"thead": "head", "tbody": "body", "tfoot": "foot"}
_MAX_COLUMNS = 1000
_MAX_COVERED = 200_000


def read_table(node: Node, repairs: list[str]) -> Table:
    """The rows of a `<table>`; repairs are appended. Box, class and style are the caller's."""
    reader = _TableReader(repairs)
    reader.read(node.children, "")
    covered = sum(cell.rowspan * cell.colspan for row in reader.rows for cell in row.cells)
    rows = reader.rows
    if covered > _MAX_COVERED:
        repairs.append("dropped the spans of a table that covers too many places")
        rows = [replace(row, cells=tuple(replace(cell, rowspan=1, colspan=1) for cell in row.cells)) for row in rows]
    return Table(None, tuple(rows), reader.caption, tail=reader.lead)


class _TableReader:
    def __init__(self, repairs: list[str]) -> None:
        self.repairs = repairs
        self.rows: list[Row] = []
        self.caption = ""
        self.lead = ""

    def read(self, children: list[Node | str], section: Literal["", "head", "body", "foot"]) -> None:
        """Rows of a table or of one of its sections. Cells and words outside a row get a row of their own."""
        loose: list[Node | str] = []
        for child in children:
            if isinstance(child, str) and not child.strip():
                self.lead += child
            elif isinstance(child, Node) and child.tag in ("tr", "caption", "colgroup", "col", *_SECTIONS):
                self._flush(loose, section)
                self._read_part(child, section)
            else:
                loose.append(child)
        self._flush(loose, section)

    def _read_part(self, node: Node, section: Literal["", "head", "body", "foot"]) -> None:
        if node.tag == "tr":
            self._add_row(node, section)
        elif node.tag in _SECTIONS:
            lead, self.lead = self.lead, ""
            before = len(self.rows)
            self.read(node.children, _SECTIONS[node.tag])
            if len(self.rows) > before:
                self.rows[before] = replace(self.rows[before], section_lead=lead)
                self.rows[-1] = replace(self.rows[-1], section_tail=self.lead)
                self.lead = ""
        elif node.tag == "caption":
            self.caption = inline_content(node.children)

    def _flush(self, loose: list[Node | str], section: Literal["", "head", "body", "foot"]) -> None:
        if loose:
            self.repairs.append("made a table row of what stood outside one")
            self._add_row(Node("tr", children=list(loose)), section)
            loose.clear()

    def _add_row(self, node: Node, section: Literal["", "head", "body", "foot"]) -> None:
        row_lead, self.lead = self.lead, ""
        cells: list[Cell] = []
        lead, width = "", 0
        for child in node.children:
            if isinstance(child, str) and not child.strip():
                lead += child
                continue
            is_cell = isinstance(child, Node) and child.tag in ("td", "th")
            if not is_cell:
                self.repairs.append("made a table cell of what stood outside one")
            cell = _cell(child if isinstance(child, Node) and is_cell else Node("td", children=[child]))
            cell = replace(cell, lead=lead, colspan=max(1, min(cell.colspan, _MAX_COLUMNS - width)))
            lead, width = "", width + cell.colspan
            cells.append(cell)
        self.rows.append(Row(tuple(cells), section, lead=row_lead, tail=lead))


def _cell(node: Node) -> Cell:
    content = inline_content(node.children)
    return Cell(content, _span(node, "rowspan"), _span(node, "colspan"), node.tag == "th")


def _span(node: Node, name: str) -> int:
    written = node.attributes.get(name, "1").strip()
    return max(1, min(int(written), _MAX_COLUMNS)) if written.isdecimal() and len(written) < 9 else 1


ReadBox = Callable[[Node, bool], Corners | None]

_ROLE = re.compile(r"[\w.\- ]{1,60}")
_IMAGE_ROLES: dict[str, Literal["", "caption", "ocr"]] = {"image": "", "image caption": "caption", "image ocr": "ocr"}
_NO_TAGS = frozenset[str]()


def role_of(node: Node) -> str:
    """The class of a node where it is a plain name, else ""."""
    name = node.attributes.get("class", "").strip()
    return name if _ROLE.fullmatch(name) else ""


def read_picture(node: Node, box: ReadBox, repairs: list[str]) -> Picture | None:
    """The picture of a `<div>`; None where its class names none.

    Args:
        box: reads the box of a node; its second argument says whether one is expected.
        repairs: what had to be changed is appended.
    """
    name = re.sub(r"[\s_]+", " ", node.attributes.get("class", "")).strip().lower()
    base, _, variant = name.replace(".", " ", 1).partition(" ")
    image, body, gaps = _split(node)
    around: dict[str, Any] = {"gaps": gaps, **_image_fields(image, box)}
    if name in _IMAGE_ROLES:
        picture = Image(box(node, True), role=_IMAGE_ROLES[name], paragraphs=_paragraphs(body), **around)
    elif name == "chart":
        picture = _chart(node, body, around, box, repairs)
    elif name == "music sheet":
        picture = _written(MusicSheet(box(node, True), **around), node, body)
    elif name == "chemical formula":
        picture = _written(ChemicalFormula(box(node, True), **around), node, body)
    elif base == "formula":
        picture = _written(Formula(box(node, True), variant=variant.replace(" ", "_"), **around), node, body)
    else:
        return None
    return picture


def _split(node: Node) -> tuple[Node | None, list[Node | str], tuple[str, str, str]]:
    """The image, what else there is, and the white space before, between and after."""
    image = next((child for child in node.nodes if child.tag == "img"), None)
    body: list[Node | str] = []
    gaps, place = ["", "", ""], 0
    for child in node.children:
        if isinstance(child, str) and not child.strip():
            gaps[place] = child
        elif child is image:
            place = 1
        else:
            body.append(child)
            place = 2
    return image, body, (gaps[0], gaps[1], gaps[2])


def _image_fields(image: Node | None, box: ReadBox) -> dict[str, Any]:
    if image is None:
        return {"has_image": False}
    end = re.search(r"\s?/?>\Z", image.source)
    return {"has_image": True, "image_box": box(image, False), "image_end": end.group() if end else "/>"}


def _paragraphs(body: list[Node | str]) -> tuple[str, ...]:
    paragraphs = [child for child in body if isinstance(child, Node) and child.tag == "p"]
    loose = inline_content([child for child in body if isinstance(child, str) or child.tag != "p"]).strip()
    return (*(inline_content(paragraph.children) for paragraph in paragraphs), *([loose] if loose else []))


def _chart(node: Node, body: list[Node | str], around: dict[str, Any], box: ReadBox, repairs: list[str]) -> Chart:
    found = next((child for child in body if isinstance(child, Node) and child.tag == "table"), None)
    own = box(node, True)
    if found is None:
        return Chart(own, paragraphs=_paragraphs(body), **around)
    table = replace(read_table(found, repairs), box=box(found, False), name=role_of(found), lead="")
    return Chart(own, table=table, paragraphs=_paragraphs([child for child in body if child is not found]), **around)


def _written(kind: Written, node: Node, body: list[Node | str]) -> Written:
    """Everything in the body is the content: of its `<div>`, or loose."""
    holder = next((child for child in body if isinstance(child, Node) and child.tag in ("div", "p")), None)
    parts: list[Node | str] = []
    for child in body:
        parts += child.children if isinstance(child, Node) and child is holder else [child]
    content = inline_content(parts, _NO_TAGS)
    notation = node.attributes.get("format", kind.notation)
    return replace(
        kind,
        content=content,
        notation=notation if _ROLE.fullmatch(notation) else kind.notation,
        has_body=holder is not None or bool(content.strip()),
    )
