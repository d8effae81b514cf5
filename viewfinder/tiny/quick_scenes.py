"""Pictures of shapes and text composed in numpy, several times as quick as `synth.scene`, with the same exact truth.

What is drawn varies more: three ways to rasterize letters and two for shapes, anti-aliased, hard or soft; textures;
shaded and lit shapes; letters up to 110 pixels; Cyrillic and Greek; noise, light, enlarged pictures and JPEG. Held-out
fonts and pairs of shape and color stay out.
"""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from viewfinder.data.synth.scene import Scene, Thing
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.data.synth.shapes import COLOR_NAMES, COLORS, SHAPE_NAMES, PixelRectangle, held_out_pair
from viewfinder.data.synth.text_lines import TextLine
from viewfinder.tiny.glyphs import GlyphAtlas, WrittenLine, compose_line
from viewfinder.tiny.scene_kit import TEXTURE_SIDE, SceneKit

_TEXTURED, _FOREIGN, _SPACED_OUT = 0.4, 0.12, 0.15
_NOISY, _RELIT, _SOFT, _JPEG, _SHADED, _LIT = 0.2, 0.15, 0.12, 0.15, 0.2, 0.25
_TEXT_CONTRAST, _SHAPE_CONTRAST = 230, 110


@dataclass
class _Canvas:
    pixels: NDArray[np.uint8]
    background: str
    ink: Sequence[str]
    taken: list[PixelRectangle] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        return self.pixels.shape[1], self.pixels.shape[0]

    def is_free(self, box: PixelRectangle, margin: int) -> bool:
        x1, y1, x2, y2 = box
        return all(
            x2 + margin <= a or c + margin <= x1 or y2 + margin <= b or d + margin <= y1 for a, b, c, d in self.taken
        )

    def find_place(self, draw: random.Random, width: int, height: int, margin: int) -> tuple[int, int] | None:
        """A corner where a box touches nothing; None after twelve tries."""
        room_x, room_y = self.size[0] - width, self.size[1] - height
        for _ in range(12 if min(room_x, room_y) >= 0 else 0):
            x, y = draw.randint(0, room_x), draw.randint(0, room_y)
            if self.is_free((x, y, x + width, y + height), margin):
                return x, y
        return None

    def paste(self, ink: NDArray[np.int16], alpha: NDArray[np.uint8], x: int, y: int) -> None:
        """Blend a color, or one a pixel, over the picture; what lies outside is cut."""
        height, width = alpha.shape
        left, top = max(0, -x), max(0, -y)
        part = self.pixels[y + top : y + height, x + left : x + width]
        cover = alpha[top:, left:][: part.shape[0], : part.shape[1], None].astype(np.int16)
        part += ((ink - part) * (cover // 2 + cover // 255) >> 7).astype(np.uint8)


def make_quick_scene(rng: np.random.Generator, size: tuple[int, int], style: SceneStyle, kit: SceneKit) -> Scene:
    """A picture of `size` (width, height). Of `style`, `families` and `spaced` do not count: the kit has the fonts."""
    draw = random.Random(int(rng.integers(1 << 62)))
    canvas = _make_canvas(draw, size, style, kit)
    lines = _write_lines(draw, canvas, style, kit)
    things: list[Thing] = []
    for _ in range(draw.randint(*style.things)):
        thing = _draw_thing(draw, canvas, style, kit, things)
        if thing is not None:
            things.append(thing)
    return Scene(
        image=Image.fromarray(_finish(draw, canvas.pixels, kit)),
        things=tuple(sorted(things, key=lambda t: (t.box[1], t.box[0]))),
        lines=tuple(sorted(lines, key=lambda t: (t.middle, t.box[0]))),
        background=canvas.background,
    )


def _make_canvas(draw: random.Random, size: tuple[int, int], style: SceneStyle, kit: SceneKit) -> _Canvas:
    plain = draw.random() < style.plain
    background = draw.choice(COLOR_NAMES) if not plain and draw.random() < 0.65 else "white"
    color = np.array(_paint(draw, background, 10 if background != "white" else 7), np.uint8)
    pixels = np.empty((size[1], size[0], 3), np.uint8)
    if draw.random() < _TEXTURED:
        field = _texture(draw, kit, size).tobytes()  # `translate` looks up bytes ten times as quick as indexing
        for channel, value in enumerate(color):
            shades = _looked_up(field, value + np.arange(256).astype(np.uint8).view(np.int8).astype(np.int16))
            pixels[..., channel] = shades.reshape(size[1], size[0])
    else:
        pixels[:] = np.tile(color, (size[0], 1))  # row by row: many times as quick as pixel by pixel
    return _Canvas(pixels, background, ("black",) if plain else COLOR_NAMES)


def _looked_up(field: bytes, table: NDArray[np.int16]) -> NDArray[np.uint8]:
    """The entry of a table of 256 for each byte."""
    return np.frombuffer(field.translate(np.clip(table, 0, 255).astype(np.uint8).tobytes()), np.uint8)


def _paint(draw: random.Random, color: str, spread: int = 18) -> tuple[int, ...]:
    return tuple(min(255, max(0, value + draw.randint(-spread, spread))) for value in COLORS[color])


def _texture(draw: random.Random, kit: SceneKit, size: tuple[int, int]) -> NDArray[np.int8]:
    """A piece of a texture; larger pictures get it enlarged by repetition."""
    whole = draw.choice(kit.textures)
    if max(size) > TEXTURE_SIDE:
        times = -(-max(size) // TEXTURE_SIDE)
        whole = np.tile(whole, (times, times))
    x, y = draw.randint(0, whole.shape[1] - size[0]), draw.randint(0, whole.shape[0] - size[1])
    return whole[y : y + size[1], x : x + size[0]]


def _shifted(pixels: NDArray[np.uint8], by: NDArray[np.int8]) -> NDArray[np.uint8]:
    moved = pixels.astype(np.int16)
    moved += by
    return np.clip(moved, 0, 255, out=moved).astype(np.uint8)


def _contrasting(draw: random.Random, canvas: _Canvas, colors: Sequence[str], least: int) -> str | None:
    base = COLORS[canvas.background]
    fit = [c for c in colors if sum(abs(a - b) for a, b in zip(COLORS[c], base, strict=True)) >= least]
    return draw.choice(fit) if fit else None


def _write_lines(draw: random.Random, canvas: _Canvas, style: SceneStyle, kit: SceneKit) -> list[TextLine]:
    """A block under one left edge in one font, or lines anywhere."""
    count, atlases = draw.randint(*style.lines), kit.atlases_of(*style.text_size)
    found: list[TextLine] = []
    if count and draw.random() < style.block:
        atlas, color = draw.choice(atlases), _contrasting(draw, canvas, canvas.ink, _TEXT_CONTRAST)
        step = round((atlas.ascent + atlas.descent) * draw.uniform(0.95, 1.4))
        count = min(count, (canvas.size[1] - 8) // step)
        left = draw.randint(2, max(2, canvas.size[0] // 8))
        top = draw.randint(2, max(2, canvas.size[1] - 4 - step * count))
        for y in range(top + atlas.ascent, top + step * count, step):
            line = _compose(draw, kit, atlas, style.max_chars, canvas.size[0] - left - 4)
            if line is not None and color is not None and y + atlas.descent <= canvas.size[1]:
                found.append(_place_line(draw, canvas, line, atlas, color, left, y))
        return found
    for _ in range(count):
        atlas, color = draw.choice(atlases), _contrasting(draw, canvas, canvas.ink, _TEXT_CONTRAST)
        line = _compose(draw, kit, atlas, style.max_chars, canvas.size[0] - 6)
        if line is None or color is None:
            continue
        x1, y1, x2, y2 = line.box
        corner = canvas.find_place(draw, x2 - x1, y2 - y1, margin=3)
        if corner is not None:
            found.append(_place_line(draw, canvas, line, atlas, color, corner[0] - x1, corner[1] - y1))
    return found


def _compose(draw: random.Random, kit: SceneKit, atlas: GlyphAtlas, max_chars: int, room: int) -> WrittenLine | None:
    """A line that fits; None if not even a letter does."""
    text = _make_text(draw, kit, atlas, draw.randint(1, max_chars) if draw.random() < 0.3 else max_chars)
    spacing = draw.uniform(-0.03, 0.15) * atlas.pixels if draw.random() < _SPACED_OUT else 0.0
    while text and atlas.width(text) + max(0.0, spacing) * len(text) > room - 2:
        text = (text.rsplit(" ", 1)[0] if " " in text else text[:-1]).strip()
    line = compose_line(atlas, text, spacing) if text else None
    return line if line is not None and line.box[2] - line.box[0] <= room else None


def _make_text(draw: random.Random, kit: SceneKit, atlas: GlyphAtlas, most: int) -> str:
    words = draw.choice(kit.foreign) if draw.random() < _FOREIGN else kit.words
    text = draw.choice(words)[:most]
    while draw.random() < (0.8 if most > 16 else 0.45) and len(text) < most - 3:
        text += " " + draw.choice(words)[: most - len(text) - 1]
    if draw.random() < 0.12 and len(text) < most and text[-1].isalnum():
        text += draw.choice(".,:!?;")
    return text if all(c in atlas.glyphs for c in text) else draw.choice(kit.words)[:most]


def _place_line(
    draw: random.Random, canvas: _Canvas, line: WrittenLine, atlas: GlyphAtlas, color: str, x: int, baseline: int
) -> TextLine:
    """Write a line whose pen starts at (x, baseline)."""
    ink = np.array(_paint(draw, color), np.int16)
    canvas.paste(ink, line.alpha, x + line.corner[0], baseline + line.corner[1])
    x1, y1, x2, y2 = line.box
    box = (x + x1, baseline + y1, x + x2, baseline + y2)
    canvas.taken.append(box)
    return TextLine(line.text, color, box, tuple(x + c for c in line.centers), baseline - 0.25 * atlas.pixels)


def _draw_thing(
    draw: random.Random, canvas: _Canvas, style: SceneStyle, kit: SceneKit, earlier: Sequence[Thing]
) -> Thing | None:
    shape, colors = draw.choice(SHAPE_NAMES), [c for c in COLOR_NAMES if c != canvas.background]
    if earlier and draw.random() < style.repeat:
        model = draw.choice(earlier)
        shape = model.shape if draw.random() < 0.6 else shape
        colors = [model.color] if draw.random() < 0.6 else colors
    if style.pairs != "all":
        colors = [c for c in colors if held_out_pair(shape, c) == (style.pairs == "held_out")]
    color = _contrasting(draw, canvas, colors, _SHAPE_CONTRAST)
    if color is None:
        return None
    side = min(canvas.size)
    mask = draw.choice(kit.sprites_of(shape, side * style.thing_size[0], side * style.thing_size[1]))
    if draw.random() < 0.5 and shape != "arrow":
        mask = mask[:, ::-1]
    height, width = mask.shape
    corner = canvas.find_place(draw, width, height, margin=2)
    if corner is None:
        return None
    ink = np.array(_paint(draw, color), np.int16)
    if draw.random() < _SHADED:
        ink = np.clip(ink + _texture(draw, kit, (width, height))[..., None], 0, 255)
    if draw.random() < _LIT:
        ink = np.clip(ink + _light(draw, width, height), 0, 255)
    canvas.paste(ink, mask, *corner)
    box = (*corner, corner[0] + width, corner[1] + height)
    canvas.taken.append(box)
    return Thing(shape, color, box, Image.fromarray(mask))


def _enlarged(pixels: NDArray[np.uint8], times: float) -> NDArray[np.uint8]:
    """The same size with the sharpness of one that many times smaller."""
    image, size = Image.fromarray(pixels), (pixels.shape[1], pixels.shape[0])
    small = image.resize((round(size[0] / times), round(size[1] / times)), Image.Resampling.BILINEAR)
    return np.asarray(small.resize(size, Image.Resampling.BICUBIC))


def _light(draw: random.Random, width: int, height: int) -> NDArray[np.int16]:
    """Brighter on one side, and half of the time with a highlight there, as on a ball."""
    x, y = np.linspace(-1, 1, width)[None, :], np.linspace(-1, 1, height)[:, None]
    angle = draw.uniform(0, 2 * np.pi)
    right, down = np.cos(angle), np.sin(angle)
    light = draw.uniform(15, 60) * (x * right + y * down)
    if draw.random() < 0.5:
        light += draw.uniform(40, 130) * np.exp(-10 * ((x - right / 2) ** 2 + (y - down / 2) ** 2))
    return light.astype(np.int16)[..., None]


def _finish(draw: random.Random, pixels: NDArray[np.uint8], kit: SceneKit) -> NDArray[np.uint8]:
    """Noise, another light, edges as of a picture that was enlarged, a poor JPEG: nothing moves."""
    if draw.random() < _NOISY:
        pixels = _shifted(pixels, _texture(draw, kit, (pixels.shape[1], pixels.shape[0]))[..., None])
    if draw.random() < _RELIT:
        table = np.arange(256, dtype=np.int16) + draw.randint(-12, 12)
        pixels = _looked_up(pixels.tobytes(), table).reshape(pixels.shape)
    if draw.random() < _SOFT:
        pixels = _enlarged(pixels, draw.uniform(1.15, 1.8))
    if draw.random() < _JPEG:
        sink = io.BytesIO()
        Image.fromarray(pixels).save(sink, "JPEG", quality=draw.randint(35, 90))
        pixels = np.asarray(Image.open(sink).convert("RGB"))
    return pixels
