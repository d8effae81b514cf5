"""Lines of text on a ground: alone anywhere, as a block, or letter by letter on the grid of patches; each with where
its letters stand."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from viewfinder.data.synth.choose import number
from viewfinder.data.synth.fonts import advances, load_font
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.data.synth.shapes import Ground, PixelRectangle, paint
from viewfinder.data.synth.words import CHARACTERS, make_line


@dataclass(frozen=True)
class TextLine:
    """A line of text. `centers` are the x of every character; `middle` is the y half way up small letters."""

    text: str
    color: str
    box: PixelRectangle
    centers: tuple[float, ...]
    middle: float


def draw_line(rng: np.random.Generator, ground: Ground, style: SceneStyle) -> TextLine | None:
    path, pixels = _draw_font(rng, style)
    text = _draw_text(rng, path, pixels, style, ground.image.width - 6)
    color, font = ground.contrasting(rng, ground.ink, 260), load_font(path, pixels)
    ink_mask, origin = _text_mask(text, font)
    if color is None or ink_mask is None:
        return None
    if (corner := ground.take_place(rng, ink_mask.size, margin=3)) is None:
        return None
    ground.image.paste(paint(rng, color), corner, ink_mask)
    return _line_at(text, color, path, pixels, (corner[0] - origin[0], corner[1] - origin[1]), ink_mask, origin)


def draw_block(rng: np.random.Generator, ground: Ground, style: SceneStyle) -> list[TextLine]:
    """Lines of a page: as many as fit, one ink, one distance."""
    path, pixels = _draw_font(rng, style)
    color, font = ground.contrasting(rng, ground.ink, 260), load_font(path, pixels)
    step = round(sum(font.getmetrics()) * float(rng.uniform(0.95, 1.4)))
    count = min(number(rng, *style.lines), (ground.image.height - 8) // step)
    if color is None or count < 1:
        return []
    left = int(rng.integers(2, max(3, ground.image.width // 8)))
    top = int(rng.integers(2, ground.image.height - 4 - step * count))
    fill, found = paint(rng, color), list[TextLine]()
    for y in range(top, top + step * count, step):
        text = _draw_text(rng, path, pixels, style, ground.image.width - left - 4)
        mask, origin = _text_mask(text, font)
        if mask is not None:
            ground.image.paste(fill, (left + origin[0], y + origin[1]), mask)
            found.append(_line_at(text, color, path, pixels, (left, y), mask, origin))
            ground.taken.append(found[-1].box)
    return found


def _draw_font(rng: np.random.Generator, style: SceneStyle) -> tuple[Path | None, int]:
    _, files = style.families[int(rng.integers(len(style.families)))]
    low, high = style.text_size
    path = files[int(rng.integers(len(files)))]
    return path, int(np.exp(rng.uniform(np.log(low), np.log(high + 0.99))))


def _draw_text(rng: np.random.Generator, path: Path | None, pixels: int, style: SceneStyle, room: int) -> str:
    """A line no wider than `room`, unless that is less than one letter."""
    text = make_line(rng, int(rng.integers(1, style.max_chars + 1)) if rng.random() < 0.3 else style.max_chars)
    while sum(advances(path, pixels, text)) > room and len(text) > 1:
        text = (text.rsplit(" ", 1)[0] if " " in text else text[:-1]).strip()
    return text


def _line_at(
    text: str,
    color: str,
    path: Path | None,
    pixels: int,
    start: tuple[int, int],
    mask: Image.Image,
    origin: tuple[int, int],
) -> TextLine:
    """A line whose text begins at `start`, and whose ink lies `origin` from there."""
    steps = advances(path, pixels, text)
    ascent, _ = load_font(path, pixels).getmetrics()
    centers = tuple((start[0] + np.cumsum(steps) - np.array(steps) / 2).tolist())
    left, top = start[0] + origin[0], start[1] + origin[1]
    return TextLine(
        text, color, (left, top, left + mask.width, top + mask.height), centers, start[1] + ascent - 0.25 * pixels
    )


def _text_mask(text: str, font: ImageFont.FreeTypeFont) -> tuple[Image.Image | None, tuple[int, int]]:
    """The ink of a line, cropped to itself, and where in the text's own frame its corner lies."""
    left, top, right, bottom = font.getbbox(text)
    frame = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8), 0)
    shift = (4 - int(left), 4 - int(top))
    ImageDraw.Draw(frame).text(shift, text, fill=255, font=font)
    bounds = frame.point([255 * (value > 60) for value in range(256)]).getbbox()
    if bounds is None:
        return None, (0, 0)
    return frame.crop(bounds), (bounds[0] - shift[0], bounds[1] - shift[1])


def draw_spaced_line(rng: np.random.Generator, ground: Ground, style: SceneStyle) -> TextLine | None:
    """One letter in the middle of each patch, all moved together by up to half a patch, mostly less."""
    _, files = style.families[int(rng.integers(len(style.families)))]
    pixels = int(rng.integers(14, 21))
    font = load_font(files[int(rng.integers(len(files)))], pixels)
    text = "".join(make_line(rng, 24).split()) + CHARACTERS[int(rng.integers(len(CHARACTERS)))]
    columns, rows = ground.image.width // 14, ground.image.height // 14
    text = text[: int(rng.integers(2, columns + 1))]
    reach = 7 * rng.random() ** 2
    left = 14 * int(rng.integers(columns - len(text) + 1)) + 7 + rng.uniform(-reach, reach)
    middle = 14 * int(rng.integers(rows)) + 7 + rng.uniform(-reach, reach)
    color = ground.contrasting(rng, ground.ink, 260)
    baseline, fill = middle + 0.25 * pixels, paint(rng, color) if color else None
    centers = tuple(left + 14.0 * i for i in range(len(text)))
    edges = [font.getbbox(c, anchor="ms") for c in text]
    box = (
        max(0, int(min(x + e[0] for x, e in zip(centers, edges, strict=True)))),
        max(0, int(baseline + min(e[1] for e in edges))),
        min(ground.image.width, int(max(x + e[2] for x, e in zip(centers, edges, strict=True))) + 1),
        min(ground.image.height, int(baseline + max(e[3] for e in edges)) + 1),
    )
    if color is None or box[3] - box[1] < 4 or not ground.is_free(box, margin=1):
        return None
    ground.taken.append(box)
    draw = ImageDraw.Draw(ground.image)
    for character, x in zip(text, centers, strict=True):
        draw.text((x, baseline), character, fill=fill, font=font, anchor="ms")
    return TextLine(text, color, box, centers, middle)
