"""HTML as models write it -> a tree: unclosed, wrongly nested, cut off, with `<` in formulas.

One pass, time in proportion to the length whatever the text. Tags that are not HTML's are text (`a<b`,
`<alpha>`); scripts, styles and comments never become text. Says what it had to repair. Nothing is judged
or removed here except comments, declarations and scripts.
"""

import html
import re
from dataclasses import dataclass, field

VOID = frozenset({"br", "img", "hr", "wbr", "meta", "link", "input", "col", "source", "embed", "base", "area", "track"})
RAW = frozenset(
    {"script", "style", "iframe", "object", "noscript", "template", "textarea", "title", "svg", "math", "xmp"}
)
"""Elements whose inside is not page text; only that of `style` is kept."""

BLOCK = frozenset(
    (
        *("html", "body", "head", "p", "div", "section", "article", "header", "footer", "main", "nav", "aside"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "ol", "ul", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tfoot"),
        *("tr", "td", "th", "caption", "colgroup", "address", "figure", "figcaption", "pre", "blockquote", "center"),
    )
)
INLINE = frozenset(
    (
        *("a", "b", "strong", "i", "em", "u", "s", "strike", "del", "ins", "sub", "sup", "small", "big", "mark"),
        *("span", "code", "kbd", "samp", "var", "tt", "q", "cite", "abbr", "font", "label", "button", "form"),
    )
)
_KNOWN = VOID | RAW | BLOCK | INLINE

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_PAGE_ELEMENTS = _HEADINGS | {"p", "ol", "ul", "address", "div"}
_SECTIONS = frozenset({"thead", "tbody", "tfoot"})
_IMPLIED_END: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    **dict.fromkeys(("td", "th"), (frozenset({"td", "th"}), frozenset({"table"}))),
    "tr": (frozenset({"tr"}), frozenset({"table"})),
    **dict.fromkeys(_SECTIONS, (_SECTIONS | {"tr"}, frozenset({"table"}))),
    "li": (frozenset({"li"}), frozenset({"ol", "ul", "table"})),
}
"""An opening tag ends the nearest open one of the first set, unless one of the second lies between."""

_TABLE_PARTS = _SECTIONS | {"td", "th", "tr", "caption"}
_BARRIER = frozenset({"table", "ol", "ul", "div", "td", "th", "li"})
"""A closing tag of a paragraph or of something inline does not reach out of these."""

_MAX_DEPTH = 60

_NAME = r"(?:html|head|body|p|div|h[1-6]|ol|ul|li|table|tr|td|th|img|address|section|span)"
_TOKEN = re.compile(
    r"<!--.{0,2000}?-->|<[!?][^<>]*>?"
    r"|<(?P<slash>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*)"
    r"(?P<rest>(?:\s+[a-zA-Z_:][-\w:.]*(?:\s*=\s*(?:\"[^\"<]*\"|'[^'<]*'|[^\s\"'=<>`]+))?)*\s*/?)>"
    rf"|<(?P<slash2>/?)(?P<name2>{_NAME})(?P<rest2>[\s/][^<>]*)>",
    re.DOTALL | re.IGNORECASE,
)
"""A comment, a declaration, a tag; and, for tags that carry the page, one with broken attributes. `<b \\land b>`
in a formula is none of these."""

_ATTRIBUTE = re.compile(r"([a-zA-Z_:][-\w:.]*)(?:\s*=\s*(?:\"([^\"]*)\"?|'([^']*)'?|([^\s\"'=<>`]+)))?")
_NEXT_TAG = re.compile(r"(?=</?[a-zA-Z])")
_UNFINISHED = re.compile(r"<(?:/?[a-zA-Z][^<>]*)?\Z")


