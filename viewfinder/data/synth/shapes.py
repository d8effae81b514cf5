"""Named shapes and named colors: outlines, paint, and which pairs training never sees.

A shape is a polygon in the unit square (so that holes and curves need no special case) plus, for two of
them, a second polygon cut out. Colors are a name and a place to vary around in RGB.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

_Points = list[tuple[float, float]]

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (215, 35, 35),
    "green": (35, 150, 55),
    "blue": (35, 75, 210),
    "yellow": (245, 215, 45),
    "orange": (245, 135, 25),
    "purple": (125, 45, 165),
    "pink": (250, 130, 180),
    "brown": (120, 72, 35),
    "black": (22, 22, 22),
    "white": (248, 248, 248),
    "gray": (130, 130, 130),
    "cyan": (55, 205, 220),
}
"""Names and central RGB values."""


def _regular(corners: int, phase: float = -90.0) -> _Points:
    angles = np.deg2rad(phase + 360.0 * np.arange(corners) / corners)
    return [(0.5 + 0.5 * float(np.cos(a)), 0.5 + 0.5 * float(np.sin(a))) for a in angles]


def _star() -> _Points:
    angles = np.deg2rad(-90.0 + 36.0 * np.arange(10))
    radii = np.where(np.arange(10) % 2 == 0, 0.5, 0.2)
    return [(0.5 + float(r * np.cos(a)), 0.5 + float(r * np.sin(a))) for a, r in zip(angles, radii, strict=True)]


def _heart() -> _Points:
    t = np.linspace(0, 2 * np.pi, 60)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return [(0.5 + float(a) / 34, 0.47 + float(b) / 34) for a, b in zip(x, y, strict=True)]


def _crescent() -> _Points:
    outer = [(0.6 + 0.5 * np.cos(a), 0.5 + 0.5 * np.sin(a)) for a in np.deg2rad(np.linspace(60, 300, 40))]
    inner = [(0.8 + 0.45 * np.cos(a), 0.5 + 0.43 * np.sin(a)) for a in np.deg2rad(np.linspace(260, 100, 40))]
    return [(float(x), float(y)) for x, y in outer + inner]


@dataclass(frozen=True)
class Shape:
    """`outline` and `hole` in the unit square; `max_turn` degrees keep the name true; `aspect` is height / width."""

    outline: tuple[tuple[float, float], ...]
    hole: tuple[tuple[float, float], ...] = ()
    max_turn: float = 20.0
    aspect: tuple[float, float] = (0.85, 1.18)


def _shape(points: _Points, **rest: object) -> Shape:
    return Shape(tuple(points), **rest)  # type: ignore[arg-type]


_SQUARE: _Points = [(0, 0), (1, 0), (1, 1), (0, 1)]
_CROSS: _Points = [
    *((0.34, 0), (0.66, 0), (0.66, 0.34), (1, 0.34), (1, 0.66), (0.66, 0.66)),
    *((0.66, 1), (0.34, 1), (0.34, 0.66), (0, 0.66), (0, 0.34), (0.34, 0.34)),
]
_ARROW: _Points = [(0, 0.35), (0.55, 0.35), (0.55, 0.08), (1, 0.5), (0.55, 0.92), (0.55, 0.65), (0, 0.65)]
_RING_HOLE = tuple((0.5 + (x - 0.5) * 0.55, 0.5 + (y - 0.5) * 0.55) for x, y in _regular(48))

SHAPES: dict[str, Shape] = {
    "circle": _shape(_regular(48), max_turn=0.0, aspect=(0.95, 1.06)),
    "square": _shape(_SQUARE, max_turn=12.0, aspect=(0.92, 1.09)),
    "rectangle": _shape(_SQUARE, max_turn=8.0, aspect=(0.4, 0.62)),
    "triangle": _shape([(0.5, 0), (1, 1), (0, 1)], max_turn=25.0),
    "star": _shape(_star(), max_turn=30.0),
    "diamond": _shape([(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)], max_turn=8.0, aspect=(1.1, 1.6)),
    "cross": _shape(_CROSS, max_turn=15.0),
    "heart": _shape(_heart(), max_turn=20.0),
    "hexagon": _shape(_regular(6), max_turn=15.0),
    "ring": Shape(tuple(_regular(48)), _RING_HOLE, max_turn=0.0, aspect=(0.95, 1.06)),
    "crescent": _shape(_crescent(), max_turn=25.0),
    "arrow": _shape(_ARROW, max_turn=180.0),
    "oval": _shape(_regular(48), max_turn=10.0, aspect=(0.5, 0.68)),
}
"""Names and outlines."""

SHAPE_NAMES, COLOR_NAMES = tuple(SHAPES), tuple(COLORS)


def held_out_pair(shape: str, color: str) -> bool:
    """Whether this shape in this color is kept out of training (about one pair in ten)."""
    return (3 * SHAPE_NAMES.index(shape) + 7 * COLOR_NAMES.index(color)) % 10 == 4


def paint(rng: np.random.Generator, color: str, spread: int = 18) -> tuple[int, int, int]:
    """An RGB value that still deserves the name."""
    center = np.array(COLORS[color]) + rng.integers(-spread, spread + 1, 3)
    r, g, b = np.clip(center, 0, 255).tolist()
    return r, g, b


def draw_mask(shape: str, width: int, height: int, turn: float) -> Image.Image:
    """An antialiased mask ("L") of the shape, turned by `turn` degrees and cropped to its own extent.

    `width` and `height` are those before turning; the extent afterwards is the mask's size.
    """
    form = SHAPES[shape]
    scale = 4
    place = _placer(width * scale, height * scale, turn)
    outline = [place(p) for p in form.outline]
    left, top = min(x for x, _ in outline), min(y for _, y in outline)
    right, bottom = max(x for x, _ in outline), max(y for _, y in outline)
    size = (max(1, round((right - left) / scale)) * scale, max(1, round((bottom - top) / scale)) * scale)
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    draw.polygon([(x - left, y - top) for x, y in outline], fill=255)
    if form.hole:
        draw.polygon([(x - left, y - top) for x, y in map(place, form.hole)], fill=0)
    return mask.reduce(scale)


def _placer(width: float, height: float, turn: float) -> Callable[[tuple[float, float]], tuple[float, float]]:
    angle = np.deg2rad(turn)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = (point[0] - 0.5) * width, (point[1] - 0.5) * height
        return x * cos - y * sin, x * sin + y * cos

    return place


PixelRectangle = tuple[int, int, int, int]
"""x1, y1, x2, y2: outer corners, in pixels of the picture."""


@dataclass(frozen=True)
class Ground:
    """A picture with a ground of one color; `ink` are the colors text may have, `taken` where something stands."""

    image: Image.Image
    background: str
    ink: Sequence[str]
    taken: list[PixelRectangle] = field(default_factory=list)

    def contrasting(self, rng: np.random.Generator, colors: Sequence[str], least: float) -> str | None:
        """One of the colors that differ from the ground by at least so much, in all channels together."""
        base = np.array(COLORS[self.background], float)
        fit = [c for c in colors if np.abs(np.array(COLORS[c]) - base).sum() >= least]
        return fit[int(rng.integers(len(fit)))] if fit else None

    def is_free(self, box: PixelRectangle, margin: int) -> bool:
        x, y, right, bottom = box
        return all(
            right + margin <= a or c + margin <= x or bottom + margin <= b or d + margin <= y
            for a, b, c, d in self.taken
        )

    def take_place(self, rng: np.random.Generator, size: tuple[int, int], margin: int) -> tuple[int, int] | None:
        """A random corner where `size` fits without touching what is there; None after a few tries."""
        for _ in range(12):
            room = (self.image.width - size[0], self.image.height - size[1])
            if min(room) < 0:
                return None
            x, y = int(rng.integers(room[0] + 1)), int(rng.integers(room[1] + 1))
            box = (x, y, x + size[0], y + size[1])
            if self.is_free(box, margin):
                self.taken.append(box)
                return x, y
        return None
