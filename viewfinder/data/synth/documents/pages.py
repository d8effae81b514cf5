"""The kind "pages": a page set in type, and its QwenVL HTML, its words, its lines, or a part that is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image as PillowImage

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick, weighted
from viewfinder.data.synth.documents import blocks
from viewfinder.data.synth.documents.blocks import Block, Look
from viewfinder.data.synth.documents.lettering import Column, Face, Line, draw_faces, set_line
from viewfinder.data.synth.documents.sheet import Sheet, draw_palette
from viewfinder.data.synth.exchange import Exchange, converse, one_or_two
from viewfinder.data.synth.grounds import camera
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.topics import Story
from viewfinder.media.transform import Transform
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.document.document import Document, Page
from viewfinder.outputs.document.elements import Element, Heading, Image
from viewfinder.outputs.document.html_inline import escape

LAYOUTS = ("plain", "banner")
HELD_OUT_LAYOUTS = ("centered", "sidebar")
BLOCKS: Mapping[Block, float] = {
    blocks.running_text: 4.0,
    blocks.heading: 1.5,
    blocks.bullet_list: 1.5,
    blocks.table: 1.3,
    blocks.figure: 0.8,
}
CAPTION_PROMPT = "QwenVL HTML with image caption"


@dataclass(frozen=True)
class SetPage:
    """A page: its picture, elements and lines of text in reading order."""

    image: PillowImage.Image
    elements: tuple[Element, ...]
    lines: tuple[Line, ...]

    @property
    def frame(self) -> Transform:
        return Transform.identity(self.image.size)


def page_size(rng: np.random.Generator, options: Options, least: int = 140) -> tuple[int, int]:
    """Mostly upright. Easy pages have sides of whole tokens (28 pixels), so that nothing is resampled."""
    low = min(max(options.min_side, least), options.max_side)
    width = number(rng, low, max(low, round(options.max_side / 1.2)))
    height = min(options.max_side, max(low, round(width * float(rng.uniform(0.9, 1.4)))))
    if options.difficulty < 0.35:
        return max(28, round(width / 28) * 28), max(28, round(height / 28) * 28)
    return width, height


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A page and one question, sometimes two."""
    page = set_page(rng, options)
    exchanges = one_or_two(rng, lambda: ask(rng, page), 0.2)
    image = camera(rng, page.image, options.difficulty * 0.6)
    return converse(exchanges, image, lineage=("typeset",))


