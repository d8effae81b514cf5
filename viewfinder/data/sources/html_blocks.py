"""The content of a web page as text and pictures in reading order, without what surrounds it.

Navigation, forms, advertisements and other frames of a page go by their element, role, class or density of links.
Knows nothing of samples.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from viewfinder.errors import DataError

_DROPPED_NAMES = """
    script style noscript template nav footer aside form button select iframe svg math object audio video canvas dialog
    menu head
"""
_DROPPED = frozenset(_DROPPED_NAMES.split())
_FRAME = (
    r"nav\w*|menu|sidebar|footer|cookie|consent|banner|advert|ads?|promo|sponsor|share|social|"
    r"comments?|breadcrumbs?|related|newsletter|subscribe|popup|modal|pagination|toolbar|masthead"
)
_FRAMES = re.compile(rf"(^|[\s_-])({_FRAME})([\s_-]|$)")
_FRAME_ID = re.compile(_FRAME)
"""An id is the name of what a section is about (`editing-and-navigation`) unless it is one of these words alone."""
_ROLES = frozenset(["navigation", "banner", "contentinfo", "complementary", "search", "menu", "dialog"])
_BLOCK_NAMES = """
    p div section article main h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table thead tbody tfoot tr blockquote pre figure
    figcaption header address details summary hr body td th center
"""
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_LAYOUT = frozenset(["table", "img", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "pre"])
"""What a cell of data does not hold; a cell with one of these lays out a page, and its blocks stand alone."""
_PERMALINK = re.compile(r"headerlink|permalink|anchor", re.IGNORECASE)
_MAX_LINKED = 0.5


@dataclass(frozen=True)
class Words:
    """A paragraph, heading, item or row."""

    text: str
    linked: float = 0.0


@dataclass(frozen=True)
class Shown:
    """A picture: its address, and what the page says of it."""

    address: str
    alt: str = ""
    caption: str = ""


@dataclass(frozen=True)
class WebPage:
    """A page's title, language (ISO 639-1, "" when it does not say) and content."""

    title: str
    language: str
    blocks: tuple[Words | Shown, ...]


def read_page(data: bytes | str, address: str = "", charset: str | None = None) -> WebPage:
    """The content of a page.

    Args:
        data: HTML; bytes in `charset`, else in the encoding that the page itself names, else UTF-8.
        address: that relative addresses start from.
        charset: that the server named.

    Raises:
        DataError: no HTML.
    """
    from lxml import html as lxml_html
    from lxml.etree import ParserError, XMLSyntaxError

    try:
        parser = lxml_html.HTMLParser(
            encoding=None if isinstance(data, str) else _encoding(data, charset), huge_tree=False
        )
        root = lxml_html.document_fromstring(data, parser=parser)
    except (ParserError, XMLSyntaxError, ValueError, LookupError) as error:
        raise DataError(f"the page is no HTML ({error})") from error
    title = " ".join((root.findtext(".//title") or "").split())
    language = (root.get("lang") or "").lower().partition("-")[0]
    body = _content(root)
    blocks = [block for block in _Walk(address).blocks(body) if not _is_frame(block)]
    return WebPage(title, language, tuple(_without_repeats(blocks)))


def _encoding(data: bytes, charset: str | None) -> str | None:
    """None leaves it to the parser, where the page names one; else UTF-8, which it would not guess. A byte-order mark
    comes before what a server says, and what nobody knows is no charset."""
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8"
    try:
        if charset:
            return codecs.lookup(charset).name
    except LookupError:
        pass
    return None if re.search(rb"charset\s*=", data[:4096], re.IGNORECASE) else "utf-8"


def _content(root: Any) -> Any:
    """The main part where the page marks one that holds at least half of its text."""
    body = root.find(".//body")
    body = root if body is None else body
    whole = len(" ".join(body.text_content().split()))
    for part in (*body.iter("main"), *body.iter("article")):
        if len(" ".join(part.text_content().split())) >= 0.5 * whole:
            return part
    return body


def _is_frame(block: Words | Shown) -> bool:
    """Rows of links: they lead elsewhere."""
    return isinstance(block, Words) and block.linked > _MAX_LINKED and len(block.text.split()) < 30


