"""The kind "plots": the same figures drawn by plotting libraries: matplotlib and Vega-Lite; pygal only held out."""

import io
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.data.sample import Sample
from viewfinder.data.synth.charts.drawn import chart_size
from viewfinder.data.synth.charts.figures import Figures, draw_figures
from viewfinder.data.synth.charts.questions import ask_chart
from viewfinder.data.synth.choose import number, pick
from viewfinder.data.synth.documents.sheet import Color, Sheet
from viewfinder.data.synth.exchange import converse, one_or_two
from viewfinder.data.synth.grounds import camera
from viewfinder.data.synth.kinds import Options
from viewfinder.materials.shipped import CHART_FAMILY, FONT_FOLDER

_STYLES = ("default", "ggplot", "bmh", "seaborn-v0_8-whitegrid", "fivethirtyeight")
FORMS = ("bar", "hbar", "line", "pie")
Drawer = Callable[[np.random.Generator, Figures, tuple[int, int]], Image.Image]
"""Draws figures in a size, pixels; RGB."""


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A chart of one of the libraries of the split, and one or two questions."""
    names = HELD_OUT_LIBRARIES if options.split == "held_out" else LIBRARIES
    return make_plot(rng, options, {name: DRAWERS[name] for name in names}, list(names))


def make_plot(
    rng: np.random.Generator,
    options: Options,
    drawers: Mapping[str, Drawer],
    names: Sequence[str],
    forms: tuple[str, ...] = FORMS,
) -> Sample:
    """A chart by one of the libraries in `names`, and one or two questions."""
    width, height = chart_size(rng, options)
    size = (max(width, 224), max(height, 168))
    figures = draw_figures(rng, options.difficulty, False, forms)
    name = pick(rng, names)
    image = drawers[name](rng, figures, size)
    corner: Color = image.getpixel((0, 0))  # type: ignore[assignment]
    sheet = Sheet(image.size, corner, corner)
    sheet.image = image
    box = sheet.ink_box((0, 0, *image.size)) or (0, 0, *image.size)
    exchanges = one_or_two(rng, lambda: ask_chart(rng, figures, box, image.size, {}))
    return converse(exchanges, camera(rng, image, options.difficulty * 0.5), lineage=(f"charts.{name}",))


def draw_matplotlib(rng: np.random.Generator, figures: Figures, size: tuple[int, int]) -> Image.Image:
    """Values written at marks where the figures say so; ticks where they say so."""
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.context([pick(rng, _STYLES), {"font.family": "DejaVu Sans"}]):  # matplotlib's own file comes first
        canvas = FigureCanvasAgg(Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, layout="tight"))
        axes = canvas.figure.add_subplot()
        small = number(rng, 7, 9)
        axes.tick_params(labelsize=small)
        if figures.title:
            axes.set_title(figures.title, fontsize=small + 2)
        _fill_axes(axes, figures, small)
        slant(axes, figures, size[0], small)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _fill_axes(axes: Any, figures: Figures, small: int) -> None:
    names, ticks = figures.categories, figures.ticks
    if figures.form == "pie":
        axes.pie(
            figures.values[0],
            labels=names,
            autopct="%d%%",
            startangle=90,
            counterclock=False,
            textprops={"fontsize": small},
        )
        return
    places = np.arange(len(names))
    drawn: Any = None
    for s, row in enumerate(figures.values):
        if figures.form == "line":
            axes.plot(places, row, marker="o", label=figures.series[s] or None)
        elif figures.form == "hbar":
            drawn = axes.barh(places, row)
        else:
            width = 0.8 / len(figures.series)
            drawn = axes.bar(
                places + (s - (len(figures.series) - 1) / 2) * width, row, width, label=figures.series[s] or None
            )
        if figures.labelled and figures.form == "line":
            for x, y in zip(places, row, strict=True):
                axes.annotate(
                    figures.written(y), (x, y), (0, 4), textcoords="offset points", ha="center", fontsize=small
                )
        elif figures.labelled:
            axes.bar_label(drawn, [figures.written(v) for v in row], fontsize=small, padding=1)
    if figures.form == "hbar":
        axes.set_yticks(places, names)
        axes.set_xticks(ticks)
        axes.invert_yaxis()
    else:
        axes.set_xticks(places, names)
        axes.set_yticks(ticks)
        axes.margins(y=0.15)
        axes.set_ylim(bottom=0)
    if figures.series != ("",):  # above the highest bar
        axes.set_ylim(0, figures.axis[0] * 1.3)
        axes.legend(fontsize=small, loc="upper center", ncol=len(figures.series), handlelength=1, columnspacing=0.8)


def slant(axes: Any, figures: Figures, width: int, small: int) -> None:
    """Names below an axis of `width` pixels are turned where they would run into each other; `small` is in points."""
    letters = max(len(name) for name in figures.categories) + 1
    if figures.form in ("bar", "line") and len(figures.categories) * letters * small * 0.85 > width - 40:
        axes.tick_params(axis="x", rotation=45)


@lru_cache(maxsize=1)
def _open_vega() -> Any:
    """vl-convert with a family that no system has: it looks among the system's fonts too, and takes theirs first."""
    import vl_convert

    vl_convert.register_font_directory(str(FONT_FOLDER))
    return vl_convert


