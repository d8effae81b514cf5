"""Pictures of shapes and text on plain grounds, with exact truth.

`make_scene` draws; what it returns says where everything is, in pixels of the picture: boxes tight to the
pixel (outer corners, as in `outputs.boxes`) and the centre of every character. No two things overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from viewfinder.data.synth.fonts import FontFamily, advances, find_families, load_font
from viewfinder.data.synth.shapes import COLOR_NAMES, COLORS, SHAPE_NAMES, SHAPES, draw_mask, held_out_pair, paint
from viewfinder.data.synth.words import CHARACTERS, make_line

Rectangle = tuple[int, int, int, int]


@dataclass(frozen=True)
class Thing:
    """A shape in the picture. `box` is x1, y1, x2, y2; `mask` its coverage (0..255) inside the box."""

    shape: str
    color: str
    box: Rectangle
    mask: Image.Image = field(repr=False, compare=False)

    @property
    def center(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def area(self) -> int:
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


@dataclass(frozen=True)
class TextLine:
    """A line of text. `centers` are the x of every character; `middle` is the y half way up small letters."""

    text: str
    color: str
    box: Rectangle
    centers: tuple[float, ...]
    middle: float


@dataclass(frozen=True)
class Scene:
    """A picture and all that is in it, both from top to bottom."""

    image: Image.Image
    things: tuple[Thing, ...]
    lines: tuple[TextLine, ...]
    background: str


@dataclass(frozen=True)
class SceneStyle:
    """What to draw.

    Attributes:
        things, lines: smallest and largest number of shapes and of text lines.
        thing_size: smallest and largest width of a shape, as a share of the shorter side.
        text_size: smallest and largest font size in pixels per em.
        max_chars: longest line.
        pairs: "train" leaves out the held-out shape and colour pairs, "held_out" draws only those, "all" any.
        families: fonts to draw with.
        repeat: probability that a new shape copies the kind or the colour of an earlier one.
        plain: probability of a page, black on white.
        spaced: probability that a line stands letter by letter on the grid of patches, more or less exactly.
            A tower that never saw letters learns them there first: the same letter gives the same patch.
    """

    things: tuple[int, int] = (0, 5)
    lines: tuple[int, int] = (0, 2)
    thing_size: tuple[float, float] = (0.1, 0.55)
    text_size: tuple[int, int] = (13, 34)
    max_chars: int = 16
    pairs: str = "train"
    families: tuple[FontFamily, ...] = field(default_factory=find_families)
    repeat: float = 0.45
    plain: float = 0.1
    spaced: float = 0.0


def make_scene(rng: np.random.Generator, size: tuple[int, int], style: SceneStyle) -> Scene:
    """Draw a picture of `size` (width, height)."""
    plain = rng.random() < style.plain
    background = COLOR_NAMES[int(rng.integers(len(COLOR_NAMES)))] if not plain and rng.random() < 0.65 else "white"
    ink = ("black",) if plain else COLOR_NAMES
    image = _ground(rng, size, background)
    taken: list[Rectangle] = []
    lines: list[TextLine | None] = []
    for _ in range(_between(rng, style.lines)):
        draw = _draw_spaced_line if rng.random() < style.spaced else _draw_line
        lines.append(draw(rng, image, style, background, ink, taken))
    things: list[Thing] = []
    for _ in range(_between(rng, style.things)):
        if (thing := _draw_thing(rng, image, style, background, taken, things)) is not None:
            things.append(thing)
    found = [line for line in lines if line is not None]
    return Scene(
        image=_weather(rng, image),
        things=tuple(sorted(things, key=lambda t: (t.box[1], t.box[0]))),
        lines=tuple(sorted(found, key=lambda t: (t.middle, t.box[0]))),
        background=background,
    )


def _between(rng: np.random.Generator, bounds: tuple[int, int]) -> int:
    return int(rng.integers(bounds[0], bounds[1] + 1))


def _ground(rng: np.random.Generator, size: tuple[int, int], color: str) -> Image.Image:
    """One colour, a soft gradient of it, or faint stripes."""
    first, kind = np.array(paint(rng, color, 12), float), rng.random()
    if kind < 0.6:
        return Image.new("RGB", size, tuple(int(v) for v in first))
    second = np.clip(first + rng.normal(0, 14, 3), 0, 255)
    width, height = size
    along = np.linspace(0, 1, width)[None, :] * rng.random() + np.linspace(0, 1, height)[:, None] * rng.random()
    if kind > 0.85:
        along = (along * rng.integers(4, 16)) % 1 > 0.5
    mixed = first + (second - first) * np.clip(np.asarray(along, float), 0, 1)[..., None]
    return Image.fromarray(mixed.astype(np.uint8))


def _contrasting(rng: np.random.Generator, background: str, colors: Sequence[str], least: float) -> str | None:
    base = np.array(COLORS[background], float)
    fit = [c for c in colors if np.abs(np.array(COLORS[c]) - base).sum() >= least]
    return fit[int(rng.integers(len(fit)))] if fit else None


def _draw_thing(
    rng: np.random.Generator,
    image: Image.Image,
    style: SceneStyle,
    background: str,
    taken: list[Rectangle],
    earlier: list[Thing],
) -> Thing | None:
    shape = SHAPE_NAMES[int(rng.integers(len(SHAPE_NAMES)))]
    colors = [c for c in COLOR_NAMES if c != background]
    if earlier and rng.random() < style.repeat:
        model = earlier[int(rng.integers(len(earlier)))]
        if rng.random() < 0.6:
            shape = model.shape
        if rng.random() < 0.6:
            colors = [model.color]
    if style.pairs != "all":
        colors = [c for c in colors if held_out_pair(shape, c) == (style.pairs == "held_out")]
    color = _contrasting(rng, background, colors, 110)
    if color is None:
        return None
    side = min(image.size)
    low, high = style.thing_size
    width = int(np.exp(rng.uniform(np.log(max(14, side * low)), np.log(side * high))))
    aspect = rng.uniform(*SHAPES[shape].aspect)
    turn = rng.uniform(-1, 1) * SHAPES[shape].max_turn
    upright = rng.random() < 0.5
    wide, high = (width, round(width * aspect)) if upright else (round(width * aspect), width)
    mask = draw_mask(shape, max(wide, 8), max(high, 8), turn)
    if (corner := _free_place(rng, image.size, mask.size, taken, margin=2)) is None:
        return None
    image.paste(paint(rng, color), corner, mask)
    box = (*corner, corner[0] + mask.width, corner[1] + mask.height)
    return Thing(shape, color, box, mask)


def _draw_line(
    rng: np.random.Generator,
    image: Image.Image,
    style: SceneStyle,
    background: str,
    ink: Sequence[str],
    taken: list[Rectangle],
) -> TextLine | None:
    _, files = style.families[int(rng.integers(len(style.families)))]
    path = files[int(rng.integers(len(files)))]
    low, high = style.text_size
    pixels = int(np.exp(rng.uniform(np.log(low), np.log(high + 0.99))))
    text = make_line(rng, int(rng.integers(1, style.max_chars + 1)) if rng.random() < 0.3 else style.max_chars)
    while sum(steps := advances(path, pixels, text)) > image.width - 6 and len(text) > 1:
        text = (text.rsplit(" ", 1)[0] if " " in text else text[:-1]).strip()
    color, font = _contrasting(rng, background, ink, 260), load_font(path, pixels)
    ink_mask, origin = _text_mask(text, font)
    if color is None or ink_mask is None:
        return None
    if (corner := _free_place(rng, image.size, ink_mask.size, taken, margin=3)) is None:
        return None
    image.paste(paint(rng, color), corner, ink_mask)
    ascent, _ = font.getmetrics()
    x, y = corner[0] - origin[0], corner[1] - origin[1]
    centers = tuple((x + np.cumsum(steps) - np.array(steps) / 2).tolist())
    box = (*corner, corner[0] + ink_mask.width, corner[1] + ink_mask.height)
    return TextLine(text, color, box, centers, y + ascent - 0.25 * pixels)


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


def _draw_spaced_line(
    rng: np.random.Generator,
    image: Image.Image,
    style: SceneStyle,
    background: str,
    ink: Sequence[str],
    taken: list[Rectangle],
) -> TextLine | None:
    """One letter in the middle of each patch, all moved together by up to half a patch, mostly less."""
    _, files = style.families[int(rng.integers(len(style.families)))]
    pixels = int(rng.integers(14, 21))
    font = load_font(files[int(rng.integers(len(files)))], pixels)
    text = "".join(make_line(rng, 24).split()) + CHARACTERS[int(rng.integers(len(CHARACTERS)))]
    columns, rows = image.width // 14, image.height // 14
    text = text[: int(rng.integers(2, columns + 1))]
    reach = 7 * rng.random() ** 2
    left = 14 * int(rng.integers(columns - len(text) + 1)) + 7 + rng.uniform(-reach, reach)
    middle = 14 * int(rng.integers(rows)) + 7 + rng.uniform(-reach, reach)
    color = _contrasting(rng, background, ink, 260)
    baseline, fill = middle + 0.25 * pixels, paint(rng, color) if color else None
    centers = tuple(left + 14.0 * i for i in range(len(text)))
    edges = [font.getbbox(c, anchor="ms") for c in text]
    box = (
        max(0, int(min(x + e[0] for x, e in zip(centers, edges, strict=True)))),
        max(0, int(baseline + min(e[1] for e in edges))),
        min(image.width, int(max(x + e[2] for x, e in zip(centers, edges, strict=True))) + 1),
        min(image.height, int(baseline + max(e[3] for e in edges)) + 1),
    )
    if color is None or box[3] - box[1] < 4 or not _is_free(box, taken, margin=1):
        return None
    taken.append(box)
    draw = ImageDraw.Draw(image)
    for character, x in zip(text, centers, strict=True):
        draw.text((x, baseline), character, fill=fill, font=font, anchor="ms")
    return TextLine(text, color, box, centers, middle)


def _is_free(box: Rectangle, taken: list[Rectangle], margin: int) -> bool:
    x, y, right, bottom = box
    return all(
        right + margin <= a or c + margin <= x or bottom + margin <= b or d + margin <= y for a, b, c, d in taken
    )


def _free_place(
    rng: np.random.Generator, image: tuple[int, int], size: tuple[int, int], taken: list[Rectangle], margin: int
) -> tuple[int, int] | None:
    """A random corner where `size` fits without touching what is there; None after a few tries."""
    for _ in range(12):
        room = (image[0] - size[0], image[1] - size[1])
        if min(room) < 0:
            return None
        x, y = int(rng.integers(room[0] + 1)), int(rng.integers(room[1] + 1))
        box = (x, y, x + size[0], y + size[1])
        if _is_free(box, taken, margin):
            taken.append(box)
            return x, y
    return None


def _weather(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Sometimes a little blur, noise, or a change of light, as a camera or a scaler would add."""
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.7))))
    if rng.random() < 0.2:
        pixels = np.asarray(image, np.int16)
        noise = rng.normal(0, rng.uniform(1, 8), (*pixels.shape[:2], 1)) + rng.normal(0, 4)
        image = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
    return image
