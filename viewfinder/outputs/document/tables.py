"""Tables of QwenVL HTML -> `Table`: sections, rows, cells with spans, whatever is left open or out of place."""

from dataclasses import replace
from typing import Literal

from viewfinder.outputs.document.elements import Cell, Row, Table
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
