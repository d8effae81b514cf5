"""QwenVL HTML as a typed document (report, section 2.2.1).

Reading order: `elements` (the types), `document` (pages and what can be done with them), `parse` with
`html_tree`, `html_inline` and `pictures` (text to elements), `write` (elements to text).
"""

from viewfinder.outputs.document.document import Document, Page, figure_name
from viewfinder.outputs.document.elements import (
    Address,
    Break,
    Cell,
    Chart,
    ChemicalFormula,
    Code,
    Element,
    Formula,
    Heading,
    Image,
    ListBlock,
    ListItem,
    MusicSheet,
    Paragraph,
    Picture,
    Row,
    Table,
)
from viewfinder.outputs.document.html_inline import escape

__all__ = [
    "Address",
    "Break",
    "Cell",
    "Chart",
    "ChemicalFormula",
    "Code",
    "Document",
    "Element",
    "Formula",
    "Heading",
    "Image",
    "ListBlock",
    "ListItem",
    "MusicSheet",
    "Page",
    "Paragraph",
    "Picture",
    "Row",
    "Table",
    "escape",
    "figure_name",
]