@dataclass
class Node:
    """An element. `source` is its opening tag as written; `closed` says whether its closing tag was there."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    children: "list[Node | str]" = field(default_factory=list["Node | str"])
    source: str = ""
    closed: bool = False

    @property
    def nodes(self) -> "list[Node]":
        """Children that are elements."""
        return [child for child in self.children if isinstance(child, Node)]

    def first(self, *tags: str) -> "Node | None":
        """The first element below with one of `tags`, in document order."""
        for node in self.nodes:
            found = node if node.tag in tags else node.first(*tags)
            if found is not None:
                return found
        return None


def parse_tree(text: str) -> tuple[Node, list[str]]:
    """The tree under a root whose tag is "", and the repairs that were made, as phrases."""
    builder = _Builder()
    cut = _UNFINISHED.search(text)
    if cut is not None and len(cut.group()) > 1:
        builder.repairs.append("dropped a tag that the end of the text cut off")
        text = text[: cut.start()]
    at = 0
    while (token := _TOKEN.search(text, at)) is not None:
        builder.add_text(text[at : token.start()])
        at = token.end()
        name = (token["name"] or token["name2"] or "").lower()
        if not name:
            continue
        if name not in _KNOWN:
            builder.add_text(token.group())
        elif token["slash"] or token["slash2"]:
            builder.close(name)
        else:
            builder.open(name, token["rest"] or token["rest2"] or "", token.group())
            if name in RAW:
                at = builder.skip_raw(text, at, name)
    builder.add_text(text[at:])
    builder.finish()
    return builder.root, builder.repairs


class _Builder:
    """The open elements, outermost first."""

    def __init__(self) -> None:
        self.root = Node("")
        self.stack = [self.root]
        self.repairs: list[str] = []
        self.never_closed: set[str] = set()

    def add_text(self, text: str) -> None:
        if text:
            self.stack[-1].children.append(text)

    def open(self, name: str, rest: str, source: str) -> None:
        if name in BLOCK - {"html", "head", "body"}:
            self._end_words()
            if "data-bbox" in rest and name in _PAGE_ELEMENTS:
                self._end_picture(name)
        if name in _IMPLIED_END:
            self._end_nearest(*_IMPLIED_END[name])
        if name in ("html", "body") and any(node.tag == name for node in self.stack):
            self.repairs.append(f"ignored a second <{name}>")
            return
        if len(self.stack) >= _MAX_DEPTH:
            self.repairs.append("flattened what was nested too deep")
            return
        node = Node(name, _attributes(rest), source=source)
        self.stack[-1].children.append(node)
        if name in VOID or (rest.endswith("/") and name not in BLOCK | RAW):
            node.closed = True
        else:
            self.stack.append(node)

    def _end_words(self) -> None:
        """A block cannot stand in a paragraph, a heading or anything inline: what was left open ends here."""
        depth = len(self.stack) - 1
        while self.stack[depth].tag in INLINE:
            depth -= 1
        self._pop_to(depth if self.stack[depth].tag in _HEADINGS | {"p"} else depth + 1)

    def _end_picture(self, name: str) -> None:
        """Elements with boxes do not nest: one that begins inside a `<div>` with a box says that its end was lost.
        The paragraph of an image, which stands in the `<div>` itself, may have a box of its own."""
        divs = [depth for depth, node in enumerate(self.stack) if node.tag == "div"]
        outer = next((depth for depth in divs if "data-bbox" in self.stack[depth].attributes), 0)
        if outer and (name != "p" or divs[-1] > outer):
            self._pop_to(outer)

    def _end_nearest(self, ended: frozenset[str], barrier: frozenset[str]) -> None:
        for depth in range(len(self.stack) - 1, 0, -1):
            if self.stack[depth].tag in barrier:
                return
            if self.stack[depth].tag in ended:
                self._pop_to(depth)
                return

    def _pop_to(self, depth: int) -> None:
        while len(self.stack) > depth:
            self._pop_unclosed()

    def _pop_unclosed(self) -> None:
        node = self.stack.pop()
        self.repairs.append(f"closed <{node.tag}>, which was left open")

    def close(self, name: str) -> None:
        if name in ("html", "body"):  # the report closes them in the other order
            return
        depth = next((i for i in range(len(self.stack) - 1, 0, -1) if self.stack[i].tag == name), 0)
        between = {node.tag for node in self.stack[depth + 1 :]}
        barrier = {"table"} if name in _TABLE_PARTS else frozenset[str]() if name in _BARRIER else _BARRIER
        if not depth or between & barrier:
            if name not in VOID:
                self.repairs.append(f"ignored </{name}>, which closes nothing")
            return
        self._pop_to(depth + 1)
        self.stack.pop().closed = True

    def skip_raw(self, text: str, at: int, name: str) -> int:
        """Put the inside of a raw element into it as one text. One left open ends where the next tag begins."""
        end = None if name in self.never_closed else re.compile(rf"</{name}\s*>", re.IGNORECASE).search(text, at)
        if end is None:
            self.never_closed.add(name)  # so that a text is not searched to its end again and again
        if name not in ("style", "title"):
            self.repairs.append(f"dropped <{name}>")
        stop = end or _NEXT_TAG.search(text, at)
        if self.stack[-1].tag == name:
            self.stack[-1].children.append(text[at : stop.start() if stop else len(text)])
            self.stack.pop().closed = end is not None
        return stop.end() if stop else len(text)

    def finish(self) -> None:
        while len(self.stack) > 1:
            if self.stack[-1].tag in ("html", "body"):
                self.stack.pop()
            else:
                self._pop_unclosed()
        _join_texts(self.root)


def _join_texts(node: Node) -> None:
    """Texts that stand side by side are one."""
    runs: list[list[str] | Node] = []
    for child in node.children:
        if isinstance(child, Node):
            runs.append(child)
        elif runs and isinstance(runs[-1], list):
            runs[-1].append(child)
        else:
            runs.append([child])
    node.children = [run if isinstance(run, Node) else "".join(run) for run in runs]
    for child in node.nodes:
        _join_texts(child)


def _attributes(rest: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(rest):
        value = next((group for group in match.groups()[1:] if group is not None), "")
        found.setdefault(match[1].lower(), html.unescape(value))
    return found