def _without_repeats(blocks: list[Words | Shown]) -> Iterator[Words | Shown]:
    """A picture shown twice is one; words that are said twice are said twice."""
    seen: set[str] = set()
    for block in blocks:
        if isinstance(block, Words) or block.address not in seen:
            yield block
        if isinstance(block, Shown):
            seen.add(block.address)


class _Walk:
    """One pass over the tree: text gathers until a block ends or a picture stands in it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.found: list[Words | Shown] = []
        self.letters: list[str] = []
        self.linked = 0
        self.in_cell = False
        self.exact = False

    def blocks(self, element: Any) -> list[Words | Shown]:
        self._visit(element, False)
        self._finish()
        return self.found

    def _visit(self, element: Any, linked: bool) -> None:
        if not isinstance(element.tag, str) or _dropped(element):
            return
        tag = element.tag.lower()
        cell = tag in ("td", "th")
        block = tag in _BLOCKS and not cell and not self.in_cell
        if block:
            self._finish()
        self._begin(tag, element)
        outer = self.in_cell, self.exact
        self.exact = self.exact or tag == "pre"
        if cell:
            self.in_cell = not any(one.tag in _LAYOUT for one in element.iterdescendants())
        linked = linked or tag == "a"
        self._text(element.text, linked)
        for child in element:
            self._visit(child, linked)
            self._text(child.tail, linked)
        if block:
            self._finish()
        elif tag in _BLOCKS and not cell:
            self.letters.append(" ")  # blocks of a cell are one text of its row
        self.in_cell, self.exact = outer

    def _begin(self, tag: str, element: Any) -> None:
        if tag == "img":
            self._picture(element)
        elif tag == "br":
            self.letters.append(" " if self.in_cell else "\n")
        elif tag in ("td", "th") and "".join(self.letters).strip():
            self.letters.append(" | ")
        elif tag == "li" and not self.in_cell:
            self.letters.append("- ")

    def _text(self, text: str | None, linked: bool) -> None:
        if text:
            self.letters.append(text if self.exact else text.replace("\n", " "))
            self.linked += linked * len("".join(text.split()))

    def _finish(self) -> None:
        written = "".join(self.letters)
        if self.exact:
            text = written.strip("\n").rstrip()
        else:
            lines = [" ".join(line.split()) for line in written.split("\n")]
            text = "\n".join(line for line in lines if line.strip("-| "))
        if text:
            letters = len("".join(text.split()))
            self.found.append(Words(text, self.linked / letters))
        self.letters, self.linked = [], 0

    def _picture(self, element: Any) -> None:
        source = element.get("src") or element.get("data-src") or ""
        if source.startswith("data:image/svg") or not source:
            source = element.get("data-src") or ""
        if not source:
            return
        self._finish()
        figure = next((up for up in element.iterancestors("figure")), None)
        caption = "" if figure is None else " ".join((figure.findtext(".//figcaption") or "").split())
        alt = " ".join((element.get("alt") or element.get("title") or "").split())
        self.found.append(Shown(urljoin(self.address, source) if self.address else source, alt, caption))


def _dropped(element: Any) -> bool:
    if element.tag.lower() in _DROPPED or element.get("role", "") in _ROLES or element.get("aria-hidden") == "true":
        return True
    if element.get("hidden") is not None or re.search(r"display:\s*none", element.get("style", "")):
        return True
    if element.tag.lower() == "a" and _is_permalink(element):
        return True
    named = _FRAMES.search(element.get("class", "").lower()) or _FRAME_ID.fullmatch(element.get("id", "").lower())
    return element.tag.lower() not in ("body", "html", "main", "article", "img") and bool(named)


def _is_permalink(element: Any) -> bool:
    """A mark beside a heading that leads to the heading itself."""
    text = "".join(element.text_content().split())
    inside = element.get("href", "").startswith("#")
    return inside and (
        text in ("¶", "#", "§", "🔗")
        or (not text.isalnum() and len(text) < 3 and bool(_PERMALINK.search(element.get("class", ""))))
    )
