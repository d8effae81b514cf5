"""A viewer in one file: each page image with its boxes beside the parsed text; pointing at one shows the other.

It loads nothing, and a content security policy lets only its own few lines run.
"""

import html
from typing import TYPE_CHECKING

from PIL import Image as PillowImage

from viewfinder.outputs.document.clean import STYLE, PageImages, clean_element, data_uri, padded, web_page
from viewfinder.outputs.draw import PALETTE

if TYPE_CHECKING:
    from viewfinder.outputs.document.document import Document, Page

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
        f"left:{left:.2f}%;top:{top:.2f}%;width:{100 * (box[2] - box[0]) / width:.2f}%;height:{100 * (box[3] - box[1]) / height:.2f}%"
    )
