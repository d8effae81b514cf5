"""The kind "plots_plotly": the same figures by plotly, shown by the browser that also shows pages; nothing is loaded
from elsewhere, the library's script is in its package."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import plotly
from PIL import Image
from plotly.io import templates

from viewfinder.data.sample import Sample
from viewfinder.data.synth.charts.figures import Figures
from viewfinder.data.synth.charts.libraries import make_plot
from viewfinder.data.synth.choose import number, pick
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.web.browser import run

TEMPLATES, HELD_OUT_TEMPLATES = ("plotly", "plotly_white", "simple_white", "plotly_dark"), ("ggplot2",)
_FONTS, _HELD_OUT_FONTS = ("DejaVu Sans", "Arimo", "Roboto", "Open Sans"), ("Cantarell", "Cabin")
_SHOW = "(node, [data, layout]) => Plotly.newPlot(node, data, layout, {staticPlot: true})"


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A chart and one or two questions."""
    held_out = options.split == "held_out"

    def draw(rng: np.random.Generator, figures: Figures, size: tuple[int, int]) -> Image.Image:
        look = pick(rng, HELD_OUT_TEMPLATES if held_out else TEMPLATES)
        return draw_plotly(rng, figures, size, look, pick(rng, _HELD_OUT_FONTS if held_out else _FONTS))

    return make_plot(rng, options, {"plotly": draw}, ("plotly",))


@lru_cache(maxsize=8)
def _template(name: str) -> dict[str, Any]:
    return templates[name].to_plotly_json()


def draw_plotly(
    rng: np.random.Generator, figures: Figures, size: tuple[int, int], template: str, font: str
) -> Image.Image:
    """Bars, lines or sectors in a template of plotly's.

    Raises:
        MissingMaterial: there is no browser.
    """
    small = number(rng, 9, 12)
    if figures.form == "pie":  # the legend takes 19 pixels a line, whatever its letters
        size = size[0], max(size[1], 19 * len(figures.categories) + 6 * small)
    layout = {
        "template": _template(template),
        "width": size[0],
        "height": size[1],
        "font": {"family": font, "size": small},
        "margin": {"l": 4 * small, "r": small, "t": 3 * small if figures.title else small, "b": 3 * small},
        "title": {"text": figures.title, "font": {"size": small + 3}, "y": 0.97},
        "legend": {} if figures.form == "pie" else {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        "showlegend": figures.form == "pie" or figures.series != ("",),
        ("xaxis" if figures.form == "hbar" else "yaxis"): {"tickvals": figures.ticks, "rangemode": "tozero"},
        ("yaxis" if figures.form == "hbar" else "xaxis"): {"type": "category", "automargin": True},
    }
    if figures.form == "hbar":
        layout["yaxis"] |= {"autorange": "reversed"}  # type: ignore[operator]
    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    return run(script, _SHOW, [_traces(figures), layout], size)


def _traces(figures: Figures) -> list[dict[str, Any]]:
    if figures.form == "pie":
        text = [figures.written(value) for value in figures.values[0]]
        labels = {"text": text, "textinfo": "text", "sort": False, "direction": "clockwise"}
        return [{"type": "pie", "labels": list(figures.categories), "values": list(figures.values[0]), **labels}]
    traces: list[dict[str, Any]] = []
    for name, row in zip(figures.series, figures.values, strict=True):
        places = {"x": list(figures.categories), "y": list(row), "name": name}
        written = [figures.written(value) for value in row] if figures.labelled else None
        if figures.form == "line":
            mode = "lines+markers+text" if written else "lines+markers"
            traces.append({"type": "scatter", "mode": mode, "text": written, "textposition": "top center", **places})
            traces[-1]["cliponaxis"] = False
            continue
        if figures.form == "hbar":
            places |= {"x": places["y"], "y": places["x"], "orientation": "h"}
        # without `constraintext` words shrink to the width of their bar until nobody can read them
        loose = {"textposition": "outside", "textangle": 0, "constraintext": "none", "cliponaxis": False}
        traces.append({"type": "bar", "text": written, **loose, **places})
    return traces
