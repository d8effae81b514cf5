"""The kind "web_pages": articles laid out by a browser, as QwenVL HTML."""

import html as markup

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.documents.lettering import Line
from viewfinder.data.synth.documents.pages import SetPage, ask, page_size
from viewfinder.data.synth.documents.tables import make_grid
from viewfinder.data.synth.exchange import converse
from viewfinder.data.synth.grounds import camera
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.topics import Story
from viewfinder.data.synth.web.browser import Shown, show
from viewfinder.errors import DataError
from viewfinder.outputs.document.elements import (
    Cell,
    Element,
    Heading,
    ListBlock,
    ListItem,
    Paragraph,
    Row,
    Table,
)
from viewfinder.outputs.document.html_inline import escape
from viewfinder.outputs.place import Corners

FONTS = (
    "DejaVu Sans",
    "DejaVu Serif",
    "Arimo",
    "Tinos",
    "Karla",
    "Open Sans",
    "Roboto",
    "Noto Sans",
)
HELD_OUT_FONTS = ("Cantarell", "Cabin", "Vollkorn")
TRIES = 8
LAYOUTS, HELD_OUT_LAYOUTS = ("article", "columns", "card"), ("aside",)


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A page and a question."""
    page = render_page(rng, options)
    return converse([ask(rng, page)], camera(rng, page.image, options.difficulty * 0.5), lineage=("chromium",))


def render_page(rng: np.random.Generator, options: Options) -> SetPage:
    """Write HTML at random, lay it out, and keep what is wholly inside the picture; where nothing is, again.

    Raises:
        MissingMaterial: there is no browser.
        DataError: pictures are too small for anything.
    """
    for _ in range(TRIES):
        if (page := _render(rng, options)) is not None:
            return page
    raise DataError(f"{TRIES} rendered pages showed no whole element; ask for larger pictures (--max-side)")


def _render(rng: np.random.Generator, options: Options) -> SetPage | None:
    size = page_size(rng, options, least=180)
    shown = show(write_html(rng, options), size)
    elements = [e for node in shown.nodes if _is_inside(node, size) and (e := _element(node, shown)) is not None]
    cut = [node for node in shown.nodes if not _is_inside(node, size) and node["own"][1] < size[1]]
    image = shown.image
    if cut:  # what the picture's edge cuts is painted over
        first = max(1, int(min(node["own"][1] for node in cut)) - 2)
        elements = [e for e in elements if e.box is not None and e.box[3] <= first]
        image = image.crop((0, 0, size[0], max(56, first)))
    if not elements:
        return None
    lines = [Line(e.text, _whole(e.box)) for e in elements if e.kind == "heading" and e.box]
    return SetPage(image, tuple(elements), tuple(lines) if len(lines) == len(elements) else ())


def _whole(box: Corners) -> tuple[int, int, int, int]:
    return int(box[0]), int(box[1]), int(box[2]), int(box[3])


def _is_inside(node: dict, size: tuple[int, int]) -> bool:  # type: ignore[type-arg]
    left, top, right, bottom = node["own"]
    return left >= 0 and top >= 0 and right <= size[0] + 0.5 and bottom <= size[1] + 0.5


def write_html(rng: np.random.Generator, options: Options) -> str:
    """A document with style; nodes that are elements carry `data-kind`."""
    held_out = options.split == "held_out"
    em = number(rng, 14 - round(3 * options.difficulty), 17 - round(2 * options.difficulty))
    dark = chance(rng, 0.12)
    back, ink = ("#1c1d22", "#eceef2") if dark else (pick(rng, ("#ffffff", "#fafafa", "#fffdf5")), "#1a1a1e")
    accent = pick(rng, ("#1a5fb4", "#a51d2d", "#26734d", "#613583", "#8a4b00"))
    layout = pick(rng, HELD_OUT_LAYOUTS if held_out else LAYOUTS)
    columns = "column-count:2;column-gap:1.4em;" if layout == "columns" and options.max_side > 480 else ""
    card = "border:1px solid #bbb;border-radius:8px;padding:.6em;" if layout == "card" else ""
    aside = f"border-left:4px solid {accent};padding-left:.7em;" if layout == "aside" else ""
    rule = pick(rng, ("border:1px solid #999", "border-bottom:1px solid #aaa", "padding:.1em .5em"))
    style = (
        f"body{{margin:{number(rng, 6, 14)}px;background:{back};color:{ink};"
        f"font:{em}px/{rng.uniform(1.2, 1.5):.2f} '{pick(rng, HELD_OUT_FONTS if held_out else FONTS)}'}}"
        f"main{{{columns}{card}{aside}}}h1,h2{{color:{accent if chance(rng, 0.5) else ink}}}"
        "h1,h2{margin:.2em 0 .5em;line-height:1.15}p,li,table{break-inside:avoid}"
        f"h1{{font-size:1.4em}}h2{{font-size:1.15em}}p,ul,ol,table{{margin:0 0 .7em}}ul,ol{{padding-left:1.5em}}"
        f"table{{border-collapse:collapse}}td,th{{{rule};padding:.15em .45em;text-align:left}}"
    )
    story = Story(rng, options.split)
    blocks = [f'<h1 data-kind="heading1">{markup.escape(story.title())}</h1>'] if chance(rng, 0.8) else []
    for _ in range(number(rng, 2, 4 + round(10 * options.difficulty))):
        blocks.append(pick(rng, (_paragraph, _paragraph, _list, _table, _heading))(rng, options.difficulty, story))
    return f"<!DOCTYPE html><html><head><style>{style}</style></head><body><main>{''.join(blocks)}</main></body></html>"


def _paragraph(rng: np.random.Generator, hard: float, story: Story) -> str:
    return f'<p data-kind="paragraph">{markup.escape(story.paragraph(number(rng, 1, 1 + round(3 * hard))))}</p>'


def _heading(rng: np.random.Generator, hard: float, story: Story) -> str:
    return f'<h2 data-kind="heading2">{markup.escape(story.head())}</h2>'


def _list(rng: np.random.Generator, hard: float, story: Story) -> str:
    tag = pick(rng, ("ul", "ol"))
    items = "".join(f"<li>{markup.escape(story.item())}</li>" for _ in range(number(rng, 2, 3 + round(3 * hard))))
    return f'<{tag} data-kind="list" data-whole="1">{items}</{tag}>'


def _table(rng: np.random.Generator, hard: float, story: Story) -> str:
    grid = make_grid(
        rng, number(rng, 1, 2 + round(4 * hard)), 2 + round(2 * hard), spans=0.6 * hard, about=story.tables
    )
    rows = ""
    for r in range(grid.num_rows):
        cells = ""
        for e in grid.entries:
            if e.at[0] == r:
                tag = "th" if e.head else "td"
                spans = (f' rowspan="{e.rows}"' if e.rows > 1 else "") + (
                    f' colspan="{e.columns}"' if e.columns > 1 else ""
                )
                cells += f"<{tag}{spans}>{markup.escape(e.text)}</{tag}>"
        rows += f"<tr>{cells}</tr>"
    return f'<table data-kind="table" data-whole="1">{rows}</table>'


def _element(node: dict, shown: Shown) -> Element | None:  # type: ignore[type-arg]
    """A node as an element of the page format, its box measured on the picture."""
    box = shown.ink_box(node["rect"])
    if box is None:
        return None
    place = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
    words = escape(" ".join(node["text"].split()))
    kind = node["kind"]
    if kind.startswith("heading"):
        return Heading(place, words, int(kind[-1]))
    if kind == "list":
        items = tuple(ListItem(escape(" ".join(text.split()))) for text in node["items"])
        return ListBlock(place, items, node["ordered"])
    if kind == "table":
        rows = [
            Row(tuple(Cell(escape(" ".join(text.split())), down, right, tag == "TH") for text, down, right, tag in row))
            for row in node["rows"]
        ]
        return Table(place, tuple(rows))
    return Paragraph(place, words)
