"""Documents as Markdown: headings, lists, pipe tables, LaTeX between dollars, figures as images.

Tables with spans stay HTML, which Markdown allows. No character sequence of the page becomes an active tag.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from viewfinder.outputs.document.elements import (
    Address,
    Break,
    Chart,
    Code,
    Element,
    Formula,
    Heading,
    Image,
    ListBlock,
    Paragraph,
    Picture,
    Table,
    Written,
)
from viewfinder.outputs.document.html_inline import plain_text
from viewfinder.outputs.document.markdown_inline import fenced, inert, inline_markdown
from viewfinder.outputs.document.write import write_elements

FigureName = Callable[[Picture], str]

_LINE_MARK = re.compile(r"^(\s*)(#{1,6}(?: |$)|>|[-+*](?: |$)|```|~~~|--+|==*\s*$)")
_NUMBER_MARK = re.compile(r"^(\s*\d{1,9})([.)](?: |$))")
_CLOSING_HASHES = re.compile(r"(?:^|(?<=\s))(#+)$")


def element_to_markdown(element: Element, figure_name: FigureName) -> str:
    """One block of Markdown; "" for what leaves no trace."""
    match element:
        case Heading():
            words = _CLOSING_HASHES.sub(r"\\\1", inline_markdown(element.content, one_line=True))
            return f"{'#' * element.level} {words}"
        case Code():
            return fenced(element.text)
        case Paragraph():
            return paragraph_markdown(element.content)
        case Address():
            return "\n\n".join(paragraph_markdown(part.content) for part in element.paragraphs)
        case ListBlock():
            return list_markdown(element)
        case Table():
            return table_markdown(element)
        case Formula():
            return f"$$\n{inert(element.latex)}\n$$" if element.latex else _figure(element, figure_name)
        case Written():
            fence = "abc" if element.kind == "music sheet" else "smiles"
            written = fenced(element.text, fence) if element.text else ""
            return _joined(_figure(element, figure_name), written)
        case Chart():
            table = table_markdown(element.table) if element.table else ""
            return _joined(_figure(element, figure_name), table, *map(paragraph_markdown, element.paragraphs))
        case Image():
            words = map(paragraph_markdown, element.paragraphs) if element.role == "ocr" else ()
            return _joined(_figure(element, figure_name), *words)
        case Break():
            return ""
        case _:
            raise AssertionError(f"no Markdown for {type(element).__name__}")


def _joined(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block)


def _figure(element: Picture, figure_name: FigureName) -> str:
    caption = element.text if isinstance(element, Image) and element.role == "caption" else element.kind
    alternative = re.sub(r"[\[\]<>\n]+", " ", caption).strip()
    return f"![{alternative}]({figure_name(element)})"


def paragraph_markdown(content: str) -> str:
    """A paragraph whose lines cannot be taken for headings, lists, rules or fences."""
    return "\n".join(_plain_line(line) for line in inline_markdown(content).split("\n"))


def _plain_line(line: str) -> str:
    return _NUMBER_MARK.sub(r"\1\\\2", _LINE_MARK.sub(r"\1\\\2", line))


def list_markdown(block: ListBlock, indent: int = 0) -> str:
    """Items with their own numbers; a list below stands under the words of its item."""
    lines: list[str] = []
    for number, item in zip(block.numbers(), block.items, strict=True):
        mark = f"{number}." if block.ordered else "-"
        lines.append(f"{' ' * indent}{mark} {_plain_line(inline_markdown(item.content, one_line=True))}")
        if item.below is not None:
            lines.append(list_markdown(item.below, indent + max(3, len(mark) + 1)))
    return "\n".join(lines)


def table_markdown(table: Table) -> str:
    """A pipe table; its first row is the head, for Markdown has no table without one."""
    if any(cell.rowspan > 1 or cell.colspan > 1 for row in table.rows for cell in row.cells):
        return write_elements([replace(table, box=None, name="", style="")], None).strip()
    grid = table.cell_grid()
    if not grid or not grid[0]:
        return ""
    rows = [[inline_markdown(cell.content, True).replace("|", "\\|") if cell else "" for cell in row] for row in grid]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    caption = plain_text(table.caption)
    return (f"{inline_markdown(table.caption)}\n\n" if caption else "") + "\n".join(lines)