def draw_vega(rng: np.random.Generator, figures: Figures, size: tuple[int, int]) -> Image.Image:
    """Vega-Lite, laid out to fit the size."""
    vl_convert = _open_vega()
    rows = [
        {"c": name, "s": figures.series[s] or "Value", "v": row[c], "t": figures.written(row[c])}
        for s, row in enumerate(figures.values)
        for c, name in enumerate(figures.categories)
    ]
    names = {"field": "c", "type": "nominal", "sort": None, "axis": {"title": figures.head, "labelAngle": 0}}
    values: dict[str, Any] = {"field": "v", "type": "quantitative", "axis": {"title": None, "values": figures.ticks}}
    if figures.labelled:  # words behind the longest bar need room too
        values["scale"] = {"domain": [0, figures.axis[0] * 1.12], "nice": False}
    spec: dict[str, Any] = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": size[0],
        "height": size[1],
        "autosize": {"type": "fit", "contains": "padding"},
        "title": figures.title,
        "data": {"values": rows},
        "background": pick(rng, ("white", "#fbfbf4", "#f4f6fb")),
        "config": {"font": CHART_FAMILY},
    }
    color = {"field": "s", "type": "nominal", "title": None} if figures.series != ("",) else {"value": "#4c78a8"}
    if figures.form == "pie":
        spec["encoding"] = {"theta": {"field": "v", "type": "quantitative", "stack": True}, "order": {"value": 1}}
        spec["encoding"]["color"] = {"field": "c", "type": "nominal", "sort": None, "title": None}
        radius = min(size) * 0.3
        text = {"mark": {"type": "text", "radius": radius * 0.7, "fill": "white"}, "encoding": {"text": {"field": "t"}}}
        spec["layer"] = [{"mark": {"type": "arc", "outerRadius": radius}}, text]
    else:
        across = figures.form == "hbar"
        spec["encoding"] = {"y" if across else "x": names, "x" if across else "y": values, "color": color}
        if figures.form == "bar" and figures.series != ("",):
            spec["encoding"]["xOffset"] = {"field": "s"}
        mark: Any = {"type": "line", "point": True} if figures.form == "line" else "bar"
        shift = {"dx": 4, "align": "left"} if across else {"dy": -7}
        text = {
            "mark": {"type": "text", "color": "#222", **shift},
            "encoding": {"text": {"field": "t"}, "color": {"value": "#222"}},
        }
        spec["layer"] = [{"mark": mark}, *([text] if figures.labelled else [])]
    return Image.open(io.BytesIO(vl_convert.vegalite_to_png(spec, scale=1))).convert("RGB")


def _open_pygal() -> Any:
    """pygal without the import hook of the old kind that it leaves behind, of which every later import would warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)
        import pygal
        import pygal.style
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "PluginImportFixer"]
    return pygal


def draw_pygal(rng: np.random.Generator, figures: Figures, size: tuple[int, int]) -> Image.Image:
    """pygal's SVG on white."""
    pygal = _open_pygal()
    from pygal.style import CleanStyle, DefaultStyle

    from viewfinder.data.synth.objects import draw_svg

    kinds = {"bar": pygal.Bar, "hbar": pygal.HorizontalBar, "line": pygal.Line, "pie": pygal.Pie}
    look = pick(rng, (CleanStyle, DefaultStyle))(font_family="DejaVu Sans", title_font_size=16, label_font_size=12)
    chart = kinds[figures.form](
        width=size[0] + 80,
        height=size[1] + 60,
        style=look,
        title=figures.title or None,
        print_values=figures.labelled,
        show_legend=figures.form == "pie" or figures.series != ("",),
        value_formatter=figures.written,
    )
    if figures.form == "pie":
        for name, value in zip(figures.categories, figures.values[0], strict=True):
            chart.add(f"{name} {figures.written(value)}", value)
    else:
        chart.x_labels = figures.categories
        for name, row in zip(figures.series, figures.values, strict=True):
            chart.add(name or "Value", row)
    drawn = draw_svg(chart.render().decode())
    white = Image.new("RGBA", drawn.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, drawn).convert("RGB")


DRAWERS: dict[str, Drawer] = {
    "matplotlib": draw_matplotlib,
    "vega": draw_vega,
    "pygal": draw_pygal,
}
LIBRARIES, HELD_OUT_LIBRARIES = ("matplotlib", "matplotlib", "vega"), ("pygal",)
