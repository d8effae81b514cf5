"""The kind "plots_seaborn": the same figures by seaborn, in its styles and palettes."""

from functools import partial
from typing import Literal

import numpy as np
import seaborn
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from viewfinder.data.sample import Sample
from viewfinder.data.synth.charts.figures import Figures
from viewfinder.data.synth.charts.libraries import make_plot, slant
from viewfinder.data.synth.choose import number, pick
from viewfinder.data.synth.kinds import Options

FORMS = ("bar", "hbar", "line")
"""seaborn draws no sectors."""
Style = Literal["white", "dark", "whitegrid", "darkgrid", "ticks"]
_STYLES: tuple[tuple[Style, str], ...] = (
    ("white", "deep"),
    ("whitegrid", "muted"),
    ("ticks", "colorblind"),
    ("darkgrid", "bright"),
)
_HELD_OUT_STYLES: tuple[tuple[Style, str], ...] = (("dark", "Set2"),)


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A chart and one or two questions."""
    looks = _HELD_OUT_STYLES if options.split == "held_out" else _STYLES

    def draw(rng: np.random.Generator, figures: Figures, size: tuple[int, int]) -> Image.Image:
        return draw_seaborn(rng, figures, size, *pick(rng, looks))

    return make_plot(rng, options, {"seaborn": draw}, ("seaborn",), FORMS)


def draw_seaborn(
    rng: np.random.Generator, figures: Figures, size: tuple[int, int], style: Style, palette: str
) -> Image.Image:
    """Bars or lines in a style and a palette of seaborn's."""
    small = number(rng, 7, 9)
    fonts = {"font.family": "DejaVu Sans", "font.size": small, "axes.titlesize": small + 2}
    with rc_context({**seaborn.axes_style(style), **fonts}):  # pyright: ignore[reportArgumentType] - its stubs name each key
        canvas = FigureCanvasAgg(Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, layout="tight"))
        axes = canvas.figure.add_subplot()
        _fill(axes, figures, palette)
        axes.set_title(figures.title)
        axes.tick_params(labelsize=small)
        slant(axes, figures, size[0], small)
        if style in ("white", "ticks"):
            seaborn.despine(ax=axes)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _fill(axes: Axes, figures: Figures, palette: str) -> None:
    names = [name for _ in figures.series for name in figures.categories]
    values = [value for row in figures.values for value in row]
    series = [s for s in figures.series for _ in figures.categories] if figures.series != ("",) else None
    colors = seaborn.color_palette(palette, len(figures.series))
    draw = seaborn.lineplot if figures.form == "line" else seaborn.barplot
    draw = partial(draw, hue=series, palette=colors) if series else partial(draw, color=colors[0])
    if figures.form == "line":
        draw(x=names, y=values, marker="o", errorbar=None, estimator=None, ax=axes)
    else:
        across = figures.form == "hbar"
        draw(x=values if across else names, y=names if across else values, errorbar=None, ax=axes)
    _label(axes, figures)
    if figures.form == "hbar":
        axes.set_xticks(figures.ticks)
    else:
        axes.set_yticks(figures.ticks)
        axes.margins(y=0.15)
        axes.set_ylim(bottom=0)
    if series:  # above the highest bar
        axes.set_ylim(0, figures.axis[0] * 1.3)
        axes.legend(title=None, loc="upper center", ncol=len(figures.series), handlelength=1, columnspacing=0.8)


def _label(axes: Axes, figures: Figures) -> None:
    """Values written at their marks where the figures say so."""
    if not figures.labelled:
        return
    for s, row in enumerate(figures.values):
        if figures.form == "line":
            for x, value in enumerate(row):
                axes.annotate(figures.written(value), (x, value), (0, 4), textcoords="offset points", ha="center")
        else:
            axes.bar_label(axes.containers[s], [figures.written(v) for v in row], padding=1)  # type: ignore[arg-type]
