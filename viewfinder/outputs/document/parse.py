"""QwenVL HTML of one page -> typed elements, in pixels of the original page; never raises.

Takes the report's form and what checkpoints really write: fences, either closing order, tags that the
format does not name, missing boxes, broken nesting, truncation. Whatever had to be changed is said in
`repairs`. Tables and pictures are read
in `pictures`.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace

from viewfinder.media.transform import Transform
from viewfinder.outputs.document.elements import (
    Address,
    Break,
    Code,
    Corners,
    Element,
    Heading,
    Image,
    ListBlock,
    ListItem,
    Paragraph,
    Table,
)
from viewfinder.outputs.document.html_inline import inline_content
from viewfinder.outputs.document.html_tree import BLOCK, Node, parse_tree
from viewfinder.outputs.document.pictures import read_picture, read_table, role_of
from viewfinder.outputs.loose_json import read_numbers

_OPENING = re.compile(r"<html>\s*<body>", re.IGNORECASE)
_CLOSING = re.compile(r"(?<!\s)\s*(?:</body>\s*</html>|</html>\s*</body>)\s*\Z", re.IGNORECASE)
_FENCE = re.compile(r"```(?:html)?[ \t]*\n?", re.IGNORECASE)
_SAFE_CSS = re.compile(r"[\w\s#.:;,%{}()\-+>*'\"]{0,2000}")
_UNSAFE_CSS = re.compile(r"url|expression|import|javascript|behaviou?r", re.IGNORECASE)


@dataclass(frozen=True)
class ParsedPage:
    """Elements, what was repaired, and the text around the elements as it was written."""

    elements: tuple[Element, ...]
    repairs: tuple[str, ...]
    opening: str
    tail: str
    closing: str


def parse_page(text: str, transform: Transform | None) -> ParsedPage:
    """Read one page; without `transform` boxes stay in the pixels they were written in."""
    body_text = _inside_fence(text)
    start = re.search(r"<html\b", body_text, re.IGNORECASE)
    reader = _PageReader(transform)
    if start and body_text[: start.start()].strip():
        reader.repairs.append("dropped words before the page")
    body_text = body_text[start.start() if start else 0 :].strip()
    opening, closing = _OPENING.match(body_text), _CLOSING.search(body_text)
    root, repairs = parse_tree(body_text[: closing.start()] if closing else body_text)
    if start and not closing:
        reader.repairs.append("the page was cut off before its end")
    reader.repairs += repairs
    reader.read_blocks((root.first("body") or root.first("html") or root).children)
    written = closing.group() if closing else "\n</body></html>"
    tail = written[: len(written) - len(written.lstrip())]
    return ParsedPage(
        elements=tuple(reader.elements),
        repairs=_counted(reader.repairs),
        opening=opening.group() if opening else "<html><body>",
        tail=tail if closing else "\n",
        closing=written.strip(),
    )


def _inside_fence(text: str) -> str:
    """What stands between the marks around an answer; marks among the tags are the page's own."""
    opening = _FENCE.search(text[: text.find("<") + 1])
    closing = text.rfind("```")
    if closing < 0 or "<" in text[closing:] or (opening and closing < opening.end()):
        closing = len(text)
    return text[opening.end() if opening else 0 : closing]


def _counted(repairs: list[str]) -> tuple[str, ...]:
    """Each repair once, with how often it was made."""
    counts = Counter(repairs)
    return tuple(
        repair if counts[repair] == 1 else f"{repair} ({counts[repair]} times)"
        for repair in dict.fromkeys(repairs[:2000])
    )


