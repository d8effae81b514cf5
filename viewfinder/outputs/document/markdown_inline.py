"""Inline content as Markdown: marks for bold, italic, struck, code and links; formulas between dollars; all else as it
reads: a character that Markdown would take for a mark is escaped (`5*3*2` is `5\\*3\\*2`)."""

import re

from viewfinder.outputs.document.html_inline import unescape

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
