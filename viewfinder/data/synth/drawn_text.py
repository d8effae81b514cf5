"""A record of the texts drawn on a picture: `Pen` notes each line and the place of each of its characters.

So the truth of a drawn picture includes where every character stands, without a word about it where it is drawn. The
notes live in `Image.info`, which copies and crops keep and files do not.

"ab" at (10, 20) in a font of 12 pixels with advances 6 and 7: centers at x = 13 and 19.5.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from viewfinder.data.synth.text_lines import TextLine

_NOTES = "drawn_text"


class Pen(ImageDraw.ImageDraw):
    """Draws on an RGB picture, and notes what it writes in it."""

    def __init__(self, image: Image.Image) -> None:
        super().__init__(image)
        self._notes: list[_Note] = image.info.setdefault(_NOTES, [])

    def text(self, xy: Any, text: Any, fill: Any = None, font: Any = None, anchor: Any = None, **options: Any) -> None:
        super().text(xy, text, fill=fill, font=font, anchor=anchor, **options)
        if isinstance(font, ImageFont.FreeTypeFont) and isinstance(text, str) and text.strip() and "\n" not in text:
            self._notes.append(_Note(tuple(xy), text, font, anchor or "la"))

    def erase(self, area: tuple[int, int, int, int], paper: tuple[int, int, int]) -> None:
        """Paint an area over and forget what was written in it, so that something else may stand there."""
        self.rectangle(area, fill=paper)
        left, top, right, bottom = area
        self._notes[:] = [n for n in self._notes if not (left <= n.xy[0] <= right and top <= n.xy[1] <= bottom)]


def written_on(image: Image.Image) -> list[TextLine] | None:
    """The lines that can still be seen, as they were written; None of a picture that no pen drew."""
    if _NOTES not in image.info:
        return None
    return [line for line in (note.line() for note in image.info[_NOTES]) if _shows(image, line)]


def keep_notes(before: Image.Image, after: Image.Image, by: tuple[int, int] = (0, 0)) -> Image.Image:
    """`after` with the notes of the picture it was made from, of which everything moved by as many pixels."""
    if _NOTES in before.info:
        notes = before.info[_NOTES]
        after.info[_NOTES] = [replace(n, xy=(n.xy[0] + by[0], n.xy[1] + by[1])) for n in notes] if any(by) else notes
    return after


def moved(line: TextLine, place: Callable[[tuple[float, float]], tuple[float, float]]) -> TextLine:
    """The line where `place` puts its points, such as in pixels of the model's picture."""
    (x1, y1), (x2, y2) = place((line.box[0], line.box[1])), place((line.box[2], line.box[3]))
    centers = tuple(place((x, line.middle))[0] for x in line.centers)
    middle = place((line.centers[0], line.middle))[1]
    return TextLine(line.text, line.color, (round(x1), round(y1), round(x2), round(y2)), centers, middle)


@dataclass(frozen=True)
class _Note:
    """Words, where they are held and by what; measured when asked for, since most pictures' never are."""

    xy: tuple[float, float]
    text: str
    font: ImageFont.FreeTypeFont
    anchor: str

    def line(self) -> TextLine:
        text, font, anchor = self.text, self.font, self.anchor
        ends = np.array([font.getlength(text[:i]) for i in range(len(text) + 1)])
        ascent, descent = font.getmetrics()
        start = self.xy[0] - ends[-1] * {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]]
        baseline = self.xy[1] + {"a": ascent, "m": (ascent - descent) / 2, "s": 0, "d": -descent}[anchor[1]]
        left, top, right, bottom = font.getbbox(text, anchor="ls")
        box = (round(start + left), round(baseline + top), round(start + right), round(baseline + bottom))
        centers = tuple((start + (ends[:-1] + ends[1:]) / 2).tolist())
        return TextLine(text, "", box, centers, baseline - 0.25 * font.size)


def _shows(image: Image.Image, line: TextLine) -> bool:
    """Inside the picture, and not painted over with one color."""
    x1, y1, x2, y2 = line.box
    if min(line.centers) < 0 or max(line.centers) >= image.width or y1 < -2 or y2 > image.height + 2:
        return False
    part = image.crop((max(0, x1), max(0, y1), min(image.width, x2), min(image.height, y2)))
    return part.width > 0 and part.height > 0 and bool((np.ptp(np.asarray(part), axis=(0, 1)) > 30).any())
