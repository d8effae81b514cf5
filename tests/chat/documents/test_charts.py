"""A chart into a table, under a grammar that asks for one, and from servers that write the table alone."""

import pytest
from PIL import Image

from tests.doubles import ScriptedChat, small_processor
from viewfinder.chat import Viewfinder
from viewfinder.chat.documents import ChartReading
from viewfinder.outputs.document.grammar import chart_html_grammar

TABLE = "<table><tr><td>year</td><td>sold</td></tr><tr><td>2024</td><td>15%</td></tr></table>"
PICTURE = Image.new("RGB", (400, 200), "white")  # seen as 392x196


def _reading(html: str) -> tuple[ChartReading, ScriptedChat]:
    processor = small_processor()
    chat = ScriptedChat(processor, lambda _: html)
    return Viewfinder(chat, processor).chart(PICTURE), chat


AS_CHART = f'<div class="chart" data-bbox="98 49 392 196"> <img data-bbox="98 49 392 196" />{TABLE}</div>'
AS_TABLE = TABLE.replace("<table>", '<table data-bbox="98 49 392 196">')


@pytest.mark.parametrize("inside", [AS_CHART, AS_TABLE])
@pytest.mark.parametrize("fence", ["{}", "```html\n{}\n```"])
def test_values_and_place(inside: str, fence: str) -> None:
    reading, chat = _reading(fence.format(f"<html><body>\n{inside}\n</body></html>"))
    assert reading.table.grid() == [["year", "sold"], ["2024", "15%"]]
    assert reading.chart.box == pytest.approx((100, 50, 400, 200))
    assert reading.complete
    assert reading.confidence == pytest.approx(2.718281828 ** (-0.1 * 6 / 16), abs=0.02)
    assert chat.requests[0][1] == chart_html_grammar(392, 196)


def test_no_values_is_an_empty_table() -> None:
    reading, _ = _reading("<html><body></body></html>")
    assert reading.table.grid() == []
