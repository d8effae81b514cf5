import numpy as np
import pytest

from tests.data.synth.pixels import background, measured, off_by
from viewfinder.data.synth.charts.drawn import draw_chart
from viewfinder.data.synth.charts.figures import FORMS, HELD_OUT_FORMS, Figures, draw_figures, scale
from viewfinder.data.synth.charts.questions import ask_chart, parse_chart
from viewfinder.data.synth.documents.lettering import Faces
from viewfinder.data.synth.documents.sheet import Sheet
from viewfinder.media.transform import Transform
from viewfinder.outputs.document.document import Document

NO_FILES = Faces(None, None, None)


@pytest.mark.parametrize("form", [*FORMS, *HELD_OUT_FORMS])
def test_the_table_of_a_chart_comes_back(form: str) -> None:
    rng = np.random.default_rng(3)
    for difficulty in (0.0, 1.0):
        figures = draw_figures(rng, difficulty, False, (form,))
        sheet = Sheet((300, 220), (255, 255, 255), (0, 0, 0))
        chart = draw_chart(rng, sheet, (6, 6, 294, 214), figures, NO_FILES, 11)
        found = measured(sheet.image, chart.box, background(sheet.image), reach=5)
        assert found is not None
        assert off_by(found, chart.box) <= 1
        exchange = parse_chart(figures, chart.box, sheet.size)
        (read,) = Document.from_html(exchange.answer, Transform.identity(sheet.size)).charts
        assert read.box == chart.box
        assert read.table is not None
        rows = read.table.grid()[1:]
        assert [row[0] for row in rows] == list(figures.categories)
        for s, values in enumerate(figures.values):
            assert [float(row[s + 1].rstrip("%")) for row in rows] == list(values)


def test_bars_end_at_their_values() -> None:
    rng = np.random.default_rng(5)
    for _ in range(6):
        figures = draw_figures(rng, 0.2, False, ("bar",))
        sheet = Sheet((300, 220), (255, 255, 255), (0, 0, 0))
        chart = draw_chart(rng, sheet, (6, 6, 294, 214), figures, NO_FILES, 11)
        heights = {place: box[3] - box[1] for place, box in chart.marks.items()}
        tallest = max(heights.values())
        for (s, c), height in heights.items():
            assert abs(height / tallest - figures.values[s][c] / figures.top) < 0.03
        for box in chart.marks.values():
            color = sheet.image.getpixel(((box[0] + box[2]) // 2, box[3] - 2))
            assert all(sheet.image.getpixel((x, box[3] - 2)) == color for x in range(box[0], box[2]))
            assert sheet.image.getpixel((box[0] - 1, box[3] - 2)) != color
            assert sheet.image.getpixel((box[2], box[3] - 2)) != color


@pytest.mark.parametrize("form", ["bar", "hbar"])
def test_a_value_of_next_to_nothing_is_still_drawn(form: str) -> None:
    figures = Figures(form, "", "Day", ("Mon", "Tue"), ("",), ((0.1, 100.0),), "", 0.1, False)
    sheet = Sheet((200, 120), (255, 255, 255), (0, 0, 0))
    chart = draw_chart(np.random.default_rng(1), sheet, (6, 6, 194, 114), figures, NO_FILES, 11)
    assert set(chart.marks) == {(0, 0), (0, 1)}
    assert all(box[0] < box[2] and box[1] < box[3] for box in chart.marks.values())


def test_answers_are_those_of_the_values() -> None:
    rng = np.random.default_rng(7)
    for _ in range(200):
        figures = draw_figures(rng, 0.3, False)
        exchange = ask_chart(rng, figures, (0, 0, 10, 10), (100, 100), {})
        words = exchange.question
        if "highest" in words and figures.series == ("",):
            assert exchange.answer == figures.categories[int(np.argmax(figures.values[0]))]
        if "sum of" in words:
            total = float(exchange.truth["answer"].rstrip("%"))
            names = [c for c in figures.categories if f" {c}" in words.split("sum of")[1]]
            options = [sum(row[figures.categories.index(n)] for n in names) for row in figures.values]
            assert len(names) > 2 or round(total, 1) in [round(o, 1) for o in options]


@pytest.mark.parametrize(("top", "axis"), [(87, (100, 20)), (9, (10, 2)), (28, (30, 10)), (0.9, (1, 0.2))])
def test_axes_end_on_ticks(top: float, axis: tuple[float, float]) -> None:
    assert scale(top) == pytest.approx(axis)