def set_page(
    rng: np.random.Generator,
    options: Options,
    size: tuple[int, int] | None = None,
    mix: Mapping[Block, float] | None = None,
    most: int | None = None,
) -> SetPage:
    """Draw a page; `mix` are blocks by weight, `most` the largest number of elements."""
    size = size or page_size(rng, options)
    colors = draw_palette(rng, options.difficulty, printed=True)
    sheet = Sheet(size, colors.paper, colors.ink, colors.accent)
    layout = pick(rng, LAYOUTS if options.split == "train" else HELD_OUT_LAYOUTS)
    hard = options.difficulty
    smallest = 14 - round(4 * hard)
    em = number(rng, smallest, max(smallest, min(20 - round(7 * hard), round(size[0] / 11))))
    look = Look(
        faces=draw_faces(rng, options.split, options.fonts),
        size=em,
        split=options.split,
        difficulty=hard,
        story=Story(rng, options.split),
        leading=float(rng.uniform(1.12, 1.45)),
        align="center" if layout == "centered" else "left",
        gap=number(rng, max(4, em // 3), em),
    )
    most = most or number(rng, 2, 6 if size[1] < 400 else 6 + round(10 * hard))
    elements, columns = _head(rng, sheet, look, layout)
    for column in columns:
        limit = most if column is columns[-1] else number(rng, 1, most)
        elements += _fill(rng, sheet, column, look, mix or BLOCKS, limit - len(elements))
    lines = tuple(line for column in columns for line in column.lines)
    return SetPage(sheet.image, tuple(elements), lines)


def _head(rng: np.random.Generator, sheet: Sheet, look: Look, layout: str) -> tuple[list[Element], list[Column]]:
    """The title, if any, and the columns below."""
    width, height = sheet.size
    margin = number(rng, 6, max(8, width // 14))
    top = Column(margin, margin, width - 2 * margin, height - margin)
    elements: list[Element] = []
    if layout == "banner":
        elements += _banner(rng, sheet, top, look)
    elif chance(rng, 0.6):
        found = blocks.heading(rng, sheet, top, look, 1)
        elements += [found] if found else []
        top.y += look.gap
    if layout == "sidebar":
        return elements, _beside(top, [0.36, 0.64], look)
    wide_enough = width > 26 * look.size
    count = number(rng, 1, 3 if width > 42 * look.size else 2) if wide_enough and chance(rng, look.difficulty) else 1
    return elements, _beside(top, [1 / count] * count, look)


def _beside(top: Column, shares: list[float], look: Look) -> list[Column]:
    gutter = look.size
    room = top.width - gutter * (len(shares) - 1)
    columns: list[Column] = []
    x = top.x
    for i, share in enumerate(shares):
        columns.append(Column(x, top.y, int(room * share), top.bottom, top.lines if i == 0 else []))
        x += int(room * share) + gutter
    return columns


def _banner(rng: np.random.Generator, sheet: Sheet, top: Column, look: Look) -> list[Element]:
    """A title, light on a bar of color at the top."""
    dark = sum(sheet.accent) < 380
    face = Face(look.faces.head, round(look.size * 1.25), (255, 255, 255) if dark else (10, 10, 10), 1.2)
    text = look.story.title()
    while face.width(text) > top.width and " " in text:
        text = text.rsplit(" ", 1)[0]
    height = face.step + 2 * number(rng, 3, 8)
    sheet.pen.rectangle((0, 0, sheet.size[0], height), fill=sheet.accent)
    box = set_line(sheet, text, face, top.x, (height - face.step) // 2, None, sheet.accent)
    top.y = height + look.gap
    if box is None:
        return []
    top.lines.append(Line(text, box))
    x1, y1, x2, y2 = box
    return [Heading((float(x1), float(y1), float(x2), float(y2)), escape(text), 1)]


def _fill(
    rng: np.random.Generator, sheet: Sheet, column: Column, look: Look, mix: Mapping[Block, float], most: int
) -> list[Element]:
    """Blocks down a column until it is full or there are enough; a head is never the last."""
    elements: list[Element] = []
    failed = 0
    while len(elements) < most and failed < 3 and column.room > look.size:
        after_head = bool(elements) and isinstance(elements[-1], Heading)
        block = weighted(rng, {b: w for b, w in mix.items() if not (after_head and b is blocks.heading)})
        element = block(rng, sheet, column, look)
        if element is None:
            failed += 1
            continue
        elements.append(element)
        column.y += look.gap
    return elements


def answer_html(page: SetPage, captions: bool = False) -> str:
    """The page in QwenVL HTML, fenced, with figures described or bare."""
    elements = [
        replace(e, role="", paragraphs=()) if isinstance(e, Image) and e.role == "caption" and not captions else e
        for e in page.elements
    ]
    return Document((Page(tuple(elements), page.frame),)).to_html(fenced=True)


def ask(rng: np.random.Generator, page: SetPage) -> Exchange:
    """One exchange about a page."""
    task = weighted(rng, {"parse": 5.0, "read": 1.0, "spot": 0.8, "part": 1.5, "title": 0.5})
    if task == "read" and page.lines and not any(e.kind == "table" for e in page.elements):
        text = "\n".join(line.text for line in page.lines)
        return Exchange("read", prompts.read_prompt(), text, truth={"text": text})
    if task == "spot" and page.lines and not any(e.kind == "table" for e in page.elements):
        boxes = [Box(*map(float, line.box), label="", text=line.text) for line in page.lines]
        truth = {"boxes": [list(line.box) for line in page.lines], "texts": [line.text for line in page.lines]}
        return Exchange("spot", prompts.spotting_prompt(), format_boxes(boxes, page.frame), "boxes", truth=truth)
    if task == "part" and page.elements:
        return _part(rng, page)
    heads = [e for e in page.elements if isinstance(e, Heading) and e.level == 1]
    if task == "title" and heads:
        return Exchange("ask", "What is the title of the page?", heads[0].text, truth={"answer": heads[0].text})
    return parse(rng, page)


def parse(rng: np.random.Generator, page: SetPage) -> Exchange:
    """The whole page in QwenVL HTML."""
    captions = any(isinstance(e, Image) for e in page.elements) and chance(rng, 0.4)
    truth = {"kinds": [e.kind for e in page.elements], "boxes": [list(e.box or ()) for e in page.elements]}
    question = CAPTION_PROMPT if captions else prompts.parse_prompt()
    return Exchange("parse", question, answer_html(page, captions), "html", truth=truth)


_KIND_NAMES = {"paragraph": "paragraph", "heading": "heading", "list": "list", "table": "table", "image": "figure"}


def _part(rng: np.random.Generator, page: SetPage) -> Exchange:
    """Where an element is, by its kind or by its first words; or a kind that is not on the page."""
    if chance(rng, 0.15):
        missing = [k for k in _KIND_NAMES if all(e.kind != k for e in page.elements)]
        if missing:
            return _located(f"every {_KIND_NAMES[pick(rng, missing)]}", [], page)
    element = pick(rng, [e for e in page.elements if e.kind in _KIND_NAMES])
    words = element.text.split()
    if element.kind in ("paragraph", "heading") and len(words) > 2 and chance(rng, 0.5):
        phrase = f'the {element.kind} that begins with "{" ".join(words[:3])}"'
        same = [e for e in page.elements if e.kind == element.kind and e.text.split()[:3] == words[:3]]
        return _located(phrase, same, page)
    return _located(f"every {_KIND_NAMES[element.kind]}", [e for e in page.elements if e.kind == element.kind], page)


def _located(phrase: str, elements: list[Element], page: SetPage) -> Exchange:
    boxes = [Box(*e.box, label=_KIND_NAMES[e.kind]) for e in elements if e.box]
    truth = {"boxes": [list(b.xyxy) for b in boxes]}
    return Exchange("locate", prompts.locate_prompt(phrase), format_boxes(boxes, page.frame), "boxes", truth=truth)
