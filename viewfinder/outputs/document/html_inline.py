"""The words inside an element: a small, safe subset of inline HTML, kept as it was written.

What comes out can be put into a page as it stands: only `KEPT` tags, closed and nested, without attributes
except harmless ones; every other tag is dropped and its text kept. Characters and entities stay as they
were, so that text that was well formed is returned unchanged.
"""

import html
import re
from collections.abc import Sequence

from viewfinder.outputs.document.html_tree import BLOCK, RAW, Node

KEPT = frozenset(
    ("b", "strong", "i", "em", "u", "s", "del", "ins", "sub", "sup", "small", "mark", "span", "code", "br", "a")
)
_COLOR = re.compile(
    r"\s*(?:background-)?color\s*:\s*(?:#[0-9a-fA-F]{3,8}|[a-zA-Z]{3,20}|rgb\([\d,. %]{1,40}\))\s*;?\s*"
)
_LINK = re.compile(r"(?:https?://|mailto:)[^\s\"'<>`]{1,2000}", re.IGNORECASE)
_TAG = re.compile(r"<(/?)(\w+)[^<>]*>")
_AMPERSAND = re.compile(r"&(?=#?\w+;)")
_ENTITY = re.compile(r"&#?\w{1,32};")
_SPACES = re.compile(r"[^\S\n]+")


def escape(text: str) -> str:
    """Plain text as content. Only what would be read as markup changes: `a<b & c` gives `a&lt;b & c`."""
    return _AMPERSAND.sub("&amp;", text).replace("<", "&lt;")


def inline_content(children: Sequence[Node | str], tags: frozenset[str] = KEPT) -> str:
    """The safe content of `children`; blocks inside are parted by `<br>` (by a line where tags are not kept)."""
    parts: list[str] = []
    has_words, seen = False, 0
    for child in children:
        if isinstance(child, str):
            parts.append(child.replace("<", "&lt;"))
        elif child.tag in RAW or child.tag == "img":
            continue
        elif child.tag in tags:
            parts.append(_kept(child, tags))
        elif child.tag == "br":
            parts.append("\n")
        else:
            inside = inline_content(child.children, tags)
            has_words = has_words or any(part.strip() for part in parts[seen:])
            seen = len(parts)
            starts_line = child.tag in BLOCK and has_words and inside.strip()
            parts += [("<br>" if "br" in tags else "\n") if starts_line else "", inside]
    return "".join(parts)


def _kept(node: Node, tags: frozenset[str]) -> str:
    if node.tag == "br":
        return node.source if node.source in ("<br>", "<br/>", "<br />") else "<br>"
    attribute = ""
    if node.tag == "a":
        link = node.attributes.get("href", "").strip()
        if not _LINK.fullmatch(link):
            return inline_content(node.children, tags)
        attribute = f' href="{html.escape(link)}"'
    elif _COLOR.fullmatch(style := node.attributes.get("style", "")):
        attribute = f' style="{style}"'
    elif node.tag == "span":
        return inline_content(node.children, tags)
    return f"<{node.tag}{attribute}>{inline_content(node.children, tags)}</{node.tag}>"


def plain_text(content: str) -> str:
    """Content without markup: tags go, `<br>` becomes a line end, entities become characters."""
    text = _TAG.sub(lambda tag: "\n" if tag[2].lower() == "br" else "", content)
    lines = (_SPACES.sub(" ", line).strip() for line in unescape(text).split("\n"))
    return "\n".join(lines).strip()


def verbatim_text(content: str) -> str:
    """As `plain_text`, with all white space as it was."""
    return unescape(_TAG.sub(lambda tag: "\n" if tag[2].lower() == "br" else "", content))


def without_delimiters(text: str) -> str:
    """LaTeX without the dollars, `\\[ \\]` or `\\( \\)` around it."""
    latex = text.strip()
    for opening, closing in (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")):
        if len(latex) >= len(opening + closing) and latex.startswith(opening) and latex.endswith(closing):
            latex = latex[len(opening) : len(latex) - len(closing)].strip()
    latex = latex.lstrip("$ \n")  # one that the end of the text cut off
    return latex if latex.endswith("\\$") else latex.rstrip("$ \n")


def unescape(text: str) -> str:
    """The inverse of `escape`. Only whole entities count: LaTeX's `&not` is not `¬`."""
    return _ENTITY.sub(lambda entity: html.unescape(entity.group()), text)
