"""The kind "charts": bars, lines, sectors; their tables and questions about them."""

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.charts.drawn import draw_chart
from viewfinder.data.synth.charts.figures import draw_figures
from viewfinder.data.synth.charts.questions import ask_chart
from viewfinder.data.synth.choose import number
from viewfinder.data.synth.documents.lettering import draw_faces
from viewfinder.data.synth.documents.sheet import Sheet, draw_palette
from viewfinder.data.synth.exchange import converse, one_or_two
from viewfinder.data.synth.grounds import camera
from viewfinder.data.synth.kinds import Options


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
