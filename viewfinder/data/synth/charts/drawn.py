"""Charts drawn with nothing but lines and boxes: fast, small, and every mark's box known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from viewfinder.data.sample import Sample
from viewfinder.data.synth.charts.figures import Figures, draw_figures
from viewfinder.data.synth.charts.questions import ask_chart
from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.documents.lettering import Face, Faces, draw_faces, set_line
from viewfinder.data.synth.documents.sheet import Color, Sheet, blend, draw_palette
from viewfinder.data.synth.exchange import converse, one_or_two
from viewfinder.data.synth.grounds import camera
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.shapes import PixelRectangle

_COLORS: tuple[Color, ...] = (
    *((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75), (227, 119, 194)),
    *((23, 150, 160), (188, 160, 34), (90, 90, 90), (230, 60, 120), (70, 90, 220)),
)
_FINE = 3
"""Slanted marks are drawn this much larger and made smaller, so that their edges are smooth."""

_Scaled = Callable[[Sequence[tuple[float, float]]], list[tuple[float, float]]]


@dataclass
class DrawnChart:
    """Box of all ink, and of each mark (bar) by series and category."""

    box: PixelRectangle
    marks: dict[tuple[int, int], PixelRectangle] = field(default_factory=dict)


@dataclass(frozen=True)
class _Plot:
    """The area between the axes and how values lie in it."""

    x1: int
    y1: int
    x2: int
    y2: int
    end: float

    def y(self, value: float) -> int:
        return round(self.y2 - (self.y2 - self.y1) * value / self.end)

    def x(self, value: float) -> int:
        return round(self.x1 + (self.x2 - self.x1) * value / self.end)


class _Drawing:
    def __init__(
        self, rng: np.random.Generator, sheet: Sheet, area: PixelRectangle, figures: Figures, faces: Faces, size: int
    ) -> None:
        self.rng, self.sheet, self.area, self.figures = rng, sheet, area, figures
        self.face = Face(faces.plain, size, sheet.ink, 1.1)
        self.head = Face(faces.head, round(size * 1.15), sheet.ink, 1.15, pick(rng, ("center", "left")))
        start = number(rng, 0, len(_COLORS) - 1)
        self.colors = [_COLORS[(start + i * 5) % len(_COLORS)] for i in range(12)]
        self.faint = blend(sheet.paper, sheet.ink, 0.2)
        self.grid = chance(rng, 0.6)
        self.marks: dict[tuple[int, int], PixelRectangle] = {}
        self.x1, self.y1, self.x2, self.y2 = area

    def text(self, words: str, x: float, y: float, anchor: str = "mm", ground: Color | None = None) -> None:
        """Words about a point; light or dark as the ground wants."""
        fill = self.face.color
        if ground is not None:
            fill = (255, 255, 255) if sum(ground) < 400 else (0, 0, 0)
        self.sheet.pen.text((x, y), words, fill=fill, font=self.face.font, anchor=anchor)

    def title(self) -> None:
        words = self.figures.title
        if words and self.head.width(words) <= self.x2 - self.x1:
            set_line(self.sheet, words, self.head, self.x1, self.y1, self.x2 - self.x1)
            self.y1 += self.head.step + 2

    def legend(self, names: tuple[str, ...]) -> None:
        """Colored squares with names in a row under the title; dropped to several rows when too wide."""
        side = round(self.face.size * 0.7)
        x = self.x1
        for i, name in enumerate(names):
            wide = side + 4 + round(self.face.width(name)) + self.face.size
            if x + wide > self.x2 and x > self.x1:
                x, self.y1 = self.x1, self.y1 + self.face.step
            top = self.y1 + (self.face.step - side) // 2
            self.sheet.pen.rectangle((x, top, x + side, top + side), fill=self.colors[i])
            self.text(name, x + side + 4, self.y1 + self.face.step / 2, "lm")
            x += wide
        self.y1 += self.face.step + 4

    def upright(self) -> _Plot:
        """Axes with values upwards and categories along."""
        end, step = self.figures.axis
        ticks = [self.tick(i * step, step) for i in range(round(end / step) + 1)]
        left = round(max(self.face.width(t) for t in ticks)) + 5
        room = self.face.step if self.figures.labelled else 4
        plot = _Plot(self.x1 + left, self.y1 + room, self.x2 - 2, self.y2 - self.face.step - 3, end)
        for i, words in enumerate(ticks):
            y = plot.y(i * step)
            if self.grid and i:
                self.sheet.pen.line((plot.x1, y, plot.x2, y), self.faint)
            self.text(words, plot.x1 - 4, y, "rm")
        self.sheet.pen.line([(plot.x1, plot.y1), (plot.x1, plot.y2), (plot.x2, plot.y2)], self.sheet.ink)
        for i, name in enumerate(self.figures.categories):
            self.text(name, self.middle(plot, i), plot.y2 + 4, "ma")
        return plot

    def tick(self, value: float, step: float) -> str:
        return f"{value:.1f}" if step != round(step) else f"{round(value)}"

    def middle(self, plot: _Plot, i: int) -> float:
        return plot.x1 + (plot.x2 - plot.x1) * (i + 0.5) / len(self.figures.categories)

    def bars(self, plot: _Plot, share: float) -> None:
        figures = self.figures
        room = (plot.x2 - plot.x1) / len(figures.categories) * share
        each = max(3, int(room / len(figures.series)))
        for s, row in enumerate(figures.values):
            for c, value in enumerate(row):
                x = round(self.middle(plot, c) - each * len(figures.series) / 2) + s * each
                box = (x, min(plot.y(value), plot.y2 - 1), x + each - 2, plot.y2 - 1)  # next to nothing is a line
                by_series = len(figures.series) > 1 or self.grid
                self.sheet.pen.rectangle(box, fill=self.colors[s if by_series else c])
                self.marks[s, c] = (box[0], box[1], box[2] + 1, box[3] + 1)
                if figures.labelled:
                    self.text(figures.written(value), x + each / 2 - 1, box[1] - 2, "md")

    def bar(self) -> None:
        self.bars(self.upright(), float(self.rng.uniform(0.55, 0.85)))

    def lollipop(self) -> None:
        plot = self.upright()
        for c, value in enumerate(self.figures.values[0]):
            x, y = round(self.middle(plot, c)), plot.y(value)
            self.sheet.pen.line((x, y, x, plot.y2), self.colors[0], 2)
            self.sheet.pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=self.colors[0])
            if self.figures.labelled:
                self.text(self.figures.written(value), x, y - 6, "md")

    def hbar(self) -> None:
        figures = self.figures
        left = round(max(self.face.width(c) for c in figures.categories)) + 6
        end, step = figures.axis
        right = round(self.face.width(figures.written(figures.top))) + 6 if figures.labelled else 8
        plot = _Plot(self.x1 + left, self.y1 + 2, self.x2 - right, self.y2 - self.face.step - 3, end)
        for i in range(round(end / step) + 1):
            x = plot.x(i * step)
            if self.grid and i:
                self.sheet.pen.line((x, plot.y1, x, plot.y2), self.faint)
            words = self.tick(i * step, step)
            if i % 2 == 0 or self.face.width(words) * 1.6 < plot.x(step) - plot.x1:
                self.text(words, x, plot.y2 + 4, "ma")
        each = (plot.y2 - plot.y1) / len(figures.categories)
        for c, value in enumerate(figures.values[0]):
            y = plot.y1 + each * (c + 0.5)
            half = max(2, each * 0.33)
            box = (plot.x1 + 1, round(y - half), max(plot.x1 + 1, plot.x(value)), round(y + half))
            self.sheet.pen.rectangle(box, fill=self.colors[0 if self.grid else c])
            self.marks[0, c] = (box[0], box[1], box[2] + 1, box[3] + 1)
            self.text(figures.categories[c], plot.x1 - 4, y, "rm")
            if figures.labelled:
                self.text(figures.written(value), box[2] + 4, y, "lm")
        self.sheet.pen.line([(plot.x1, plot.y1), (plot.x1, plot.y2), (plot.x2, plot.y2)], self.sheet.ink)

    def line(self) -> None:
        self.lines(filled=False)

    def area_(self) -> None:
        self.lines(filled=True)

    def lines(self, filled: bool) -> None:
        plot = self.upright()
        dots = chance(self.rng, 0.8)
        area = (plot.x1 - 4, plot.y1 - 4, plot.x2 + 4, plot.y2 + 4)
        for s, row in enumerate(self.figures.values):
            points = [(self.middle(plot, c), float(plot.y(v))) for c, v in enumerate(row)]
            if filled:
                below = [*points, (points[-1][0], plot.y2 - 1.0), (points[0][0], plot.y2 - 1.0)]
                self.paint(area, lambda pen, at, below=below: pen.polygon(at(below), fill=110), self.colors[s])
            self.paint(area, lambda pen, at, points=points: pen.line(at(points), 255, 2 * _FINE), self.colors[s])
            for x, y in points if dots else ():
                self.sheet.pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=self.colors[s])
        if self.figures.labelled and len(self.figures.series) == 1:
            for c, value in enumerate(self.figures.values[0]):
                self.text(self.figures.written(value), self.middle(plot, c), plot.y(value) - 5, "md")

    def pie(self) -> None:
        self.sectors(0.0)

    def donut(self) -> None:
        self.sectors(0.5)

    def sectors(self, hole: float) -> None:
        """Sectors clockwise from the top, values inside, names in the legend."""
        radius = (min(self.x2 - self.x1, self.y2 - self.y1) - 4) // 2
        x, y = (self.x1 + self.x2) // 2, (self.y1 + self.y2) // 2
        area = (x - radius, y - radius, x + radius, y + radius)
        inner = (x - radius * hole, y - radius * hole, x + radius * hole, y + radius * hole)
        edges = np.concatenate([[0.0], np.cumsum(self.figures.values[0])]) * 3.6 - 90
        for c, (start, stop) in enumerate(pairwise(edges)):

            def sector(pen: ImageDraw.ImageDraw, at: _Scaled, start: float = start, stop: float = stop) -> None:
                pen.pieslice(at([area[:2], area[2:]]), start, stop, fill=255)
                if hole:
                    pen.ellipse(at([inner[:2], inner[2:]]), fill=0)

            self.paint((area[0] - 2, area[1] - 2, area[2] + 2, area[3] + 2), sector, self.colors[c])
        for c, middle in enumerate(np.deg2rad((edges[:-1] + edges[1:]) / 2)):
            reach = radius * (0.76 if hole else 0.68)
            place = (x + reach * float(np.cos(middle)), y + reach * float(np.sin(middle)))
            self.text(self.figures.written(self.figures.values[0][c]), *place, ground=self.colors[c])

    def paint(self, area: PixelRectangle, draw: Callable[[ImageDraw.ImageDraw, _Scaled], None], color: Color) -> None:
        """Paint what `draw` draws on a larger mask of an area; it is given what scales points of the sheet."""
        x1, y1, x2, y2 = area
        mask = Image.new("L", ((x2 - x1) * _FINE, (y2 - y1) * _FINE), 0)
        draw(ImageDraw.Draw(mask), lambda points: [((x - x1) * _FINE, (y - y1) * _FINE) for x, y in points])
        small = mask.reduce(_FINE)
        self.sheet.image.paste(color, (x1, y1, x1 + small.width, y1 + small.height), small)


def draw_chart(
    rng: np.random.Generator, sheet: Sheet, area: PixelRectangle, figures: Figures, faces: Faces, size: int
) -> DrawnChart:
    """Draw a chart into an area of a sheet, letters of `size` pixels per em."""
    drawing = _Drawing(rng, sheet, area, figures, faces, size)
    drawing.title()
    if figures.form in ("pie", "donut"):
        drawing.legend(figures.categories)
    elif len(figures.series) > 1:
        drawing.legend(figures.series)
    generators = {
        "bar": drawing.bar,
        "hbar": drawing.hbar,
        "line": drawing.line,
        "pie": drawing.pie,
        "donut": drawing.donut,
        "lollipop": drawing.lollipop,
        "area": drawing.area_,
    }
    generators[figures.form]()
    box = sheet.ink_box(area)
    assert box is not None
    return DrawnChart(box, drawing.marks)


def chart_size(rng: np.random.Generator, options: Options) -> tuple[int, int]:
    """Mostly wider than high; whole tokens when easy."""
    low = min(max(options.min_side, 168), options.max_side)
    width = number(rng, low, options.max_side)
    height = min(options.max_side, max(min(140, options.max_side), round(width * float(rng.uniform(0.65, 1.05)))))
    if options.difficulty < 0.35:
        return max(28, width // 28 * 28), max(28, height // 28 * 28)
    return width, height


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A chart drawn without any library, and one or two questions."""
    held_out = options.split == "held_out"
    size = chart_size(rng, options)
    figures = draw_figures(rng, options.difficulty, held_out)
    colors = draw_palette(rng, options.difficulty)
    sheet = Sheet(size, colors.paper, colors.ink, colors.accent)
    em = min(number(rng, 14 - round(4 * options.difficulty), 15), max(10, size[0] // (4 + 3 * len(figures.categories))))
    edge = number(rng, 4, 10)
    area = (edge, edge, size[0] - edge, size[1] - edge)
    chart = draw_chart(rng, sheet, area, figures, draw_faces(rng, options.split, options.fonts), em)
    exchanges = one_or_two(rng, lambda: ask_chart(rng, figures, chart.box, size, chart.marks))
    image = camera(rng, sheet.image, options.difficulty * 0.6)
    return converse(exchanges, image, lineage=("charts.drawn",))
