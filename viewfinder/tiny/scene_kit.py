"""What quick scenes are composed of, made once for many pictures: glyph atlases, words, sprites of shapes, textures.

A kit depends on its seed alone. A stream changes kits from time to time (`stream.StreamConfig.kit_batches`), so that
every font, size and way of drawing comes up in the end.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from viewfinder.data.synth.choose import pick
from viewfinder.data.synth.fonts import find_families
from viewfinder.data.synth.shapes import SHAPE_NAMES, SHAPES, draw_mask
from viewfinder.data.synth.words import CHARACTERS, make_word
from viewfinder.tiny.glyphs import CYRILLIC, GREEK, RASTERIZERS, GlyphAtlas, ink_box, make_atlas

_T = TypeVar("_T")
TEXTURE_SIDE = 448
_ATLASES, _WORDS, _SPRITES, _TEXTURES = 64, 3000, 24, 24
_TEXT_PIXELS, _SHAPE_PIXELS = (9, 110), (10, 200)


@dataclass(frozen=True)
class SceneKit:
    """The parts of quick scenes.

    Attributes:
        atlases: by size, smallest first.
        words: of Latin letters, digits and signs.
        foreign: words of Cyrillic and of Greek letters.
        sprites: by shape its coverage masks, narrowest first.
        textures: differences from a color, -128..127, (448, 448).
    """

    atlases: tuple[GlyphAtlas, ...]
    words: tuple[str, ...]
    foreign: tuple[tuple[str, ...], ...]
    sprites: dict[str, tuple[NDArray[np.uint8], ...]]
    textures: tuple[NDArray[np.int8], ...]

    def atlases_of(self, low: int, high: int) -> tuple[GlyphAtlas, ...]:
        """Those of `low` to `high` pixels an em; the nearest one where there is none."""
        sizes = [atlas.pixels for atlas in self.atlases]
        return _between(self.atlases, sizes, low, high)

    def sprites_of(self, shape: str, low: float, high: float) -> tuple[NDArray[np.uint8], ...]:
        """Those of `low` to `high` pixels width; the nearest one where there is none."""
        found = self.sprites[shape]
        return _between(found, [mask.shape[1] for mask in found], low, high)


def _between(items: tuple[_T, ...], sizes: list[int], low: float, high: float) -> tuple[_T, ...]:
    start, stop = bisect_left(sizes, low), bisect_right(sizes, high)
    return items[start:stop] or items[min(start, len(items) - 1) :][:1]


@lru_cache(maxsize=2)
def make_kit(seed: int, number: int) -> SceneKit:
    """The kit of this seed and number; one to two seconds of one core."""
    rng = np.random.default_rng((seed, number, 1))
    atlases = sorted((_make_atlas(rng) for _ in range(_ATLASES)), key=lambda atlas: atlas.pixels)
    return SceneKit(
        atlases=tuple(atlases),
        words=tuple(make_word(rng) for _ in range(_WORDS)),
        foreign=tuple(tuple(_foreign_word(rng, letters) for _ in range(400)) for letters in (CYRILLIC, GREEK)),
        sprites={shape: _make_sprites(rng, shape) for shape in SHAPE_NAMES},
        textures=tuple(_make_texture(rng) for _ in range(_TEXTURES)),
    )


def _make_atlas(rng: np.random.Generator) -> GlyphAtlas:
    _, files = pick(rng, find_families())
    foreign = pick(rng, ("", "", CYRILLIC + CYRILLIC.upper(), GREEK + GREEK.upper()))
    return make_atlas(pick(rng, files), _log_uniform(rng, *_TEXT_PIXELS), pick(rng, RASTERIZERS), CHARACTERS + foreign)


def _log_uniform(rng: np.random.Generator, low: int, high: int) -> int:
    return int(np.exp(rng.uniform(np.log(low), np.log(high + 0.99))))


def _foreign_word(rng: np.random.Generator, letters: str) -> str:
    word = "".join(letters[i] for i in rng.integers(len(letters), size=int(rng.integers(1, 8))))
    return word.capitalize() if rng.random() < 0.2 else word


def _make_sprites(rng: np.random.Generator, shape: str) -> tuple[NDArray[np.uint8], ...]:
    found = (_make_sprite(rng, shape) for _ in range(_SPRITES))
    return tuple(sorted(found, key=lambda mask: mask.shape[1]))


def _make_sprite(rng: np.random.Generator, shape: str) -> NDArray[np.uint8]:
    """A mask cropped to its ink. Two rasterizers: polygons of the picture library at four times
    the size, and our own with 1 to 4 samples a side; some edges are soft."""
    side = _log_uniform(rng, *_SHAPE_PIXELS)
    sides = [side, max(8, round(side * rng.uniform(*SHAPES[shape].aspect)))]
    width, height = sides if rng.random() < 0.5 else sides[::-1]
    turn = rng.uniform(-1, 1) * SHAPES[shape].max_turn
    library = rng.random() < 0.5
    mask = (
        draw_mask(shape, width, height, turn) if library else _rasterize(shape, width, height, turn, int(rng.choice(4)))
    )
    if rng.random() < 0.25:
        mask = mask.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.8))))
    covered = np.asarray(mask)
    x1, y1, x2, y2 = ink_box(covered) or (0, 0, *mask.size)
    return covered[y1:y2, x1:x2]


def _rasterize(shape: str, width: int, height: int, turn: float, more: int) -> Image.Image:
    """Coverage by the even-odd rule at (more + 1)^2 points a pixel, cropped as `draw_mask` crops."""
    angle = np.deg2rad(turn)
    spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    place = lambda points: (np.array(points) - 0.5) * (width, height) @ spin  # noqa: E731
    outline = place(SHAPES[shape].outline)
    corner, extent = outline.min(axis=0), np.ptp(outline, axis=0)
    columns, rows = np.maximum(1, np.round(extent)).astype(int)
    step = 1 / (more + 1)
    x = (np.arange(columns * (more + 1)) + 0.5) * step + corner[0]
    y = (np.arange(rows * (more + 1)) + 0.5) * step + corner[1]
    inside = _inside(outline, x, y)
    if SHAPES[shape].hole:
        inside &= ~_inside(place(SHAPES[shape].hole), x, y)
    share = inside.reshape(rows, more + 1, columns, more + 1).mean(axis=(1, 3))
    return Image.fromarray((share * 255).astype(np.uint8))


def _inside(polygon: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """For each y (rows) and x (columns), whether it lies inside: an odd number of edges to its right."""
    crossings = np.zeros((len(y), len(x)), bool)
    for (x1, y1), (x2, y2) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        spans = np.flatnonzero((y1 > y) != (y2 > y))
        if len(spans):
            at = x1 + (y[spans] - y1) * (x2 - x1) / (y2 - y1)
            crossings[spans] ^= x[None, :] < at[:, None]
    return crossings


def _make_texture(rng: np.random.Generator) -> NDArray[np.int8]:
    """Grain, clouds, stripes, a grid of lines, or a slope, as a difference from a color."""
    kind, side = int(rng.integers(5)), TEXTURE_SIDE
    along = np.linspace(0, 1, side)
    slope = along[None, :] * rng.uniform(-1, 1) + along[:, None] * rng.uniform(-1, 1)
    if kind == 0:
        field = rng.normal(0, 1, (side, side))
    elif kind == 1:
        small = Image.fromarray(rng.normal(0, 1, (12, 12)).astype(np.float32))
        field = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)) + rng.normal(0, 0.2, (side, side))
    elif kind == 2:
        field = np.sin(slope * rng.uniform(20, 200))
    elif kind == 3:
        gap = int(rng.integers(6, 40))
        lines = (np.arange(side) % gap < rng.integers(1, 3)).astype(float)
        field = -np.maximum(lines[None, :], lines[:, None])
    else:
        field = slope * 2
    scaled = field * rng.uniform(3, 16)
    return np.clip(scaled, -128, 127).astype(np.int8)
