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
from viewfinder.outputs.document.html_inline import plain_text, unescape
from viewfinder.outputs.document.write import write_elements

FigureName = Callable[[Picture], str]

_MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*", "s": "~~", "del": "~~", "code": "`"}
_TAG = re.compile(r"<(/?)(\w+)([^>]*)>")
_TAG_LIKE = re.compile(r"<(?=[a-zA-Z/!?])")
_LINE_MARK = re.compile(r"^(\s*)(#{1,6} |>|[-+*] |\d+[.)] |```|~~~|---)")


def element_to_markdown(element: Element, figure_name: FigureName) -> str:
    """One block of Markdown; "" for what leaves no trace."""
    match element:
        case Heading():
            return f"{'#' * element.level} {inline_markdown(element.content, one_line=True)}"
        case Paragraph():
            return paragraph_markdown(element.content)
        case Address():
            return "\n\n".join(paragraph_markdown(part.content) for part in element.paragraphs)
        case ListBlock():
            return list_markdown(element)
        case Table():
            return table_markdown(element)
        case Formula():
            return f"$$\n{_inert(element.latex)}\n$$" if element.latex else _figure(element, figure_name)
        case Written():
            fence = "abc" if element.kind == "music sheet" else "smiles"
            written = f"```{fence}\n{element.text.replace('```', '')}\n```" if element.text else ""
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


def inline_markdown(content: str, one_line: bool = False) -> str:
    """Content with Markdown's marks for bold, italic, struck and code; other tags stay, they are safe."""

    def replaced(tag: re.Match[str]) -> str:
        slash, name = tag[1], tag[2].lower()
        if name == "br":
            return " " if one_line else "  \n"
        if name == "a":
            return "" if slash else tag.group()
        return _MARKS.get(name, tag.group() if name in ("sub", "sup", "u", "mark", "small", "ins") else "")

    linked = re.sub(r'<a href="([^"]*)">(.*?)</a>', r"[\2](\1)", content, flags=re.DOTALL)
    return re.sub(
        r"[^\S\n]*\n[^\S\n]*" if not one_line else r"\s+", " " if one_line else "\n", _TAG.sub(replaced, linked)
    ).strip()


def paragraph_markdown(content: str) -> str:
    """A paragraph whose beginning cannot be taken for a heading, list or fence."""
    text = inline_markdown(content)
    return "\n".join(_LINE_MARK.sub(r"\1\\\2", line) for line in text.split("\n"))


def list_markdown(block: ListBlock, depth: int = 0) -> str:
    lines: list[str] = []
    for i, item in enumerate(block.items, 1):
        mark = f"{i}." if block.ordered else "-"
        lines.append(f"{'   ' * depth}{mark} {inline_markdown(item.content, one_line=True)}")
        if item.below is not None:
            lines.append(list_markdown(item.below, depth + 1))
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


def _inert(latex: str) -> str:
    """LaTeX in which no `<` begins a tag."""
    return _TAG_LIKE.sub("< ", unescape(latex))
