"""Results drawn on the picture: outlines, dots and labels that can be read at any picture size.

Small pictures are enlarged first, so that a label is never larger than what it names. Labels avoid one another, equal
labels have one color, and they are written in any script that the shipped fonts have. The numbers `#1`, `#2` ... that
tie a label to `results[0]`, `results[1]` can be asked for. See `timeline` for clips.
"""

import base64
import io
import math
from collections import Counter
from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw

from viewfinder.media.image import Picture
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import Box
from viewfinder.outputs.lettering import Lettering
from viewfinder.outputs.place import Corners
from viewfinder.outputs.points import Point

Color = tuple[int, int, int]

PALETTE: tuple[Color, ...] = (
    (230, 25, 75),
    (60, 180, 75),
    (0, 110, 220),
    (245, 130, 48),
    (145, 30, 180),
    (0, 170, 170),
    (240, 50, 230),
    (170, 110, 40),
    (128, 128, 0),
    (0, 0, 128),
)
_MIN_SIDE = 720


def draw(
    picture: Picture | Image.Image,
    results: Iterable[Box | Point],
    *,
    numbers: bool = False,
    min_side: int = _MIN_SIDE,
    note: str | None = None,
) -> Image.Image:
    """A copy of the picture with every result on it.

    Args:
        picture: a `Picture`, whose transform says where results of the original lie in it, or an upright
            original as a PIL image.
        results: in pixels of the original.
        numbers: put `#1`, `#2` ... before the labels.
        min_side: a picture whose longer side is smaller is enlarged to this many pixels.
        note: words for the top left corner. When None: "nothing found" without results, and a legend of labels and how
            many there are of each where there are several.
    """
    image = picture.image if isinstance(picture, Picture) else picture
    transform = picture.transform if isinstance(picture, Picture) else Transform.identity(image.size)
    zoom = max(1.0, min_side / max(image.size))
    size = (max(1, round(image.width * zoom)), max(1, round(image.height * zoom)))
    resampling = Image.Resampling.NEAREST if zoom >= 3 else Image.Resampling.BICUBIC
    canvas = image.convert("RGB").resize(size, resampling) if zoom > 1 else image.convert("RGB").copy()
    painter = _Painter(canvas, transform.then_resize(size))
    items = list(results)
    colors = color_of([item.label for item in items])
    for item, color in zip(items, colors, strict=True):
        painter.mark(item, color)
    for line, color in _notes(items, colors, note):
        painter.note(line, color)
    for i, (item, color) in enumerate(zip(items, colors, strict=True), 1):
        painter.label(item, (f"#{i} " if numbers else "") + caption(item), color)
    return canvas


def color_of(labels: Sequence[str]) -> list[Color]:
    """One color per label, equal labels alike, in order of appearance."""
    distinct = list(dict.fromkeys(labels))
    return [PALETTE[distinct.index(label) % len(PALETTE)] for label in labels]


def _notes(items: Sequence[Box | Point], colors: Sequence[Color], note: str | None) -> list[tuple[str, Color]]:
    if note is not None or not items:
        said = "nothing found" if note is None else note
        return [(said, (40, 40, 40))] if said else []
    names = [item.label for item in items]
    counts = Counter(names)
    if len(counts) < 2 or len(counts) > len(PALETTE):
        return []
    return [(f"{count} {name}".strip(), colors[names.index(name)]) for name, count in counts.items()]


def caption(result: Box | Point) -> str:
    """What is written beside a result: its label or text, and its confidence."""
    text = result.label or (result.text or "" if isinstance(result, Box) else "")
    text = " ".join(text.split())
    return text if result.confidence is None else f"{text} {result.confidence:.0%}".strip()


class _Painter:
    """A canvas, and where labels already are on it."""

    def __init__(self, canvas: Image.Image, transform: Transform) -> None:
        self.size = canvas.size
        self.transform = transform
        self.pen = ImageDraw.Draw(canvas)
        longest = max(canvas.size)
        self.line = max(2, round(longest / 360))
        self.font = Lettering(max(13, round(longest / 55)))
        self.taken: list[Corners] = []
        self.noted = 0.0

    def rectangle(self, result: Box | Point) -> Corners:
        """The result in pixels of the canvas; a point as the square around its dot."""
        if isinstance(result, Box):
            return self.transform.clamp_box_model(self.transform.box_to_model(result.xyxy))
        x, y = self.transform.clamp_model(self.transform.to_model(result.xy))
        radius = 2.5 * self.line
        return x - radius, y - radius, x + radius, y + radius

    def mark(self, result: Box | Point, color: Color) -> None:
        """Outline or dot, with a thin contrasting rim so that it shows on its own color too."""
        x1, y1, x2, y2 = self.rectangle(result)
        rim = (255, 255, 255) if _is_dark(color) else (0, 0, 0)
        if isinstance(result, Box):
            self.pen.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=rim, width=self.line + 2)
            self.pen.rectangle((x1, y1, x2, y2), outline=color, width=self.line)
        else:
            self.pen.ellipse((x1, y1, x2, y2), fill=color, outline=rim, width=max(1, self.line // 2))

    def label(self, result: Box | Point, text: str, color: Color) -> None:
        if not text:
            return
        text = self._shortened(text)
        size = (self.font.length(text) + 2 * self.line, self.font.height + 2 * self.line)  # equal height for all
        self._write(text, self._free_place(self.rectangle(result), size), color)

    def note(self, text: str, color: Color) -> None:
        """A line in the top left corner, below those already there."""
        text = self._shortened(text)
        top = self.noted
        self.noted += self.font.height + 2 * self.line
        self._write(text, (0.0, top, self.font.length(text) + 2 * self.line, self.noted), color)

    def _write(self, text: str, place: Corners, color: Color) -> None:
        self.taken.append(place)
        self.pen.rectangle(place, fill=color)
        ink = (255, 255, 255) if _is_dark(color) else (0, 0, 0)
        self.font.draw(self.pen, (place[0] + self.line, place[1] + self.line), text, ink)

    def _shortened(self, text: str) -> str:
        limit = self.size[0] * 0.6
        if self.font.length(text) <= limit:
            return text
        keep = max(1, math.floor(len(text) * limit / self.font.length(text)) - 1)
        return text[:keep] + "…"

    def _free_place(self, around: Corners, size: tuple[float, float]) -> Corners:
        """Above, below or inside the result: the first place inside the canvas that covers no other label, else
        the one that covers least."""
        x1, y1, x2, y2 = around
        width, height = size
        corners = [(x1, y1 - height), (x1, y2), (x2 - width, y1 - height), (x2 - width, y2)]
        corners += [(x1, y1), (x2, y1), (x1 - width, y1), (x1, y2 - height)]
        corners += [(x1, y1 - n * height) for n in (2, 3)] + [(x1, y2 + n * height) for n in (1, 2)]
        places: list[Corners] = []
        for x, y in corners:
            left = min(max(x, 0.0), max(0.0, self.size[0] - width))
            above = min(max(y, 0.0), max(0.0, self.size[1] - height))
            places.append((left, above, left + width, above + height))
        return min(places, key=lambda place: sum(_overlap(place, other) for other in self.taken))


def _overlap(a: Corners, b: Corners) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _is_dark(color: Color) -> bool:
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] < 140


def data_uri(image: Image.Image, longest: int = 1600, quality: int = 85) -> str:
    """A picture inside a page, as JPEG of at most `longest` pixels a side."""
    copy = image.convert("RGB")
    copy.thumbnail((longest, longest))
    sink = io.BytesIO()
    copy.save(sink, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(sink.getvalue()).decode()
