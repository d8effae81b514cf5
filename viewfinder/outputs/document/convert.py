"""Documents as plain data: JSON-ready dictionaries."""

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