class _PageReader:
    """Collects the elements of a page. `lead` is the white space since the last one."""

    def __init__(self, transform: Transform | None) -> None:
        self.transform = transform
        self.elements: list[Element] = []
        self.repairs: list[str] = []
        self.lead = ""
        self.style = ""

    def read_blocks(self, children: list[Node | str]) -> None:
        loose: list[Node | str] = []
        for child in children:
            if isinstance(child, Node) and (child.tag in BLOCK or child.tag in ("img", "style", "hr")):
                self._flush(loose)
                self._read_block(child)
            elif isinstance(child, str) and not child.strip() and not loose:
                self.lead += child
            elif isinstance(child, str) or child.tag != "br" or loose:
                loose.append(child)
        self._flush(loose)

    def _flush(self, loose: list[Node | str]) -> None:
        """Words outside any element become a paragraph without a box."""
        content = inline_content(loose).strip()
        loose.clear()
        if content:
            self.repairs.append("made a paragraph of words outside any element")
            self._add(Paragraph(None, content))

    def _add(self, element: Element) -> None:
        lead = self.lead or ("\n" if self.repairs else "")
        self.elements.append(replace(element, lead=lead))
        self.lead = ""

    def _read_block(self, node: Node) -> None:
        tag = node.tag
        if tag == "style":
            self.style = self._safe_style(node)
        elif tag == "p":
            self._add(self._paragraph(node))
        elif tag[0] == "h" and tag[1:].isdigit():
            self._add(Heading(self.box(node), inline_content(node.children), int(tag[1])))
        elif tag in ("ol", "ul"):
            self._add(self._list(node, 0))
        elif tag == "table":
            self._add(self._table(node))
        elif tag == "address":
            self._read_address(node)
        elif tag == "div":
            self._read_div(node)
        elif tag == "img":
            self.repairs.append("made an image of an <img> outside any element")
            self._add(Image(self.box(node), image_box=self.box(node)))
        elif tag in ("head", "nav", "hr"):
            self.repairs.append(f"dropped <{tag}>")
        else:
            self._read_container(node)

    def _read_container(self, node: Node) -> None:
        """A block that the format does not name: its blocks, or its words as a paragraph."""
        if any(child.tag in BLOCK or child.tag == "img" for child in node.nodes):
            self.repairs.append(f"unwrapped <{node.tag}>")
            self.read_blocks(node.children)
        elif node.tag == "pre" and (content := inline_content(node.children).removeprefix("\n").rstrip()):
            self._add(Code(self.box(node), content, role_of(node)))
        elif content := inline_content(node.children).strip():
            self.repairs.append(f"made a paragraph of <{node.tag}>")
            self._add(Paragraph(self.box(node), content, role_of(node)))

    def box(self, node: Node, needed: bool = True) -> Corners | None:
        """The box of a node in original pixels, put in order and clamped to the page."""
        written = node.attributes.get("data-bbox") or node.attributes.get("data-polygon")
        if written is None:
            if needed:
                self.repairs.append(f"<{node.tag}> has no box")
            return None
        numbers = read_numbers(written)
        if len(numbers) < 4 or len(numbers) % 2:
            self.repairs.append(f"dropped a box of {len(numbers)} numbers")
            return None
        given = (min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]))
        if self.transform is None:
            return given
        inside = self.transform.clamp_box_model(given)
        if inside != given:
            self.repairs.append("moved a box into the page")
        return self.transform.box_to_original(inside)

    def _paragraph(self, node: Node) -> Element:
        content = inline_content(node.children)
        box = self.box(node, needed=bool(content.strip()))
        if box is None and not content.strip():
            return Break(None)
        return Paragraph(box, content if node.closed else content.strip(), role_of(node))

    def _read_address(self, node: Node) -> None:
        """An address holds paragraphs; one that holds anything else is unwrapped."""
        if any((child.tag in BLOCK and child.tag != "p") or child.tag == "img" for child in node.nodes):
            self._read_container(node)
            return
        inner = _PageReader(self.transform)
        inner.read_blocks(node.children)
        self.repairs += inner.repairs
        paragraphs = tuple(part for part in inner.elements if isinstance(part, Paragraph))
        if paragraphs:
            self._add(Address(self.box(node, False), paragraphs, role_of(node), tail=inner.lead))

    def _list(self, node: Node, depth: int) -> ListBlock:
        items: list[ListItem] = []
        lead = ""
        for child in node.children:
            if isinstance(child, str) and not child.strip():
                lead += child
                continue
            item = child if isinstance(child, Node) and child.tag == "li" else Node("li", children=[child])
            items.append(replace(self._item(item, depth), lead=lead))
            lead = ""
        start = _number(node, "start") if node.tag == "ol" else None
        return ListBlock(
            self.box(node, depth == 0), tuple(items), node.tag == "ol", 1 if start is None else start, tail=lead
        )

    def _item(self, node: Node, depth: int) -> ListItem:
        lists = [child for child in node.nodes if child.tag in ("ol", "ul")]
        own = [child for child in node.children if isinstance(child, str) or child.tag not in ("ol", "ul")]
        if not lists or depth >= 8:
            return ListItem(inline_content(node.children), self.box(node, False), number=_number(node, "value"))
        last = node.children[-1]
        tail = last if isinstance(last, str) and not last.strip() else ""
        below, *others = (self._list(found, depth + 1) for found in lists)
        below = replace(below, items=tuple(item for block in (below, *others) for item in block.items))
        content = inline_content(own[:-1] if tail else own)
        return ListItem(content, self.box(node, False), replace(below, lead=""), _number(node, "value"), tail=tail)

    def _table(self, node: Node) -> Table:
        table = read_table(node, self.repairs)
        style, self.style = self.style, ""
        return replace(table, box=self.box(node), name=role_of(node), style=style)

    def _safe_style(self, node: Node) -> str:
        css = "".join(child for child in node.children if isinstance(child, str))
        if _SAFE_CSS.fullmatch(css) and not _UNSAFE_CSS.search(css):
            return css
        self.repairs.append("dropped a <style> that is not plain")
        return ""

    def _read_div(self, node: Node) -> None:
        picture = read_picture(node, self.box, self.repairs)
        if picture is None:
            self._read_container(node)
        else:
            self._add(picture)


def _number(node: Node, name: str) -> int | None:
    """The number of a list or of an item."""
    written = node.attributes.get(name, "").strip()
    return int(written) if re.fullmatch(r"-?[0-9]{1,9}", written) else None
