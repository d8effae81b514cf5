"""What a chart shows: a title, categories, one or more series of values, and how finely they can be read."""

import math
from dataclasses import dataclass

import numpy as np

from viewfinder.data.synth.choose import chance, number, pick, some
from viewfinder.data.synth.phrases import CITIES, FIRST_NAMES, MONTHS
from viewfinder.data.synth.words import common_words

FORMS = ("bar", "hbar", "line", "pie")
HELD_OUT_FORMS = ("lollipop", "area", "donut")
SINGLE = ("pie", "donut", "lollipop", "hbar")
"""Forms of one series only."""

_SUBJECTS = ("Sales", "Visitors", "Points", "Rain", "Cost", "Orders", "Users", "Score", "Output", "Hours", "Trips")
_SERIES = (
    ("North", "South", "East", "West"),
    ("Plan", "Actual", "Last"),
    ("A", "B", "C", "D"),
    ("Cars", "Bikes", "Buses"),
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Figures:
    """The values behind a chart.

    Attributes:
        form: how they are drawn, one of `FORMS` or `HELD_OUT_FORMS`.
        title: "" for none.
        head: what the categories are.
        categories: their names.
        series: names; one "" where there is but one.
        values: by series, then category.
        unit: what stands behind a value, "" or "%".
        step: values are multiples of it.
        labelled: whether values are written at their marks.
        tick: distance of the axis' ticks; 0 is for the renderer to choose.
    """

    form: str
    title: str
    head: str
    categories: tuple[str, ...]
    series: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    unit: str
    step: float
    labelled: bool
    tick: float = 0

    @property
    def axis(self) -> tuple[float, float]:
        """The end of the axis and the distance of its ticks."""
        return (math.ceil(self.top / self.tick) * self.tick, self.tick) if self.tick else scale(self.top)

    @property
    def ticks(self) -> list[float]:
        """Where the axis has its ticks."""
        end, step = self.axis
        return [i * step for i in range(round(end / step) + 1)]

    @property
    def top(self) -> float:
        return max(max(row) for row in self.values)

    def written(self, value: float) -> str:
        """A value as the chart and its table have it."""
        text = f"{value:.1f}" if self.step < 1 else str(round(value))
        return text + self.unit


def draw_figures(rng: np.random.Generator, difficulty: float, held_out: bool, forms: tuple[str, ...] = ()) -> Figures:
    """Values of a few categories; more, and finer ones, when harder."""
    form = pick(rng, forms or (HELD_OUT_FORMS if held_out else FORMS))
    count = number(rng, 2 if form in ("pie", "donut") else 3, 4 + round(4 * difficulty))
    head, names = _categories(rng, form, count)
    series: tuple[str, ...] = ("",)
    if form not in SINGLE and chance(rng, 0.15 + 0.5 * difficulty):
        pool = pick(rng, _SERIES)
        series = tuple(some(rng, pool, number(rng, 2, min(len(pool), 2 + round(2 * difficulty)))))
    subject = pick(rng, _SUBJECTS)
    title = pick(rng, (subject, f"{subject} by {head.lower()}", f"{subject} {number(rng, 2001, 2029)}"))
    labelled = chance(rng, 0.75 - 0.4 * difficulty) or form in ("pie", "donut")
    if form in ("pie", "donut"):
        values: tuple[tuple[float, ...], ...] = (_shares(rng, count),)
        return Figures(form, title, head, names, series, values, "%", 1, labelled)
    title = title if chance(rng, 0.8) else ""
    if not labelled:  # on ticks or half way between, so that they can be read
        tick = pick(rng, (2, 10, 20, 100, 200))
        rows = _rows(rng, len(series), count, number(rng, 6, 10), tick // 2)
        return Figures(form, title, head, names, series, rows, "", tick // 2, False, tick)
    fine = 0.1 if chance(rng, 0.5 * difficulty) else pick(rng, (1, 1, 5, 10))
    rows = _rows(rng, len(series), count, pick(rng, (10, 40, 100)), fine)
    return Figures(form, title, head, names, series, rows, "", fine, True)


def _rows(rng: np.random.Generator, series: int, count: int, most: int, unit: float) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(number(rng, 1, most) * unit, 1) for _ in range(count)) for _ in range(series))


def _categories(rng: np.random.Generator, form: str, count: int) -> tuple[str, tuple[str, ...]]:
    if form in ("line", "area") or chance(rng, 0.25):
        start = number(rng, 0, 11)
        if chance(rng, 0.5):
            return "Month", tuple(MONTHS[(start + i) % 12] for i in range(count))
        first = number(rng, 1990, 2020)
        return ("Year", tuple(str(first + i) for i in range(count))) if count < 7 else ("Month", MONTHS[:count])
    kind = number(rng, 0, 3)
    if kind == 0:
        return "City", tuple(some(rng, CITIES, count))
    if kind == 1:
        return "Name", tuple(some(rng, FIRST_NAMES, count))
    if kind == 2 and count <= 7:
        return "Day", _DAYS[:count]
    short = [w for w in common_words() if len(w) <= 6]
    return "Item", tuple(w.capitalize() for w in some(rng, short, count))


def _shares(rng: np.random.Generator, count: int) -> tuple[float, ...]:
    """Whole percents, none below 8, that add up to 100."""
    cuts = np.sort(rng.choice(np.arange(1, 100 - 8 * count + count), count - 1, replace=False))
    parts = np.diff(np.concatenate([[0], cuts, [100 - 8 * count + count]])) - 1 + 8
    return tuple(float(p) for p in parts)


def scale(top: float) -> tuple[float, float]:
    """The end of an axis and the step of its ticks: `scale(87)` is `(100, 20)`."""
    rough = top / 5
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    return float(np.ceil(top / step - 1e-9) * step), float(step)
