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
from viewfinder.outputs.document.html_inline import plain_text, unescape
from viewfinder.outputs.document.write import write_elements

_MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*", "s": "~~", "del": "~~"}
_KEPT = frozenset({"sub", "sup", "u", "mark", "small", "ins"})
_TAG = re.compile(r"<(/?)(\w+)([^<>]*)>")
_HREF = re.compile(r'href="([^"]*)"')
_TAG_LIKE = re.compile(r"<(?=[a-zA-Z/!?])")
_MATH = re.compile(
    r"\$\$(?P<display>(?:\\.|[^$\\])+)\$\$|\\\[(?P<bracketed>(?:[^\\]|\\[^()\[\]])+)\\\]"
    r"|\$(?P<inline>(?!\s)(?:\\.|[^$\\\n])+)(?<!\s)\$(?!\d)|\\\((?P<rounded>(?:[^\\]|\\[^()\[\]])+)\\\)",
    re.DOTALL,
)
"""Formulas as KaTeX and Pandoc find them: `$5 and $6` is none."""
_SPECIAL = re.compile(r"\\(?=[!-/:-@\[-`{-~])|\*|_|`|~~|\$|\[(?=[^\[\]]*\][(\[:])")
_TICKS = re.compile(r"`+")


def inline_markdown(content: str, one_line: bool = False) -> str:
    """Content with Markdown's marks; other tags stay, they are safe."""
    parts: list[str] = []
    links: list[str] = []
    code_from = None
    at = 0
    for tag in _TAG.finditer(content):
        text, at = content[at : tag.start()], tag.end()
        parts.append(text if code_from is not None else escape_markdown(text))
        closes, name = bool(tag[1]), tag[2].lower()
        if name == "code":
            if not closes:
                code_from = len(parts)
            elif code_from is not None:
                parts[code_from:] = [_code("".join(parts[code_from:]))]
                code_from = None
        elif name == "br":
            parts.append(" " if one_line or code_from is not None else "  \n")
        elif code_from is None:
            parts.append(_marks(tag, closes, name, links))
    parts.append(escape_markdown(content[at:]))
    lines = "".join(parts).split(None if one_line else "\n")
    return (" " if one_line else "\n").join(line.strip() for line in lines).strip()


def _marks(tag: re.Match[str], closes: bool, name: str, links: list[str]) -> str:
    if name == "a" and closes:
        return f"]({links.pop()})" if links else ""
    if name == "a":
        href = _HREF.search(tag[3])
        if href is None:
            return ""
        links.append(unescape(href[1]).replace("(", "%28").replace(")", "%29"))
        return "["
    return _MARKS.get(name, tag.group() if name in _KEPT else "")


def _code(text: str) -> str:
    """A code span whose ticks are more than any inside."""
    longest = max(map(len, _TICKS.findall(text)), default=0)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{'`' * (longest + 1)}{space}{text}{space}{'`' * (longest + 1)}"


def fenced(text: str, language: str = "") -> str:
    """A block of code, its white space kept, between more ticks than any inside."""
    ticks = "`" * max(3, 1 + max(map(len, _TICKS.findall(text)), default=0))
    return f"{ticks}{language}\n{text}\n{ticks}"


def escape_markdown(text: str) -> str:
    """Text between tags: formulas in dollars, and every other mark of Markdown escaped."""
    parts: list[str] = []
    at = 0
    for math in _MATH.finditer(text):
        parts.append(_SPECIAL.sub(_escaped, text[at : math.start()]))
        at = math.end()
        display = math["display"] or math["bracketed"]
        latex = inert((display or math["inline"] or math["rounded"]).strip())
        parts.append(f"$${latex}$$" if display else f"${latex}$")
    return "".join([*parts, _SPECIAL.sub(_escaped, text[at:])])


def _escaped(match: re.Match[str]) -> str:
    mark, before, after = (
        match[0],
        match.string[match.start() - 1 : match.start()],
        match.string[match.end() : match.end() + 1],
    )
    if mark == "*" and (not before or before.isspace()) and (not after or after.isspace()):
        return mark
    if mark == "_" and before.isalnum() and after.isalnum():
        return mark
    return "\\~\\~" if mark == "~~" else f"\\{mark}"


def inert(latex: str) -> str:
    """LaTeX in which no `<` begins a tag, and no empty line ends the formula."""
    return re.sub(r"\n\s*\n", "\n", _TAG_LIKE.sub("< ", unescape(latex)))


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
