"""The same boxes, "none" and yes/no on shapes drawn by code that no training picture was drawn with, 64 to 600 pixels.

Two renderers by turns: PDFium, which fills the paths of a page of vectors, and Pillow's own ellipse, rectangle and
polygon, without anti-aliasing. Names and colors are those of training; outlines are written anew here.
"""

import random
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
import pypdfium2
from PIL import Image, ImageDraw

from viewfinder.data.synth.shapes import COLORS
from viewfinder.eval.answer_format import AnswerFormat, box, text
from viewfinder.eval.builtin.drawing import builtin
from viewfinder.eval.builtin.placing import recall_of_none
from viewfinder.eval.builtin.talking import exact
from viewfinder.eval.drawn import picture, where, where_or_none, whether
from viewfinder.eval.question import Question, Sight
from viewfinder.eval.scores import overlaps
from viewfinder.eval.suites.absence import boxes_or_none, located_right
from viewfinder.messages import user

LEAST, MOST = 64, 600
RENDERERS = ("pdfium", "pillow")
_SUPERSAMPLED = 0.25
"""Share of Pillow's pictures that are drawn twice as large and averaged."""

Points = tuple[tuple[float, float], ...]


def _turned(corners: int, radii: tuple[float, ...] = (0.5,)) -> Points:
    """Corners around the middle of the unit square, the first at the top."""
    angles = [2 * pi * i / corners - pi / 2 for i in range(corners)]
    return tuple(
        (0.5 + radii[i % len(radii)] * cos(a), 0.5 + radii[i % len(radii)] * sin(a)) for i, a in enumerate(angles)
    )


OUTLINES: dict[str, Points] = {
    "square": ((0, 0), (1, 0), (1, 1), (0, 1)),
    "rectangle": ((0, 0.2), (1, 0.2), (1, 0.8), (0, 0.8)),
    "triangle": ((0.5, 0), (1, 1), (0, 1)),
    "diamond": ((0.5, 0), (0.85, 0.5), (0.5, 1), (0.15, 0.5)),
    "star": _turned(10, (0.5, 0.2)),
    "hexagon": _turned(6),
    "circle": (),
    "oval": (),
}
"""Corners in the unit square; circle and oval are drawn as ellipses of height 1 and 0.6."""


@dataclass(frozen=True)
class DrawnShape:
    """A shape and its box in pixels, edges on whole pixels or between them."""

    shape: str
    color: str
    box: tuple[float, float, float, float]

    @property
    def label(self) -> str:
        return f"{self.color} {self.shape}"


def make_shapes(rng: np.random.Generator, most: int = 4) -> tuple[tuple[int, int], str, list[DrawnShape]]:
    """Size of a picture, name of its ground, and 1 to `most` shapes in it; no two names are equal, none overlap."""
    size = tuple(int(np.exp(rng.uniform(np.log(LEAST), np.log(MOST)))) for _ in range(2))
    width, height = size[0], int(np.clip(size[1], size[0] / 2.5, size[0] * 2.5))
    ground = str(rng.choice(["white", "white", "black", "gray", "yellow", "blue", "green"]))
    found: list[DrawnShape] = []
    for _ in range(int(rng.integers(1, most + 1))):
        shape, color = str(rng.choice(list(OUTLINES))), str(rng.choice(list(COLORS)))
        box = _place(rng, (width, height), shape)
        distance = sum(abs(a - b) for a, b in zip(COLORS[color], COLORS[ground], strict=True))
        if distance >= 150 and all(o.label != f"{color} {shape}" and _apart(o.box, box) for o in found):
            found.append(DrawnShape(shape, color, box))
    return (width, height), ground, found


