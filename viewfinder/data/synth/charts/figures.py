"""What a chart shows: a title, categories, one or more series of values, and how finely they can be read."""

import math
from dataclasses import dataclass

import numpy as np

from viewfinder.data.synth.choose import chance, number, pick, some
from viewfinder.data.synth.countries import MONTHS
from viewfinder.data.synth.phrase_files import CITIES, Section, fill_slots, read_sections

FORMS = ("bar", "hbar", "line", "pie")
HELD_OUT_FORMS = ("lollipop", "area", "donut")
SINGLE = ("pie", "donut", "lollipop", "hbar")
"""Forms of one series only."""

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
        text = f"{value:.1f}" if self.step != round(self.step) else str(round(value))
        return text + self.unit


def draw_figures(rng: np.random.Generator, difficulty: float, held_out: bool, forms: tuple[str, ...] = ()) -> Figures:
    """Values of a few categories of a subject that is drawn so; more, and finer ones, when harder."""
    form = pick(rng, forms or (HELD_OUT_FORMS if held_out else FORMS))
    parts = form in ("pie", "donut")
    subject = pick(rng, [s for s in read_sections("charts.txt").values() if _fits(s, form)])
    head, names = _categories(rng, subject, number(rng, 2 if parts else 3, 4 + round(4 * difficulty)))
    said = {"year": lambda: str(number(rng, 2001, 2026)), "city": lambda: pick(rng, CITIES)}
    title = fill_slots(rng, pick(rng, subject["titles"]), said)
    if parts:
        return Figures(form, title, head, names, ("",), (_shares(rng, len(names)),), "%", 1, True)
    series: tuple[str, ...] = ("",)
    if form not in SINGLE and chance(rng, 0.15 + 0.5 * difficulty):
        pool = [fill_slots(rng, name, said) for name in subject["series"]]
        series = tuple(some(rng, pool, number(rng, 2, min(len(pool), 2 + round(2 * difficulty)))))
    title = title if chance(rng, 0.8) else ""
    low, high = map(int, subject["top"][0].split())
    tick = pick(rng, [step for step in (2, 5, 10, 20, 50, 100, 200) if low <= 5 * step <= high])
    drift = "over" in subject
    if not chance(rng, 0.75 - 0.4 * difficulty):  # on ticks or half way between, so that they can be read
        rows = _rows(rng, len(series), len(names), number(rng, 6, 10), tick / 2, drift)
        return Figures(form, title, head, names, series, rows, "", tick / 2, False, tick)
    fine = 0.1 if tick <= 5 and chance(rng, difficulty) else max(1, tick // 10)
    rows = _rows(rng, len(series), len(names), round(5 * tick / fine), fine, drift)
    return Figures(form, title, head, names, series, rows, "", fine, True)


def _fits(subject: Section, form: str) -> bool:
    """Whether a subject is drawn in this form: shares as sectors, lines over time."""
    if form in ("pie", "donut"):
        return "shares" in subject
    return "shares" not in subject and ("over" in subject or form not in ("line", "area"))


def _rows(
    rng: np.random.Generator, series: int, count: int, most: int, unit: float, drift: bool
) -> tuple[tuple[float, ...], ...]:
    """Values up to `most` units. Over time they `drift`: each is near the one before, most of the time."""
    rows = []
    for _ in range(series):
        steps = [number(rng, 1, most) for _ in range(count)]
        for i in range(1, count) if drift else ():
            if chance(rng, 0.8):
                near = steps[i - 1] + number(rng, -max(1, most // 4), max(1, most // 4))
                steps[i] = min(most, max(1, 2 * most - near if near > most else 2 - near if near < 1 else near))
        rows.append(tuple(round(step * unit, 1) for step in steps))
    return tuple(rows)


def _categories(rng: np.random.Generator, subject: Section, count: int) -> tuple[str, tuple[str, ...]]:
    """What they are, and their names; at most as many as there are."""
    if "over" not in subject:
        kinds = subject["categories"]
        return subject["head"][0], tuple(kinds[i] for i in sorted(some(rng, range(len(kinds)), count)))
    head = pick(rng, subject["over"])
    if head == "Day":
        return head, _DAYS[:count]
    if head == "Quarter":
        return head, ("Q1", "Q2", "Q3", "Q4")[:count]
    start = number(rng, 0, 11)
    if head == "Month" or count > 6:
        return "Month", tuple(MONTHS[(start + i) % 12] for i in range(count))
    first = number(rng, 1990, 2019)
    return head, tuple(str(first + i) for i in range(count))


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
