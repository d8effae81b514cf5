"""Documents as clean web pages: words, tables and figures, without boxes, classes or styles of the model.

One file that loads nothing and runs nothing: a content security policy says so, and what the model wrote has
only safe tags. Figures are cropped from the page images, which the caller gives.
"""

import base64
import hashlib
import html
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image as PillowImage

from viewfinder.outputs.document.elements import (
    Address,
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
from viewfinder.outputs.document.write import write_elements
from viewfinder.outputs.draw import PALETTE, data_uri

if TYPE_CHECKING:
    from viewfinder.outputs.document.document import Document, Page


PageImages = Sequence[PillowImage.Image | None]

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#222;background:#fff}
main{max-width:60rem;margin:0 auto;padding:1rem}
table{border-collapse:collapse;margin:.5rem 0}td,th{border:1px solid #bbb;padding:.2rem .5rem;text-align:left}
img{max-width:100%}figure{margin:1rem 0}figcaption{color:#555}.formula,pre{overflow-x:auto;white-space:pre-wrap}
"""


def crop_figures(page: "Page", image: PillowImage.Image) -> dict[int, PillowImage.Image]:
    """Pictures of a page by the index of their element; `image` is the page in any size."""
    width, height = page.size
    crops: dict[int, PillowImage.Image] = {}
    for i, element in enumerate(page.elements):
        box = (element.image_box or element.box) if isinstance(element, Picture) else None
        if box is None:
            continue
        scale = (image.width / width, image.height / height) * 2
        x1, y1, x2, y2 = (round(value * factor) for value, factor in zip(box, scale, strict=True))
        if x2 > x1 and y2 > y1:
            crops[i] = image.crop((x1, y1, x2, y2))
    return crops


def clean_html(document: "Document", pages: PageImages = ()) -> str:
    """A web page of the document's words and tables, with the figures cropped from the page images."""
    parts: list[str] = []
    for page, image in zip(document.pages, padded(pages, len(document.pages)), strict=True):
        figures = {i: data_uri(crop) for i, crop in crop_figures(page, image).items()} if image else {}
        parts += [clean_element(element, figures.get(i)) for i, element in enumerate(page.elements)]
    return web_page("\n".join(part for part in parts if part), STYLE, "")


def padded(pages: PageImages, count: int) -> Iterator[PillowImage.Image | None]:
    """`count` page images, one at a time, so that a sequence that draws them when asked keeps one in memory."""
    return (pages[i] if i < len(pages) else None for i in range(count))


def web_page(body: str, style: str, script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"script-src 'sha256-{digest}'; " if script else ""
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; {allowed}base-uri 'none'; form-action 'none'"
    )
    return (
        f'<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" '
        f'content="{policy}">\n<title>Document</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n'
        + (f"<script>{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def clean_element(element: Element, figure: str | None) -> str:
    """One element without boxes, classes and styles of the model."""
    image = f'<img src="{figure}" alt="{html.escape(element.kind)}">' if figure else ""
    match element:
        case Heading():
            return f"<h{element.level}>{element.content}</h{element.level}>"
        case Code():
            return f"<pre>{element.content}</pre>"
        case Paragraph():
            return f"<p>{element.content}</p>"
        case Address():
            return f"<address>{''.join(f'<p>{part.content}</p>' for part in element.paragraphs)}</address>"
        case ListBlock() | Table():
            return _without_boxes(element)
        case Chart():
            table = _without_boxes(element.table) if element.table else ""
            return f"<figure>{image}{table}{_paragraphs(element.paragraphs)}</figure>"
        case Image():
            words = _paragraphs(element.paragraphs)
            return f"<figure>{image}<figcaption>{words}</figcaption></figure>" if words else f"<figure>{image}</figure>"
        case Formula():
            return f'<div class="formula">{image if not element.latex else ""}$${html.escape(element.latex)}$$</div>'
        case Written():
            return f"<figure>{image}<pre>{html.escape(element.text)}</pre></figure>"
        case _:
            return ""


def _paragraphs(contents: Sequence[str]) -> str:
    return "".join(f"<p>{content}</p>" for content in contents)


def _without_boxes(element: ListBlock | Table) -> str:
    bare = _bare_list(element) if isinstance(element, ListBlock) else replace(element, box=None, name="", style="")
    return write_elements([bare], None).strip()


def _bare_list(block: ListBlock) -> ListBlock:
    items = tuple(replace(item, box=None, below=_bare_list(item.below) if item.below else None) for item in block.items)
    return replace(block, box=None, items=items)


_VIEWER_STYLE = """
.page{display:grid;grid-template-columns:1fr 1fr;gap:1rem;padding:1rem;border-bottom:4px solid #ddd}
.scan{align-self:start;position:sticky;top:1rem}.scan img{width:100%;display:block;outline:1px solid #ccc}
.blank{background:#eee}.box{position:absolute;border:2px solid;box-sizing:border-box;opacity:.55;cursor:pointer}
.box:hover,.box.on{opacity:1;background:#ffe60055}
.part{border-left:4px solid;padding:.1rem .6rem;margin:.4rem 0;cursor:pointer}
.part.on{background:#fff4a8}.kind{font-size:11px;color:#888;float:right}.notes{color:#a40;font-size:13px}
"""
_SCRIPT = """
for (const part of document.querySelectorAll('[data-i]')) {
  const twins = document.querySelectorAll('[data-i="' + part.dataset.i + '"]');
  part.onmouseenter = () => twins.forEach(t => t.classList.add('on'));
  part.onmouseleave = () => twins.forEach(t => t.classList.remove('on'));
  part.onclick = () => twins.forEach(t => t === part || t.scrollIntoView({block: 'center', behavior: 'smooth'}));
}
"""


def viewer_html(document: "Document", pages: PageImages = ()) -> str:
    """One file: each page image with its boxes beside the parsed text; pointing at one shows the other."""
    parts = [
        _view_page(page, image) for page, image in zip(document.pages, padded(pages, len(document.pages)), strict=True)
    ]
    return web_page("\n".join(parts), STYLE + _VIEWER_STYLE, _SCRIPT)


def _view_page(page: "Page", image: PillowImage.Image | None) -> str:
    width, height = page.size
    colors = {kind: PALETTE[i % len(PALETTE)] for i, kind in enumerate(dict.fromkeys(e.kind for e in page.elements))}
    boxes: list[str] = []
    parts: list[str] = []
    for i, element in enumerate(page.elements):
        key, color = f"{page.number}-{i}", "rgb({},{},{})".format(*colors[element.kind])
        if element.box is not None:
            place = _percent(element.box, width, height)
            boxes.append(f'<div class="box" data-i="{key}" style="border-color:{color};{place}"></div>')
        body = clean_element(element, None)
        kind = f'<span class="kind">{element.kind}</span>'
        parts.append(f'<div class="part" data-i="{key}" style="border-color:{color}">{kind}{body}</div>')
    scan = f'<img src="{data_uri(image)}" alt="page {page.number + 1}">' if image else _blank(width, height)
    notes = "".join(f'<p class="notes">{html.escape(repair)}</p>' for repair in page.repairs)
    left = f'<div class="scan">{scan}{"".join(boxes)}</div>'
    return f'<section class="page">{left}<div>{"".join(parts)}{notes}</div></section>'


def _blank(width: float, height: float) -> str:
    return f'<div class="blank" style="aspect-ratio:{width:g}/{height:g}"></div>'


def _percent(box: tuple[float, float, float, float], width: float, height: float) -> str:
    left, top = 100 * box[0] / width, 100 * box[1] / height
    return (
        f"left:{left:.2f}%;top:{top:.2f}%;width:{100 * (box[2] - box[0]) / width:.2f}%;"
        f"height:{100 * (box[3] - box[1]) / height:.2f}%"
    )
