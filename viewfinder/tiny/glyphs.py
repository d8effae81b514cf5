"""Glyphs of a font at one size as arrays, and lines of text composed from them in numpy.

Drawing a line with a font library costs a call per line, and its letters have to be found again afterwards. Here every
glyph is drawn once; a line is then a few array slices, and where each letter stands is known because it was put there.

"ab" whose glyphs are 5 and 6 pixels wide with advances 6 and 7: columns 0-4 and 6-11 of the line's alpha hold ink,
the centers of the letters are x = 3 and 9.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from viewfinder.data.synth.fonts import coverage, load_font
from viewfinder.data.synth.shapes import PixelRectangle
from viewfinder.data.synth.words import CHARACTERS

Rasterizer = Literal["gray", "black", "reduced"]
"""How edges look: the font library's own anti-aliasing, none, or four times the size averaged (no hinting)."""
RASTERIZERS: tuple[Rasterizer, ...] = ("gray", "gray", "reduced", "black")
CYRILLIC, GREEK = "абвгдежзийклмнопрстуфхцчшщъыьэюя", "αβγδεζηθικλμνξοπρσςτυφχψω"

INK = 60
"""Least alpha that counts as ink; fainter edges do not widen a box."""


@dataclass(frozen=True)
class Glyph:
    """One letter.

    Attributes:
        alpha: its coverage, faint edges included.
        left, top: of `alpha`, from the pen on the baseline (down is positive).
        ink: x1, y1, x2, y2 of what is clearly inked, from the pen; None of a space.
        advance: how far the pen moves.
    """

    alpha: NDArray[np.uint8]
    left: int
    top: int
    ink: PixelRectangle | None
    advance: float


@dataclass(frozen=True)
class GlyphAtlas:
    """All glyphs of a font file at one size. `ascent` and `descent` are pixels from the baseline, both positive."""

    pixels: int
    ascent: int
    descent: int
    glyphs: Mapping[str, Glyph]

    def width(self, text: str) -> float:
        """How far the pen moves, pixels."""
        return sum(self.glyphs[character].advance for character in text)


@dataclass(frozen=True)
class WrittenLine:
    """A composed line; all places are from the pen's start on the baseline.

    Attributes:
        corner: left and top of `alpha`.
        box: of the ink.
        centers: x of every character, spaces too.
    """

    text: str
    alpha: NDArray[np.uint8]
    corner: tuple[int, int]
    box: PixelRectangle
    centers: tuple[float, ...]


def make_atlas(path: Path | None, pixels: int, rasterizer: Rasterizer, alphabet: str = CHARACTERS) -> GlyphAtlas:
    """Draw the characters of the alphabet that the font has."""
    scale = 4 if rasterizer == "reduced" else 1
    font = load_font(path, pixels * scale)
    unknown = coverage(font, _UNASSIGNED)
    known = [c for c in alphabet if c in CHARACTERS or coverage(font, c) != unknown]
    glyphs = {c: _draw(font, c, rasterizer, scale) for c in (" ", *known)}
    ascent, descent = (-(-v // scale) for v in font.getmetrics())
    return GlyphAtlas(pixels, ascent, descent, glyphs)


_UNASSIGNED = "\uffff"


def _draw(font: ImageFont.FreeTypeFont, character: str, rasterizer: Rasterizer, scale: int) -> Glyph:
    left, top, right, bottom = font.getbbox(character, anchor="ls")
    x, y = (int(v // scale) - 1 for v in (left, top))
    width, height = (int(-(-end // scale)) + 1 - start for start, end in ((x, right), (y, bottom)))
    frame = Image.new("1" if rasterizer == "black" else "L", (width * scale, height * scale))
    ImageDraw.Draw(frame).text((-x * scale, -y * scale), character, fill=255, font=font, anchor="ls")
    alpha = np.asarray(frame.convert("L").reduce(scale))
    box = ink_box(alpha)
    ink = None if box is None else (box[0] + x, box[1] + y, box[2] + x, box[3] + y)
    return Glyph(alpha, x, y, ink, font.getlength(character) / scale)


def ink_box(alpha: NDArray[np.uint8]) -> PixelRectangle | None:
    """What is clearly inked; None where nothing is."""
    ink = alpha >= INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) if len(rows) else None


def compose_line(atlas: GlyphAtlas, text: str, spacing: float = 0.0) -> WrittenLine | None:
    """The line; None without ink.

    Args:
        spacing: pixels added to every advance.
    """
    placed: list[tuple[Glyph, int]] = []
    centers: list[float] = []
    pen = 0.0
    for character in text:
        glyph = atlas.glyphs[character]
        centers.append(pen + glyph.advance / 2)
        if glyph.ink is not None:
            placed.append((glyph, round(pen)))
        pen += glyph.advance + spacing
    if not placed:
        return None
    left, top = min(x + g.left for g, x in placed), min(g.top for g, _ in placed)
    right = max(x + g.left + g.alpha.shape[1] for g, x in placed)
    alpha = np.zeros((max(g.top + g.alpha.shape[0] for g, _ in placed) - top, right - left), np.uint8)
    for glyph, x in placed:
        height, width = glyph.alpha.shape
        part = alpha[glyph.top - top :, x + glyph.left - left :][:height, :width]
        np.maximum(part, glyph.alpha, out=part)
    inks = [(x, glyph.ink) for glyph, x in placed if glyph.ink is not None]
    box = (
        min(x + ink[0] for x, ink in inks),
        min(ink[1] for _, ink in inks),
        max(x + ink[2] for x, ink in inks),
        max(ink[3] for _, ink in inks),
    )
    return WrittenLine(text, alpha, (left, top), box, tuple(centers))
