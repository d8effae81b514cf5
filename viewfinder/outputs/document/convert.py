"""Documents as plain data: JSON-ready dictionaries and pandas tables."""

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from viewfinder.outputs.document.elements import (
    Chart,
    Element,
    Formula,
    Heading,
    ListBlock,
    ListItem,
    Paragraph,
    Table,
    Written,
)
from viewfinder.outputs.written import ElementJson, PageJson

if TYPE_CHECKING:
    from viewfinder.outputs.document.document import Page

_NUMBER = re.compile(
    r"[-−+(]?\s*[$€£¥]?\s*(?:(?:0|[1-9]\d{0,14})|[1-9]\d{0,2}(?:,\d{3}){1,4}|[1-9]\d{0,2}(?:\s\d{3}){1,4})(?:\.\d{1,15})?\s*\)?\s*%?"
)
"""An amount; not `007` or `01234`, which are names, nor digits beyond what a float holds."""


def page_to_dict(page: "Page") -> PageJson:
    """A page with its HTML, from which it can be read again, and its elements for others. `page` counts from 1."""
    result: PageJson = {
        "page": page.number + 1,
        "size": list(page.size),
        "confidence": page.confidence,
        "transform": None if page.transform is None else page.transform.to_dict(),
        "repairs": list(page.repairs),
        "html": page.to_html(),
        "elements": [element_to_dict(element) for element in page.elements],
    }
    if page.checks:
        result["checks"] = [check.to_dict() for check in page.checks]
    if page.error:
        result["error"] = page.error
    return result


def element_to_dict(element: Element) -> ElementJson:
    """Kind, box in original pixels, text, and what is particular to the kind."""
    box = None if element.box is None else list(element.box)
    result = ElementJson(kind=element.kind, box=box, text=element.text)
    match element:
        case Heading():
            result["level"] = element.level
        case Paragraph() if element.role:
            result["role"] = element.role
        case ListBlock():
            result["ordered"], result["items"] = element.ordered, [_item(item) for item in element.items]
            if element.start != 1:
                result["start"] = element.start
        case Table():
            result["rows"], result["header_rows"] = element.grid(), element.num_header_rows
        case Chart() if element.table is not None:
            result["rows"], result["header_rows"] = element.table.grid(), element.table.num_header_rows
        case Formula():
            result["latex"], result["variant"] = element.latex, element.variant
        case Written():
            result["notation"] = element.notation
        case _:
            pass
    return result


def _item(item: ListItem) -> dict[str, Any]:
    below = [_item(inner) for inner in item.below.items] if item.below else []
    own = ListItem(item.content).text
    number = {} if item.number is None else {"number": item.number}
    return {"text": own, **number, **({"items": below} if below else {})}


def table_to_pandas(table: Table) -> Any:
    """A DataFrame: marked head rows become columns (several are joined), and a column in which every filled
    cell is a number becomes numbers (`1,234`, `$5`, `12 %` as 12, `(3)` as -3); with leading zeros it stays text."""
    pandas: Any = import_module("pandas")
    grid, heads = table.grid(), table.num_header_rows
    names: list[Any] = list(range(table.num_columns))
    if heads:
        columns = zip(*grid[:heads], strict=True)
        names = [" ".join(dict.fromkeys(part for part in column if part)) for column in columns]
    frame: Any = pandas.DataFrame(grid[heads:], columns=names)
    for i in range(len(names)):
        values = [row[i].strip() for row in grid[heads:]]
        filled = [value for value in values if value]
        if filled and all(_NUMBER.fullmatch(value) for value in filled):
            frame.isetitem(i, [_number(value) for value in values])
    return frame


def _number(text: str) -> float | None:
    if not text:
        return None
    negative = text.startswith(("-", "−", "("))
    value = float(re.sub(r"[^\d.]", "", text))
    return -value if negative else value