def _place(rng: np.random.Generator, size: tuple[int, int], shape: str) -> tuple[float, float, float, float]:
    """The box of the shape's own extent somewhere in the picture."""
    side = max(12.0, min(size) * float(rng.uniform(0.18, 0.5)))
    x, y = (float(rng.uniform(1, n - side - 1)) for n in size)
    if shape in ("circle", "oval"):
        half = 0.5 if shape == "circle" else 0.3
        return x, y + side * (0.5 - half), x + side, y + side * (0.5 + half)
    xs, ys = zip(*OUTLINES[shape], strict=True)
    return x + side * min(xs), y + side * min(ys), x + side * max(xs), y + side * max(ys)


def _apart(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[2] + 2 < b[0] or b[2] + 2 < a[0] or a[3] + 2 < b[1] or b[3] + 2 < a[1]


def corners_of(one: DrawnShape) -> list[tuple[float, float]]:
    """The outline in pixels of the picture."""
    x1, y1, x2, y2 = one.box
    xs, ys = zip(*OUTLINES[one.shape], strict=True)
    across, down = (x2 - x1) / (max(xs) - min(xs)), (y2 - y1) / (max(ys) - min(ys))
    return [(x1 + (x - min(xs)) * across, y1 + (y - min(ys)) * down) for x, y in OUTLINES[one.shape]]


def draw_with_pillow(
    size: tuple[int, int], ground: str, shapes: list[DrawnShape], *, supersampled: bool = False
) -> Image.Image:
    """Pillow's primitives."""
    scale = 2 if supersampled else 1
    image = Image.new("RGB", (size[0] * scale, size[1] * scale), COLORS[ground])
    pen = ImageDraw.Draw(image)
    for one in shapes:
        x1, y1, x2, y2 = (value * scale for value in one.box)
        if not OUTLINES[one.shape]:
            pen.ellipse((x1, y1, x2 - 1, y2 - 1), fill=COLORS[one.color])
        elif one.shape in ("square", "rectangle"):
            pen.rectangle((x1, y1, x2 - 1, y2 - 1), fill=COLORS[one.color])
        else:
            pen.polygon([(x * scale, y * scale) for x, y in corners_of(one)], fill=COLORS[one.color])
    return image.reduce(scale)


def draw_with_pdfium(size: tuple[int, int], ground: str, shapes: list[DrawnShape]) -> Image.Image:
    """A PDF page of filled paths, one point a pixel, rendered."""
    width, height = size
    content = [_fill(ground), f"0 0 {width} {height} re f"]
    for one in shapes:
        content += [_fill(one.color), *(_corners_path(one, height) if OUTLINES[one.shape] else _oval(one, height)), "f"]
    with pypdfium2.PdfDocument(_pdf("\n".join(content), size)) as document:
        page = document[0]
        image = page.render(scale=1).to_pil().convert("RGB")
        page.close()
    return image


def _fill(color: str) -> str:
    return "{:.4f} {:.4f} {:.4f} rg".format(*(value / 255 for value in COLORS[color]))


def _corners_path(one: DrawnShape, height: int) -> list[str]:
    points = [f"{x:.2f} {height - y:.2f}" for x, y in corners_of(one)]
    return [f"{points[0]} m", *(f"{point} l" for point in points[1:]), "h"]


def _oval(one: DrawnShape, height: int) -> list[str]:
    """Four Bezier curves."""
    x1, y1, x2, y2 = one.box
    x, y, a, b = (x1 + x2) / 2, height - (y1 + y2) / 2, (x2 - x1) / 2, (y2 - y1) / 2
    k = 0.5523
    quarters = [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)]  # from and to, as parts of a and b
    lines = [f"{x + a:.2f} {y:.2f} m"]
    for p, q, r, s in quarters:
        ends = ((p + k * r, q + k * s), (r + k * p, s + k * q), (r, s))
        lines.append(" ".join(f"{x + a * u:.2f} {y + b * v:.2f}" for u, v in ends) + " c")
    return lines


