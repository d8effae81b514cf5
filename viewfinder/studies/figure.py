"""Panels of a study as one SVG file, drawn by matplotlib; the same panels give the same bytes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from viewfinder.materials.needs import missing
from viewfinder.studies.study import NAMES, Findings, Panel, Series, Study, find_study


def page(study: Study, findings: Findings, manifest: Mapping[str, Any], figure: str | None) -> str:
    """The page of one study; the answer comes first."""
    lines = [f"# {study.number}. {study.title}", ""]
    if manifest["smoke"]:
        lines += ["*Smoke version: a few questions, no result.*", ""]
    lines += [f"**{findings.answer}**", "", f"*The report leaves open:* {study.asked}", ""]
    if figure:
        lines += [f"![{study.title}]({figure})", ""]
    lines += [*table(findings.heads, findings.rows), ""]
    lines += ["Made by", "", "```", manifest["command"], "```", "", *_made(manifest), ""]
    if findings.differently:
        lines += ["## What follows", "", findings.differently, ""]
    lines += ["## What this does not show", "", *(f"- {one}" for one in findings.not_shown)]
    return "\n".join(lines) + "\n"


def _made(manifest: Mapping[str, Any]) -> list[str]:
    model = manifest["model"]
    of = f"with model `{model['name']}` (fingerprint `{model['fingerprint'][:16]}`), " if model["name"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    return [
        (
            f"{of}on {manifest['machine']}, in {manifest['seconds'] / 60:.1f} minutes; {versions}; records "
            f"`{manifest['records'][:16]}`. Values in brackets are 95 % intervals."
        )
    ]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def summary(results: Mapping[str, Mapping[str, Any]], notes: Mapping[str, str]) -> str:
    """The page of all studies: answers of those that were run, reasons (`notes`) for those that were not."""
    lines = ["# Fourteen open questions", "", INTRODUCTION, ""]
    follows, minutes = [], 0.0
    for name in NAMES:
        study = find_study(name)
        lines += [f"## {study.number}. {study.title}", ""]
        if name not in results:
            lines += [f"*Not run:* {notes.get(name) or 'no results yet.'} `viewfinder study {name}`", ""]
            continue
        findings = study.find(results[name]["records"])
        minutes += results[name]["manifest"]["seconds"] / 60
        lines += [f"{findings.answer} [Page]({study.page}.md)", ""]
        if findings.differently:
            follows.append(f"- {findings.differently} ([{study.number}]({study.page}.md))")
    lines += ["## What we would do differently", "", *follows, ""]
    lines += [f"All studies together took {minutes / 60:.1f} hours where they were run."]
    return "\n".join(lines) + "\n"


INTRODUCTION = (
    "The report of Qwen2.5-VL leaves fourteen questions open. Each has a command, `viewfinder study NAME --model DIR` "
    "(or `--server URL`), that answers it for any checkpoint; the answers here are those of the built-in model (8 "
    "million parameters) and of the cost model, so they say what happens at this scale and how to ask at a larger one. "
    "Settings of a study share what they draw, the features of the tower and prefixes: 2.5 times as fast as the same "
    "runs one by one in processor time, 2.6 by the clock (`python bench/study_sharing.py`, two pairs on two shared "
    "cores). The figures were made on a shared machine: scores do not depend on that, seconds do."
)


COLORS = ("#0b6bcb", "#c4551b", "#2a8c4a", "#8a4fbf", "#b3902a", "#c23b77", "#4b5563", "#0f9aa8")
"""Apart from one another in print and for most color-blind readers; eight series at most."""
COLUMNS = 3


def draw(panels: Sequence[Panel], path: Path) -> bool:
    """Draw the panels side by side; False where matplotlib is not installed or there is nothing to draw."""
    if not panels or missing(["matplotlib"]):
        return False
    import matplotlib
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with matplotlib.rc_context({"svg.hashsalt": "viewfinder", "font.size": 9, "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(4.6 * columns, 3.6 * rows), layout="constrained")
        places = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
        for panel, place in zip(panels, places, strict=False):
            _panel(panel, place)
        for place in places[len(panels) :]:
            place.set_axis_off()
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    return True


def _panel(panel: Panel, place: Any) -> None:
    assert len(panel.series) <= len(COLORS), (
        f"{panel.title} has {len(panel.series)} series, and a reader can part eight"
    )
    {"lines": _lines, "bars": _bars, "points": _points}[panel.kind](panel, place)
    place.set_title(panel.title, fontsize=10, loc="left")
    place.set_xlabel(panel.x_label)
    place.set_ylabel(panel.y_label)
    for axis, name in ((place.xaxis, "x"), (place.yaxis, "y")):
        if name in panel.logarithmic:
            getattr(place, f"set_{name}scale")("log")
            axis.set_major_formatter(lambda value, _: f"{value:,g}")
            axis.set_minor_formatter(lambda value, _: "")
    named = len(panel.series) > 1 and panel.kind != "points"
    if "y" not in panel.logarithmic and panel.kind != "points":
        top = panel.top or place.get_ylim()[1]
        room = 1.14 + 0.06 * len(panel.series) if named and panel.kind == "bars" else 1.0
        place.set_ylim(bottom=min(0, place.get_ylim()[0]), top=top * room)
    place.grid(color="#e5e7eb", linewidth=0.6)
    place.set_axisbelow(True)
    place.spines[["top", "right"]].set_visible(False)
    if named:
        place.legend(fontsize=8, frameon=False, loc="upper left" if panel.kind == "bars" else "best")


def _split(series: Series) -> tuple[list[float], list[list[float]] | None]:
    """Values, and how far their intervals reach below and above; None where they have none."""
    values = [(y, y, y) if isinstance(y, int | float) else y for y in series.y]
    middle = [float(value[0]) for value in values]
    if all(value[1] == value[2] for value in values):
        return middle, None
    return middle, [[max(0.0, v[0] - v[1]) for v in values], [max(0.0, v[2] - v[0]) for v in values]]


def _lines(panel: Panel, place: Any) -> None:
    for series, color in zip(panel.series, COLORS, strict=False):
        values, reach = _split(series)
        place.errorbar(
            series.x, values, reach, fmt="o-", color=color, markersize=4, linewidth=1.4, elinewidth=0.8, capsize=2,
            label=series.name,
        )  # fmt: skip


def _bars(panel: Panel, place: Any) -> None:
    words = list(dict.fromkeys(x for series in panel.series for x in series.x))
    width = 0.8 / len(panel.series)
    for i, (series, color) in enumerate(zip(panel.series, COLORS, strict=False)):
        values, reach = _split(series)
        at = [words.index(x) + (i - (len(panel.series) - 1) / 2) * width for x in series.x]
        place.bar(at, values, width * 0.92, yerr=reach, color=color, label=series.name, error_kw={"elinewidth": 0.8})
    turned = max(map(len, words)) * len(words) > 42
    place.set_xticks(range(len(words)), words, rotation=30 if turned else 0, ha="right" if turned else "center")


def _points(panel: Panel, place: Any) -> None:
    for series, color in zip(panel.series, COLORS, strict=False):
        values, reach = _split(series)
        place.errorbar(series.x, values, reach, fmt="o", color=color, markersize=6, elinewidth=0.8, label=series.name)
        for x, y in zip(series.x, values, strict=True):
            place.annotate(series.name, (x, y), textcoords="offset points", xytext=(6, 4), fontsize=8, color=color)
    place.margins(x=0.18, y=0.12)
