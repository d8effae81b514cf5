"""The parts of a page: heads, running text, lists, tables and figures, each set into a column with its truth.

A block is a function of (generator, sheet, column, look) that draws one element and moves the column down, or gives
None and draws nothing where there is no room.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.documents.lettering import Column, Face, Faces, set_text
from viewfinder.data.synth.documents.sheet import Sheet, union
from viewfinder.data.synth.documents.tables import draw_style, draw_table, make_grid
from viewfinder.data.synth.kinds import Split
from viewfinder.data.synth.shapes import (
    COLOR_NAMES,
    COLORS,
    SHAPE_NAMES,
    PixelRectangle,
    draw_mask,
    held_out_pair,
    paint,
)
from viewfinder.data.synth.topics import Story
from viewfinder.outputs.document.elements import Element, Heading, Image, ListBlock, ListItem, Paragraph
from viewfinder.outputs.document.html_inline import escape


@dataclass(frozen=True)
class Look:
    """How the blocks of a page look and what they tell: faces, size of running text, where it keeps to, gaps."""

    faces: Faces
    size: int
    split: Split
    difficulty: float
    story: Story
    leading: float = 1.25
    align: str = "left"
    gap: int = 8

    def face(self, sheet: Sheet) -> Face:
        return Face(self.faces.plain, self.size, sheet.ink, self.leading, self.align)

    def bold(self, sheet: Sheet) -> Face:
        return Face(self.faces.bold, self.size, sheet.ink, self.leading, self.align)

    def between(self, rng: np.random.Generator, easy: int, hard: int) -> int:
        """A whole number from `easy` to what the difficulty allows."""
        return number(rng, easy, max(easy, round(easy + (hard - easy) * self.difficulty)))


Block = Callable[[np.random.Generator, Sheet, Column, Look], Element | None]


def heading(rng: np.random.Generator, sheet: Sheet, column: Column, look: Look, level: int = 2) -> Element | None:
    """A title of a section; larger than the text, bold, or colored."""
    size = round(look.size * (1.2 if level > 1 else float(rng.uniform(1.3, 1.7))))
    color = sheet.accent if chance(rng, 0.4) else sheet.ink
    face = Face(look.faces.head, size, color, 1.15, look.align)
    if column.room < face.step + 2 * look.size:
        return None
    set_ = set_text(sheet, column, look.story.title() if level == 1 else look.story.head(), face)
    if set_ is None:
        return None
    if level == 1 and chance(rng, 0.3):
        column.y += 3
        sheet.pen.line((column.x, column.y, column.x + column.width, column.y), sheet.accent)
        column.y += 3
    return Heading(_box(set_[1]), escape(set_[0]), level)


def running_text(rng: np.random.Generator, sheet: Sheet, column: Column, look: Look) -> Element | None:
    """A paragraph."""
    face = look.face(sheet)
    indent = look.size if look.difficulty > 0.4 and chance(rng, 0.15) else 0
    set_ = set_text(sheet, column, look.story.paragraph(look.between(rng, 1, 3)), face, indent)
    return None if set_ is None else Paragraph(_box(set_[1]), escape(set_[0]))


def bullet_list(rng: np.random.Generator, sheet: Sheet, column: Column, look: Look) -> Element | None:
    """Items behind dots, dashes, boxes or numbers; the box holds the marks too."""
    ordered = chance(rng, 0.4)
    long = look.difficulty > 0.3 and chance(rng, 0.3)
    face = look.face(sheet).like(align="left")
    mark = pick(rng, ("dot", "ring", "square", "dash"))
    indent = round(look.size * 1.5)
    start, lines = column.y, len(column.lines)
    items: list[ListItem] = []
    boxes: list[PixelRectangle] = []
    for i in range(look.between(rng, 2, 7)):
        if column.room < face.step:
            break
        top = column.y
        words = look.story.paragraph(1) if long else look.story.item()
        set_ = set_text(sheet, column, words, face, indent)
        if set_ is None:
            break
        if ordered:
            sheet.pen.text((column.x, top), f"{i + 1}.", fill=face.color, font=face.font)
        else:
            _mark(sheet, mark, column.x + indent // 2, top + face.step // 2, max(2, look.size // 7), face)
        box = sheet.ink_box((column.x, top, column.x + column.width, column.y)) or set_[1]
        items.append(ListItem(escape(set_[0])))
        boxes.append(box)
        column.y += round(look.gap / 4)
    if len(items) < 2:
        sheet.pen.erase((column.x, start, column.x + column.width, column.y), sheet.paper)
        del column.lines[lines:]  # an item may have several
        column.y = start
        return None
    return ListBlock(_box(union(boxes)), tuple(items), ordered)


def _mark(sheet: Sheet, mark: str, x: int, y: int, half: int, face: Face) -> None:
    area = (x - half, y - half, x + half, y + half)
    if mark == "dot":
        sheet.pen.ellipse(area, fill=face.color)
    elif mark == "ring":
        sheet.pen.ellipse(area, outline=face.color)
    elif mark == "square":
        sheet.pen.rectangle(area, fill=face.color)
    else:
        sheet.pen.line((x - half - 1, y, x + half + 1, y), face.color, max(1, half // 2))


def table(rng: np.random.Generator, sheet: Sheet, column: Column, look: Look) -> Element | None:
    """A small table; cells merge when it is harder."""
    columns = min(look.between(rng, 2, 6), max(2, column.width // (6 * look.size)))
    rows = look.between(rng, 1, 10)
    face = look.face(sheet).like(align="left", leading=1.1)
    head = look.bold(sheet).like(align="left", leading=1.1)
    style = draw_style(rng, sheet, face, head, look.split, tight=column.width < 300)
    for attempt in range(3):
        size = max(1, rows - attempt), max(2, columns - attempt)
        grid = make_grid(rng, *size, spans=look.difficulty * 0.8, about=look.story.tables)
        if (drawn := draw_table(sheet, column, grid, style)) is not None:
            column.y += 2
            return drawn.element()
    return None


def figure(rng: np.random.Generator, sheet: Sheet, column: Column, look: Look) -> Element | None:
    """A colored shape in a frame or without; its description is kept for pages that want captions."""
    side = number(rng, 2 * look.size + 8, max(2 * look.size + 10, min(column.width, 7 * look.size)))
    if column.room < side + 2:
        return None
    names = [(shape, color) for shape in SHAPE_NAMES for color in COLOR_NAMES]
    fit = [pair for pair in names if held_out_pair(*pair) == (look.split == "held_out") and _seen(pair[1], sheet)]
    shape, color = pick(rng, fit)
    mask = draw_mask(shape, side - 8, side - 8, 0.0)
    x = column.x + number(rng, 0, max(0, column.width - mask.width)) // (1 if chance(rng, 0.5) else 2)
    area = (x, column.y, x + mask.width, column.y + mask.height)
    sheet.image.paste(PillowImage.new("RGB", mask.size, paint(rng, color)), area[:2], mask)
    box = sheet.ink_box(area)
    column.y += mask.height + 2
    words = f"A {color} {shape}." if color[0] not in "aeiou" else f"An {color} {shape}."
    return None if box is None else Image(_box(box), _box(box), role="caption", paragraphs=(words,))


def _seen(color: str, sheet: Sheet) -> bool:
    return sum(abs(a - b) for a, b in zip(COLORS[color], sheet.paper, strict=True)) > 170


def _box(box: PixelRectangle) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    return float(x1), float(y1), float(x2), float(y2)