def _pdf(content: str, size: tuple[int, int]) -> bytes:
    """The smallest file around one page's content; readers rebuild the table of objects."""
    objects = (
        "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj",
        "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj",
        f"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 {size[0]} {size[1]}]/Contents 4 0 R>>endobj",
        f"4 0 obj<</Length {len(content)}>>stream\n{content}\nendstream endobj",
    )
    return "\n".join(("%PDF-1.4", *objects, "trailer<</Root 1 0 R>>", "%%EOF")).encode()


def make_picture(
    rng: np.random.Generator, number: int, most: int = 4
) -> tuple[Image.Image, list[DrawnShape], dict[str, str]] | None:
    """A picture with its shapes and tags; the renderers by turns of two numbers."""
    size, ground, shapes = make_shapes(rng, most)
    if not shapes:
        return None
    renderer = RENDERERS[number // 2 % 2]
    band = next(f"{low}-{high}" for low, high in ((64, 167), (168, 335), (336, 600)) if max(size) <= high)
    soft = bool(rng.random() < _SUPERSAMPLED)
    image = (
        draw_with_pdfium(size, ground, shapes)
        if renderer == "pdfium"
        else draw_with_pillow(size, ground, shapes, supersampled=soft)
    )
    return image, shapes, {"renderer": renderer, "pixels": band}


def _absent_label(rng: np.random.Generator, shapes: list[DrawnShape]) -> str:
    """A name that nothing has; half of them share color or shape with what is there."""
    one, near = shapes[int(rng.integers(len(shapes)))], rng.random()
    shape = one.shape if near < 0.25 else str(rng.choice(list(OUTLINES)))
    color = one.color if 0.25 <= near < 0.5 else str(rng.choice(list(COLORS)))
    name = f"{color} {shape}"
    return _absent_label(rng, shapes) if any(o.label == name for o in shapes) else name


def locate(rng: np.random.Generator, number: int) -> Question | None:
    """A shape that is there by its name."""
    made = make_picture(rng, 2 * number)
    if made is None:
        return None
    image, shapes, tags = made
    one = shapes[int(rng.integers(len(shapes)))]
    return where(f"{number}", image, f"the {one.label}", one.box, {**tags, "label": one.label})


def locate_or_none(rng: np.random.Generator, number: int) -> Question | None:
    """Every other question is about something that is not there: then the answer is an empty list."""
    made = make_picture(rng, number)
    if made is None:
        return None
    image, shapes, tags = made
    one, there = shapes[int(rng.integers(len(shapes)))], number % 2 == 0
    name = one.label if there else _absent_label(rng, shapes)
    return where_or_none(f"{number}", image, name, [one.box] if there else [], tags)


def yes_or_no(rng: np.random.Generator, number: int) -> Question | None:
    """Half of what is asked for is there."""
    made = make_picture(rng, number, most=2)
    if made is None:
        return None
    image, shapes, tags = made
    there = number % 2 == 0
    name = shapes[int(rng.integers(len(shapes)))].label if there else _absent_label(rng, shapes)
    said = "Yes" if there else "No"
    messages = (user(picture(image), whether(name)),)
    return Question(f"{number}", messages, {"answers": [said]}, {**tags, "there": said.lower()})


def _guess(question: Question, sight: Sight, rng: random.Random) -> str:
    return rng.choice(("Yes", "No"))


_YES_NO = AnswerFormat("text/1", text.read, text.write, _guess, lambda question, sight: "Yes")

TASKS = (
    builtin("renderer_locate", "Shapes of another renderer: IoU of a half", locate, box, overlaps, max_new_tokens=128),
    builtin(
        "renderer_absent",
        "Shapes of another renderer: recall of none at 90 % precision",
        locate_or_none,
        boxes_or_none,
        located_right,
        total=recall_of_none,
        max_new_tokens=128,
    ),
    builtin(
        "renderer_yes_no",
        "Shapes of another renderer: yes or no, exact",
        yes_or_no,
        _YES_NO,
        exact,
        max_new_tokens=32,
    ),
)
