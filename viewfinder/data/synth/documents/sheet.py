"""The paper that pages, bills, tables and screens are drawn on, and what it knows: where ink really is.

Things are drawn on one flat color; `ink_box` then finds what differs from it, so boxes are tight by measurement and
not by what a font or a renderer says of itself. What a camera or a scanner adds comes last (`grounds.camera`).
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.drawn_text import Pen
from viewfinder.data.synth.shapes import PixelRectangle

Color = tuple[int, int, int]
_FAINT = 40
"""Differences from the paper below this (of 255, in the strongest channel) are no ink: edges of letters fade out."""


class Sheet:
    """A picture in the making.

    Attributes:
        image: RGB.
        pen: draws on it, and notes what it writes.
        paper: the flat color below.
        ink: the usual color of letters.
        accent: a second color, for heads and rules.
    """

    def __init__(self, size: tuple[int, int], paper: Color, ink: Color, accent: Color | None = None) -> None:
        self.image = Image.new("RGB", size, paper)
        self.pen = Pen(self.image)
        self.paper, self.ink, self.accent = paper, ink, accent or ink

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size

    def ink_box(self, area: PixelRectangle, ground: Color | None = None) -> PixelRectangle | None:
        """The smallest box in `area` that holds all its ink; None where there is none.

        Args:
            area: x1, y1, x2, y2; what lies outside the sheet is left out.
            ground: the flat color of that area, where it is not the paper's.
        """
        x1, y1 = max(0, area[0]), max(0, area[1])
        x2, y2 = min(self.image.width, area[2]), min(self.image.height, area[3])
        if x2 <= x1 or y2 <= y1:
            return None
        part = self.image.crop((x1, y1, x2, y2))
        apart = ImageChops.difference(part, Image.new("RGB", part.size, ground or self.paper))
        red, green, blue = apart.split()
        strongest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
        box = ImageChops.subtract(strongest, Image.new("L", part.size, _FAINT)).getbbox()
        return None if box is None else (x1 + box[0], y1 + box[1], x1 + box[2], y1 + box[3])

    def cut_below(self, y: int, whole: bool) -> Image.Image:
        """The sheet without the empty paper below `y`; `whole` keeps a height of whole tokens (28 pixels)."""
        height = min(self.size[1], y)
        height = min(self.size[1], -(-height // 28) * 28) if whole else height
        return self.image.crop((0, 0, self.size[0], height))


@dataclass(frozen=True)
class Palette:
    """Colors that go together."""

    paper: Color
    ink: Color
    accent: Color


def draw_palette(rng: np.random.Generator, difficulty: float = 0.5, printed: bool = False) -> Palette:
    """Mostly black on white; sometimes tinted paper, colored ink, or light on dark. `printed` papers are seldom dark
    and nearly white."""
    if chance(rng, (0.12 + 0.1 * difficulty) * (0.2 if printed else 1)):
        dark = tuple(int(v) for v in rng.integers(5, 60, 3))
        light = tuple(int(v) for v in rng.integers(205, 256, 3))
        return Palette(_color(dark), _color(light), _accent(rng, light=True))
    palest = 244 if printed and chance(rng, 0.85) else 222
    paper = (255, 255, 255) if chance(rng, 0.6) else _color(tuple(int(v) for v in rng.integers(palest, 256, 3)))
    ink = (number(rng, 0, 40),) * 3 if chance(rng, 0.75) else _color(tuple(int(v) for v in rng.integers(0, 95, 3)))
    return Palette(paper, _color(ink), _accent(rng))


def _accent(rng: np.random.Generator, light: bool = False) -> Color:
    hues = ((190, 30, 45), (20, 80, 170), (10, 110, 70), (110, 40, 130), (170, 80, 0), (60, 60, 60))
    r, g, b = pick(rng, hues)
    return (255 - r // 3, 255 - g // 3, 255 - b // 3) if light else (r, g, b)


def _color(values: tuple[int, ...]) -> Color:
    r, g, b = values
    return r, g, b


def blend(first: Color, second: Color, share: float) -> Color:
    """`share` of the second color in the first."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(first, second, strict=True))
    return r, g, b


def union(boxes: list[PixelRectangle]) -> PixelRectangle:
    """The smallest box around all."""
    return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)
