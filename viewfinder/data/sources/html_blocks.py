"""The content of a web page as text and pictures in reading order, without what surrounds it.

Navigation, forms, advertisements and other frames of a page go by their element, role, class or density of links.
Knows nothing of samples.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from viewfinder.errors import DataError

_DROPPED = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "nav",
        "footer",
        "aside",
        "form",
        "button",
        "select",
        "iframe",
        "svg",
        "math",
        "object",
        "audio",
        "video",
        "canvas",
        "dialog",
        "menu",
        "head",
    ]
)
_FRAMES = re.compile(
    r"(^|[\s_-])(nav\w*|menu|sidebar|footer|cookie|consent|banner|advert|ads?|promo|sponsor|share|social|"
    r"comments?|breadcrumbs?|related|newsletter|subscribe|popup|modal|pagination|toolbar|masthead)([\s_-]|$)"
)
_ROLES = frozenset(["navigation", "banner", "contentinfo", "complementary", "search", "menu", "dialog"])
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "section",
        "article",
        "main",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "thead",
        "tbody",
        "tfoot",
        "tr",
        "blockquote",
        "pre",
        "figure",
        "figcaption",
        "header",
        "address",
        "details",
        "summary",
        "hr",
        "body",
        "td",
        "th",
        "center",
    ]
)
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


def read_page(data: bytes | str, address: str = "") -> WebPage:
    """The content of a page.

    Args:
        data: HTML; bytes in the encoding that the page itself names, UTF-8 otherwise.
        address: that relative addresses start from.

    Raises:
        DataError: no HTML.
    """
    from lxml import etree
    from lxml import html as lxml_html

    try:
        parser = lxml_html.HTMLParser(encoding=None if isinstance(data, str) else _encoding(data), huge_tree=False)
        root = lxml_html.document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise DataError(f"the page is no HTML ({error})") from error
    title = " ".join((root.findtext(".//title") or "").split())
    language = (root.get("lang") or "").lower().partition("-")[0]
    body = _content(root)
    blocks = [block for block in _Walk(address).blocks(body) if not _is_frame(block)]
    return WebPage(title, language, tuple(_without_repeats(blocks)))


def _encoding(data: bytes) -> str | None:
    """None leaves it to the parser, where the page names one; else UTF-8, which it would not guess."""
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
    """A picture shown twice is one; so is a line."""
    seen: set[str] = set()
    for block in blocks:
        key = block.address if isinstance(block, Shown) else block.text
        if key not in seen:
            yield block
        seen.add(key)


class _Walk:
    """One pass over the tree: text gathers until a block ends or a picture stands in it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.found: list[Words | Shown] = []
        self.letters: list[str] = []
        self.linked = 0

    def blocks(self, element: Any) -> list[Words | Shown]:
        self._visit(element, False)
        self._finish()
        return self.found

    def _visit(self, element: Any, linked: bool) -> None:
        if not isinstance(element.tag, str) or _dropped(element):
            return
        tag = element.tag.lower()
        block = tag in _BLOCKS
        if block and tag not in ("td", "th"):
            self._finish()
        if tag == "img":
            self._picture(element)
        elif tag == "br":
            self.letters.append("\n")
        elif tag in ("td", "th") and "".join(self.letters).strip():
            self.letters.append(" | ")
        elif tag == "li":
            self.letters.append("- ")
        linked = linked or tag == "a"
        self._text(element.text, linked)
        for child in element:
            self._visit(child, linked)
            self._text(child.tail, linked)
        if block and tag not in ("td", "th"):
            self._finish()

    def _text(self, text: str | None, linked: bool) -> None:
        if text:
            self.letters.append(text.replace("\n", " "))
            self.linked += linked * len("".join(text.split()))

    def _finish(self) -> None:
        lines = [" ".join(line.split()) for line in "".join(self.letters).split("\n")]
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
    names = f"{element.get('class', '')} {element.get('id', '')}".lower()
    return element.tag.lower() not in ("body", "html", "main", "article", "img") and bool(_FRAMES.search(names))
