"""Questions about a chart's values, and its table in the page format."""

from collections.abc import Sequence

import numpy as np

from viewfinder.data.synth.charts.figures import Figures
from viewfinder.data.synth.choose import number, pick, weighted
from viewfinder.data.synth.exchange import Exchange
from viewfinder.data.synth.shapes import PixelRectangle
from viewfinder.media.transform import Transform
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.document.document import Document, Page
from viewfinder.outputs.document.elements import Cell, Chart, Row, Table
from viewfinder.outputs.document.html_inline import escape


def chart_element(figures: Figures, box: PixelRectangle) -> Chart:
    """The chart with its values: categories down, series across."""
    x1, y1, x2, y2 = box
    place = (float(x1), float(y1), float(x2), float(y2))
    names = figures.series if figures.series != ("",) else ("Value",)
    head = Row(tuple(Cell(escape(word), header=True) for word in (figures.head, *names)))
    rows = [
        Row((Cell(escape(category)), *(Cell(figures.written(row[c])) for row in figures.values)))
        for c, category in enumerate(figures.categories)
    ]
    return Chart(place, place, table=Table(None, (head, *rows)))


def parse_chart(figures: Figures, box: PixelRectangle, size: tuple[int, int]) -> Exchange:
    """The page of one chart."""
    page = Page((chart_element(figures, box),), Transform.identity(size))
    truth = {
        "categories": list(figures.categories),
        "series": list(figures.series),
        "values": [list(row) for row in figures.values],
        "boxes": [list(box)],
    }
    answer = Document((page,)).to_html(fenced=True)
    return Exchange("chart", prompts.parse_prompt(), answer, "html", truth=truth)


def ask_chart(
    rng: np.random.Generator,
    figures: Figures,
    box: PixelRectangle,
    size: tuple[int, int],
    marks: dict[tuple[int, int], PixelRectangle],
) -> Exchange:
    """One question: the table, a value, the most or least, a sum or difference, the form, the title, a bar's place."""
    task = weighted(rng, {"parse": 5.0, "value": 2.0, "extreme": 1.2, "sum": 0.8, "what": 0.6, "mark": 0.8})
    if task == "mark" and marks:
        return _mark(rng, figures, size, marks)
    if task == "value":
        return _value(rng, figures)
    if task == "extreme":
        return _extreme(rng, figures) or _value(rng, figures)
    if task == "sum":
        return _sum(rng, figures)
    if task == "what":
        return _what(rng, figures)
    return parse_chart(figures, box, size)


def _answer(question: str, answer: str) -> Exchange:
    return Exchange("ask", question, answer, truth={"answer": answer})


def _of(figures: Figures, s: int) -> str:
    return f" of {figures.series[s]}" if figures.series[s] else ""


def _value(rng: np.random.Generator, figures: Figures) -> Exchange:
    s, c = number(rng, 0, len(figures.series) - 1), number(rng, 0, len(figures.categories) - 1)
    name = figures.categories[c]
    question = pick(rng, (f"What is the value{_of(figures, s)} for {name}?", f"How much is {name}{_of(figures, s)}?"))
    return _answer(question, figures.written(figures.values[s][c]))


def _extreme(rng: np.random.Generator, figures: Figures) -> Exchange | None:
    s = number(rng, 0, len(figures.series) - 1)
    row = figures.values[s]
    word, best = pick(rng, (("highest", max(row)), ("lowest", min(row))))
    if row.count(best) > 1:
        return None
    kind = figures.head.lower()
    of = f" of {figures.series[s]}" if figures.series[s] else ""
    return _answer(f"Which {kind} has the {word} value{of}?", figures.categories[row.index(best)])


def _sum(rng: np.random.Generator, figures: Figures) -> Exchange:
    """A sum or difference, worked out in words."""
    s = number(rng, 0, len(figures.series) - 1)
    first, second = (int(i) for i in rng.permutation(len(figures.categories))[:2])
    a, b = figures.values[s][first], figures.values[s][second]
    names = (figures.categories[first], figures.categories[second])
    said = f"{names[0]} is {figures.written(a)} and {names[1]} is {figures.written(b)}."
    if number(rng, 0, 1):
        result = figures.written(round(a + b, 1))
        question = f"What is the sum of {names[0]} and {names[1]}{_of(figures, s)}?"
        return Exchange("ask", question, f"{said} The sum is {result}.", truth={"answer": result})
    result = figures.written(round(abs(a - b), 1))
    question = f"What is the difference between {names[0]} and {names[1]}{_of(figures, s)}?"
    return Exchange("ask", question, f"{said} The difference is {result}.", truth={"answer": result})


_FORM_NAMES = {
    "bar": "bar chart",
    "hbar": "horizontal bar chart",
    "line": "line chart",
    "pie": "pie chart",
    "donut": "donut chart",
    "lollipop": "lollipop chart",
    "area": "area chart",
}


def _what(rng: np.random.Generator, figures: Figures) -> Exchange:
    if figures.title and number(rng, 0, 1):
        return _answer("What is the title of the chart?", figures.title)
    if number(rng, 0, 1):
        return _answer("What kind of chart is this?", _FORM_NAMES[figures.form])
    words = f"{figures.head.lower()}s".replace("ys", "ies") if figures.head == "City" else f"{figures.head.lower()}s"
    return _answer(f"How many {words} are shown?", str(len(figures.categories)))


def _mark(
    rng: np.random.Generator, figures: Figures, size: tuple[int, int], marks: dict[tuple[int, int], PixelRectangle]
) -> Exchange:
    s, c = pick(rng, sorted(marks))
    name = f"{figures.categories[c]}{_of(figures, s)}"
    box = marks[s, c]
    label = f"bar {figures.categories[c]}"
    found: Sequence[Box] = [Box(*map(float, box), label=label)]
    answer = format_boxes(found, Transform.identity(size))
    return Exchange(
        "locate", prompts.locate_prompt(f"the bar of {name}"), answer, "boxes", truth={"boxes": [list(box)]}
    )
