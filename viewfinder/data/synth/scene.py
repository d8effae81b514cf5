"""Pictures of shapes and text on plain grounds, with exact truth.

`make_scene` draws; what it returns says where everything is, in pixels of the picture: boxes tight to the
pixel (outer corners, as in `outputs.boxes`) and the centre of every character. No two things overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageFilter

from viewfinder.data.synth.choose import number
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.data.synth.shapes import (
    COLOR_NAMES,
    SHAPE_NAMES,
    SHAPES,
    Ground,
    PixelRectangle,
    draw_mask,
    held_out_pair,
    paint,
)
from viewfinder.data.synth.text_lines import TextLine, draw_block, draw_line, draw_spaced_line


@dataclass(frozen=True)
class Thing:
    """A shape in the picture. `box` is x1, y1, x2, y2; `mask` its coverage (0..255) inside the box."""

    shape: str
    color: str
    box: PixelRectangle
    mask: Image.Image = field(repr=False, compare=False)

    @property
    def center(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def area(self) -> int:
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


@dataclass(frozen=True)
class Scene:
    """A picture and all that is in it, both from top to bottom."""

    image: Image.Image
    things: tuple[Thing, ...]
    lines: tuple[TextLine, ...]
    background: str


def make_scene(rng: np.random.Generator, size: tuple[int, int], style: SceneStyle) -> Scene:
    """Draw a picture of `size` (width, height)."""
    plain = rng.random() < style.plain
    background = COLOR_NAMES[int(rng.integers(len(COLOR_NAMES)))] if not plain and rng.random() < 0.65 else "white"
    ground = Ground(_ground(rng, size, background), background, ("black",) if plain else COLOR_NAMES)
    lines: list[TextLine] = []
    in_block = style.block > 0 and rng.random() < style.block
    if in_block:
        lines += draw_block(rng, ground, style)
    for _ in range(0 if in_block else number(rng, *style.lines)):
        draw = draw_spaced_line if rng.random() < style.spaced else draw_line
        if (line := draw(rng, ground, style)) is not None:
            lines.append(line)
    things: list[Thing] = []
    for _ in range(number(rng, *style.things)):
        if (thing := _draw_thing(rng, ground, style, things)) is not None:
            things.append(thing)
    return Scene(
        image=_weather(rng, ground.image),
        things=tuple(sorted(things, key=lambda t: (t.box[1], t.box[0]))),
        lines=tuple(sorted(lines, key=lambda t: (t.middle, t.box[0]))),
        background=background,
    )


def _ground(rng: np.random.Generator, size: tuple[int, int], color: str) -> Image.Image:
    """One color, a soft gradient of it, or faint stripes."""
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


def _draw_thing(rng: np.random.Generator, ground: Ground, style: SceneStyle, earlier: Sequence[Thing]) -> Thing | None:
    shape = SHAPE_NAMES[int(rng.integers(len(SHAPE_NAMES)))]
    colors = [c for c in COLOR_NAMES if c != ground.background]
    if earlier and rng.random() < style.repeat:
        model = earlier[int(rng.integers(len(earlier)))]
        if rng.random() < 0.6:
            shape = model.shape
        if rng.random() < 0.6:
            colors = [model.color]
    if style.pairs != "all":
        colors = [c for c in colors if held_out_pair(shape, c) == (style.pairs == "held_out")]
    color = ground.contrasting(rng, colors, 110)
    if color is None:
        return None
    side = min(ground.image.size)
    low, high = style.thing_size
    width = int(np.exp(rng.uniform(np.log(max(14, side * low)), np.log(side * high))))
    aspect = rng.uniform(*SHAPES[shape].aspect)
    turn = rng.uniform(-1, 1) * SHAPES[shape].max_turn
    upright = rng.random() < 0.5
    wide, high = (width, round(width * aspect)) if upright else (round(width * aspect), width)
    mask = draw_mask(shape, max(wide, 8), max(high, 8), turn)
    if (corner := ground.take_place(rng, mask.size, margin=2)) is None:
        return None
    ground.image.paste(paint(rng, color), corner, mask)
    box = (*corner, corner[0] + mask.width, corner[1] + mask.height)
    return Thing(shape, color, box, mask)


def _weather(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Sometimes a little blur, noise, or a change of light, as a camera or a scaler would add."""
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.7))))
    if rng.random() < 0.2:
        pixels = np.asarray(image, np.int16)
        noise = rng.normal(0, rng.uniform(1, 8), (*pixels.shape[:2], 1)) + rng.normal(0, 4)
        image = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
    return image
