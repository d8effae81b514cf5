"""Widgets as pixels, drawn with Pillow: a simple flow from top to bottom.

    paint(view, skin, 320) -> the page (as high as it needs) and {id: box} in pixels of the page

Knows colors and fonts; nothing of scrolling, focus or events beyond what it is told to show.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from PIL import Image

from viewfinder.agent.worlds.skins import Skin
from viewfinder.agent.worlds.widgets import Widget
from viewfinder.data.synth.drawn_text import Pen
from viewfinder.data.synth.fonts import load_font
from viewfinder.media.transform import Box
from viewfinder.outputs.lettering import wrap

_TALLEST = 1200


@dataclass
class Page:
    """A drawn page: `image` and where everything is on it."""

    image: Image.Image
    boxes: dict[str, Box] = field(default_factory=dict)


def paint(view: Widget, skin: Skin, width: int, focus: str = "", selected: bool = False) -> Page:
    """Draw a column of widgets.

    Args:
        focus: id of the field with the caret; `selected` when all of its text is.
    """
    page = Page(Image.new("RGB", (width, _TALLEST), skin.background))
    painter = _Painter(page, skin, focus, selected)
    bottom = painter.column(view, painter.gap * 1.5, float(width) - painter.gap * 1.5, painter.gap)
    assert bottom < _TALLEST, "an application's page is short"
    page.image = page.image.crop((0, 0, width, round(bottom)))
    return page


class _Painter:
    def __init__(self, page: Page, skin: Skin, focus: str, selected: bool) -> None:
        self.page, self.skin, self.focus, self.selected = page, skin, focus, selected
        self.pen = Pen(page.image)
        self.font, self.large = _font(skin.size), _font(round(skin.size * 1.35))
        self.small = _font(max(9, round(skin.size * 0.88)))
        self.line = skin.size * 1.3
        self.gap = skin.gap * skin.size

    def column(self, view: Widget, x0: float, x1: float, y: float) -> float:
        """Draw children below one another; gives the bottom, gap included."""
        for child in view.children:
            y = getattr(self, f"_{child.kind}")(child, x0, x1, y) + self.gap
        return y

    def _column(self, widget: Widget, x0: float, x1: float, y: float) -> float:
        return self.column(widget, x0, x1, y) - self.gap

    def _row(self, widget: Widget, x0: float, x1: float, y: float) -> float:
        children = widget.children
        if widget.style == "table" or any(child.style == "app" for child in children):
            count = max(2, len(children))
            edges = [x0 + (x1 - x0) * i / count for i in range(count + 1)]
            bottoms = [
                getattr(self, f"_{child.kind}")(child, edges[i], edges[i + 1] - self.gap / 2, y)
                for i, child in enumerate(children)
            ]
            return max(bottoms)
        widths = [min(self._natural(child), x1 - x0) for child in children]
        x, top, bottom = x0, y, y
        if self.skin.layout.from_right and sum(widths) + self.gap * len(widths) < x1 - x0:
            x = x1 - sum(widths) - self.gap * (len(widths) - 1)
        for child, width in zip(children, widths, strict=True):
            if x + width > x1 + 0.5 and x > x0:
                x, top = x0, bottom + self.gap
            bottom = max(bottom, getattr(self, f"_{child.kind}")(child, x, min(x + width, x1), top))
            x += width + self.gap
        return bottom

    def _natural(self, widget: Widget) -> float:
        return self.font.getlength(widget.text) + (self.skin.size * 1.6 if widget.kind == "button" else 2)

    def _gap(self, widget: Widget, x0: float, x1: float, y: float) -> float:
        return y + self.line

    def _text(self, widget: Widget, x0: float, x1: float, y: float) -> float:
        font = {"title": self.large, "small": self.small}.get(widget.style, self.font)
        for words in wrap(widget.text, font, x1 - x0):
            self.pen.text((x0, y), words, fill=self.skin.ink, font=font)
            y += font.size * 1.3
        return y

    def _panel(self, box: Box, fill: str, line: str = "", id: str = "") -> None:
        edges = [round(edge) for edge in box]  # a radius of half a side or more is more than Pillow draws
        radius = min(self.skin.radius * self.line, (edges[3] - edges[1]) // 2 - 1, (edges[2] - edges[0]) // 2 - 1)
        self.pen.rounded_rectangle(edges, max(0.0, radius), fill=fill, outline=line or None)
        if id:
            self.page.boxes[id] = box

    def _button(self, widget: Widget, x0: float, x1: float, y: float) -> float:
        skin, height = self.skin, self.line * (3 if widget.style == "app" else 1.5)
        strong = widget.style in ("main", "picked", "app")
        plain = skin.background if widget.style == "cell" else skin.surface
        self._panel((x0, y, x1, y + height), skin.accent if strong else plain, skin.line, widget.id)
        words = _cut(widget.text, self.font, x1 - x0 - 2)
        middle = ((x0 + x1) / 2, y + height / 2)
        self.pen.text(middle, words, fill=skin.on_accent if strong else skin.ink, font=self.font, anchor="mm")
        return y + height

    def _item(self, widget: Widget, x0: float, x1: float, y: float) -> float:
        height = self.line * (2.5 if widget.detail else 1.6)
        self._panel((x0, y, x1, y + height), self.skin.surface, self.skin.line, widget.id)
        left, width = x0 + self.skin.size * 0.5, x1 - x0 - self.skin.size
        self.pen.text(
            (left, y + self.line * 0.2), _cut(widget.text, self.font, width), fill=self.skin.ink, font=self.font
        )
        if widget.detail:
            words = _cut(widget.detail, self.small, width)
            self.pen.text((left, y + self.line * 1.3), words, fill=self.skin.ink, font=self.small)
        return y + height

    def _labelled(self, widget: Widget, x0: float, x1: float, y: float) -> tuple[Box, float]:
        """Draw the label; gives the box for what belongs to it, and the bottom."""
        height = self.line * 1.5
        if self.skin.layout.labels_beside:
            split = x0 + (x1 - x0) * 0.36
            words = _cut(widget.text, self.font, split - x0 - 2)
            self.pen.text((x0, y + height / 2), words, fill=self.skin.ink, font=self.font, anchor="lm")
            return (split, y, x1, y + height), y + height
        self.pen.text((x0, y), widget.text, fill=self.skin.ink, font=self.small)
        y += self.line
        return (x0, y, x1, y + height), y + height

    def _field(self, widget: Widget, x0: float, x1: float, y: float) -> float:
        box, bottom = self._labelled(widget, x0, x1, y)
        has_focus = widget.id == self.focus
        self._panel(box, self.skin.surface, self.skin.accent if has_focus else self.skin.line, widget.id)
        shown = "*" * len(widget.value) if widget.style == "secret" else widget.value
        words = _cut(shown, self.font, box[2] - box[0] - self.skin.size)
        left, middle = box[0] + self.skin.size * 0.5, (box[1] + box[3]) / 2
        end = left + self.font.getlength(words)
        if has_focus and self.selected and words:
            self.pen.rectangle((left, box[1] + 3, end, box[3] - 3), fill=self.skin.line)
        self.pen.text((left, middle), words, fill=self.skin.ink, font=self.font, anchor="lm")
        if has_focus:
            self.pen.line((end + 1, box[1] + 4, end + 1, box[3] - 4), fill=self.skin.ink)
        return bottom

    def _choice(self, widget: Widget, x0: float, x1: float, y: float) -> float:
        box, bottom = self._labelled(widget, x0, x1, y)
        self._panel(box, self.skin.surface, self.skin.line, widget.id)
        middle, a = (box[1] + box[3]) / 2, self.skin.size * 0.3
        words = _cut(widget.value, self.font, box[2] - box[0] - 2 * self.skin.size)
        self.pen.text((box[0] + self.skin.size * 0.5, middle), words, fill=self.skin.ink, font=self.font, anchor="lm")
        x = box[2] - self.skin.size
        self.pen.polygon([(x - a, middle - a / 2), (x + a, middle - a / 2), (x, middle + a)], fill=self.skin.ink)
        return bottom

    def _check(self, widget: Widget, x0: float, x1: float, y: float) -> float:
        side, height = self.line * 0.9, self.line * 1.3
        top = y + (height - side) / 2
        box = (x0, top, x0 + side, top + side)
        self._panel(box, self.skin.accent if widget.on else self.skin.surface, self.skin.line)
        if widget.on:
            a, b = side * 0.25, side * 0.45
            tick = [(x0 + a, top + b), (x0 + b, top + side - a), (x0 + side - a, top + a)]
            self.pen.line(tick, fill=self.skin.on_accent, width=2)
        words = _cut(widget.text, self.font, x1 - x0 - side - self.gap)
        left = x0 + side + self.gap
        self.pen.text((left, y + height / 2), words, fill=self.skin.ink, font=self.font, anchor="lm")
        self.page.boxes[widget.id] = (x0, y, left + self.font.getlength(words), y + height)
        return y + height

    def _canvas(self, widget: Widget, x0: float, x1: float, y: float) -> float:
        width, height = x1 - x0, (x1 - x0) * 0.75
        self._panel((x0, y, x1, y + height), "#efece4", self.skin.line, widget.id)
        least = min(width, height)
        for kind, numbers, color in widget.shapes:
            cx, cy = x0 + numbers[0] * width, y + numbers[1] * height
            if kind == "circle":
                r = numbers[2] * least
                self.pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=color)
            elif kind == "line":
                self.pen.line((cx, cy, x0 + numbers[2] * width, y + numbers[3] * height), fill=color, width=4)
            else:
                self.pen.text((cx, cy), color, fill="#222222", font=self.small, anchor="mm")
        return y + height


@lru_cache(maxsize=64)
def _font(size: int) -> Any:
    return load_font(None, size)


def _cut(words: str, font: Any, width: float) -> str:
    while words and font.getlength(words) > width:
        words = words[:-1]
    return words
