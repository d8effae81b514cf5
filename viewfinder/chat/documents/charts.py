"""A chart read into a table: the page format, narrowed to one chart with its values."""

from dataclasses import dataclass, field
from typing import Any

from viewfinder.chat.documents.asking import model_sampling, worth_keeping
from viewfinder.messages import ChatModel, Reply, Sampling, user
from viewfinder.outputs import prompts
from viewfinder.outputs.document import Chart, Page, Table
from viewfinder.outputs.document.grammar import chart_html_grammar
from viewfinder.outputs.results import transform_of, words_confidence
from viewfinder.processor.processor import Processor

MAX_NEW_TOKENS = 4096


@dataclass(frozen=True)
class ChartReading:
    """A chart and how it was read. `complete` is False when the answer was cut."""

    chart: Chart
    reply: Reply = field(repr=False)
    confidence: float | None = None
    complete: bool = True

    @property
    def table(self) -> Table:
        """The values; a table without rows when the model gave none."""
        return self.chart.table or Table(None)

    def to_pandas(self) -> Any:
        """The values as a pandas DataFrame (needs pandas)."""
        return self.table.to_pandas()


def read_chart(
    model: ChatModel,
    processor: Processor,
    image: Any,
    *,
    max_pixels: int | None = None,
    sampling: Sampling | None = None,
) -> ChartReading:
    """Read the values of the chart in a picture; its box is in pixels of the original."""
    part = processor.fit(image, min(max_pixels or processor.settings.max_pixels, processor.settings.max_pixels))
    grammar = chart_html_grammar(*part.image.size)
    how = model_sampling(model, sampling, MAX_NEW_TOKENS)
    reply = model.chat([user(part, prompts.parse_prompt())], grammar=grammar, sampling=how)
    text, cut = worth_keeping(reply)
    page = Page.from_html(text, transform_of(reply, part))
    chart = next((element for element in page.elements if isinstance(element, Chart)), None)
    if chart is None:  # a server without grammars may have written the table alone
        table = next((element for element in page.elements if isinstance(element, Table)), None)
        chart = Chart(table.box if table else None, table=table)
    return ChartReading(chart, reply, words_confidence(reply), not cut and reply.finish_reason == "stop")
