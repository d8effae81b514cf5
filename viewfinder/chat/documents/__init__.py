"""Jobs on documents, over any `ChatModel`.

`sources` opens pictures and PDFs as pages, `ink` sees whether anything is drawn, `parse` reads page after page,
`files` writes what was read, `fields` and `extract` take values by schema, `charts` reads a chart.
"""

from viewfinder.chat.documents.charts import ChartReading, read_chart
from viewfinder.chat.documents.extract import Extraction, extract
from viewfinder.chat.documents.fields import Field
from viewfinder.chat.documents.parse import parse_document

__all__ = ["ChartReading", "Extraction", "Field", "extract", "parse_document", "read_chart"]
