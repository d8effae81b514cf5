"""Text in lines: a typeface with size and color, breaking words at a width, setting lines in a column."""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont

from viewfinder.data.synth.choose import pick
from viewfinder.data.synth.documents.sheet import Color, Sheet
from viewfinder.data.synth.fonts import find_families, has_glyph, load_font
from viewfinder.data.synth.kinds import Split
from viewfinder.data.synth.shapes import PixelRectangle
from viewfinder.materials.shipped import fonts

BOLD = ("Bold", "SemiBold", "Semibold", "B", "RB", "BoldItalic", "BoldOblique")
_TOO_FINE = frozenset({"NotoSerifDisplay"})
"""Families whose hairlines vanish at the sizes of running text."""


@dataclass(frozen=True)
class Face:
    """How letters look: a font file, pixels per em, color, the step from line to line in em, the side they keep to."""

    path: Path | None
    size: int
    color: Color
    leading: float = 1.25
    align: str = "left"

    @property
    def font(self) -> ImageFont.FreeTypeFont:
        return load_font(self.path, self.size)

    @property
    def step(self) -> int:
        """Pixels from line to line, never less than the letters need."""
        ascent, descent = self.font.getmetrics()
        return max(round(self.size * self.leading), ascent + descent)

    def width(self, text: str) -> float:
        return _length(self.path, self.size, text)

    def like(self, **changes: object) -> "Face":
        return replace(self, **changes)  # type: ignore[arg-type]


@lru_cache(maxsize=65536)
def _length(path: Path | None, size: int, text: str) -> float:
    return load_font(path, size).getlength(text)


@dataclass
class Line:
    """One line as it stands: its words and the box of its ink."""

    text: str
    box: PixelRectangle


@dataclass
class Column:
    """Where things go next: from `y` down to `bottom`, `width` wide from `x`. `lines` collects all that was set."""

    x: int
    y: int
    width: int
    bottom: int
    lines: list[Line] = field(default_factory=list)

    @property
    def room(self) -> int:
        return self.bottom - self.y


def break_lines(text: str, face: Face, width: float) -> list[str]:
    """Words in lines that fit; a word wider than a line is cut off to what fits."""
    lines: list[str] = []
    here = ""
    space = face.width(" ")
    used = 0.0
    for word in text.split():
        while face.width(word) > width and len(word) > 1:
            word = word[:-1]
        wide = face.width(word)
        if here and used + space + wide > width:
            lines.append(here)
            here, used = "", 0.0
        here, used = (f"{here} {word}", used + space + wide) if here else (word, wide)
    return [*lines, here] if here else lines


def set_text(sheet: Sheet, column: Column, text: str, face: Face, indent: int = 0) -> tuple[str, PixelRectangle] | None:
    """Set words at the column's place and move it down; None when not even one line fits.

    Returns the words that were set (fewer than asked where the column ends) and the box of their ink.
    """
    lines = break_lines(text, face, column.width - indent)[: column.room // face.step]
    boxes: list[PixelRectangle] = []
    for line in lines:
        box = set_line(sheet, line, face, column.x + indent, column.y, column.width - indent)
        column.y += face.step
        if box is not None:
            boxes.append(box)
            column.lines.append(Line(line, box))
    if not boxes:
        return None
    joined = (min(b[0] for b in boxes), boxes[0][1], max(b[2] for b in boxes), max(b[3] for b in boxes))
    return " ".join(lines), (joined[0], min(b[1] for b in boxes), joined[2], joined[3])


def set_line(
    sheet: Sheet, text: str, face: Face, x: int, y: int, width: int | None = None, ground: Color | None = None
) -> PixelRectangle | None:
    """One line whose step begins at `y`; the box of its ink. `ground` is what lies below where it is not the paper."""
    length = face.width(text)
    if width is not None and face.align != "left":
        x += round((width - length) / (2 if face.align == "center" else 1))
    ascent, descent = face.font.getmetrics()
    top = y + (face.step - ascent - descent) // 2
    sheet.pen.text((x, top), text, fill=face.color, font=face.font)
    return sheet.ink_box((x - 2, y, x + round(length) + 3, y + face.step), ground)


@dataclass(frozen=True)
class Faces:
    """The font files of a page: for running text, the same bold, and for heads."""

    plain: Path | None
    bold: Path | None
    head: Path | None


def draw_faces(rng: np.random.Generator, split: Split, folders: tuple[str, ...] = ()) -> Faces:
    """Font files of one or two families of the split; `folders` hold more (`fonts.find_families`)."""
    families = [f for f in find_families(folders, held_out=split == "held_out") if f[0] not in _TOO_FINE]
    _, files = pick(rng, families)
    plain = [file for file in files if file is None or not _style(file)] or list(files)
    bold = [file for file in files if file is not None and _style(file) in BOLD] or plain
    first = pick(rng, plain if rng.random() < 0.85 else files)
    head = pick(rng, bold) if rng.random() < 0.7 else pick(rng, pick(rng, families)[1])
    return Faces(first, pick(rng, bold), head)


def _style(path: Path) -> str:
    style = path.stem.partition("-")[2]
    return "" if style in ("Regular", "R", "Book", "Roman") else style


def draw_hand(rng: np.random.Generator, split: Split, text: str) -> Path | None:
    """A font file with all letters of a text; None where no hand of the split has them."""
    rare = sorted({c for c in text if not c.isalnum() and c != " "})  # letters and digits are in all
    able = [font.path for font in fonts("hand", split) if all(has_glyph(font.path, c) for c in rare)]
    return pick(rng, able) if able else None
