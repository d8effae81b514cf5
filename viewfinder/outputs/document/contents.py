"""The inline contents of an element, in reading order, whatever its kind: to read them all, or to change them."""

from collections.abc import Callable
from dataclasses import replace

from viewfinder.outputs.document.elements import (
    Address,
    Chart,
    Element,
    Heading,
    Image,
    ListBlock,
    Paragraph,
    Table,
)

Change = Callable[[str], str]


def map_contents(element: Element, change: Change) -> Element:
    """The element with `change` applied to each of its contents, called in reading order.

    Formulas, music and molecules have a notation and no words; they stay as they are.
    """
    match element:
        case Paragraph() | Heading():
            return replace(element, content=change(element.content))
        case Address():
            parts = (replace(part, content=change(part.content)) for part in element.paragraphs)
            return replace(element, paragraphs=tuple(parts))
        case ListBlock():
            return _list(element, change)
        case Table():
            return _table(element, change)
        case Image():
            return replace(element, paragraphs=tuple(change(content) for content in element.paragraphs))
        case Chart():
            table = _table(element.table, change) if element.table else None
            return replace(element, table=table, paragraphs=tuple(change(content) for content in element.paragraphs))
        case _:
            return element


def contents_of(element: Element) -> list[str]:
    """All contents of an element, in reading order."""
    found: list[str] = []

    def note(content: str) -> str:
        found.append(content)
        return content

    map_contents(element, note)
    return found


def _list(block: ListBlock, change: Change) -> ListBlock:
    items = tuple(
        replace(item, content=change(item.content), below=_list(item.below, change) if item.below else None)
        for item in block.items
    )
    return replace(block, items=items)


def _table(table: Table, change: Change) -> Table:
    caption = change(table.caption) if table.caption else ""
    rows = tuple(
        replace(row, cells=tuple(replace(cell, content=change(cell.content)) for cell in row.cells))
        for row in table.rows
    )
    return replace(table, caption=caption, rows=rows)
