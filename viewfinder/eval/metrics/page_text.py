"""Answers that hold a page, as texts by kind: from QwenVL HTML through the typed document, or from Markdown."""

import re

from viewfinder.media.transform import Transform
from viewfinder.outputs.document import Chart, Document, Formula, Table

_TABLE = re.compile(r"<table.*?</table>", re.DOTALL | re.IGNORECASE)
_DISPLAY = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]", re.DOTALL)
_HTML = re.compile(r"<(?:html|body|p|div|h[1-6])\b", re.IGNORECASE)


def page_elements(text: str, transform: Transform) -> dict[str, list[str]]:
    """`text`, `table` (HTML) and `formula` (LaTeX) of an answer, each in reading order."""
    return _from_html(text, transform) if _HTML.search(text) else _from_markdown(text)


def _from_html(text: str, transform: Transform) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {"text": [], "table": [], "formula": []}
    for element in Document.from_html(text, transform):
        if isinstance(element, Table):
            result["table"].append(table_html(element))
        elif isinstance(element, Formula):
            result["formula"].append(element.latex)
        elif not isinstance(element, Chart) and element.text.strip():
            result["text"].append(element.text.strip())
    return result


def table_html(table: Table) -> str:
    """The bare table: rows and cells with their spans."""
    rows = []
    for row in table.rows:
        cells = [f"<td{_spans(cell.rowspan, cell.colspan)}>{cell.text}</td>" for cell in row.cells]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _spans(rowspan: int, colspan: int) -> str:
    return (f' rowspan="{rowspan}"' if rowspan > 1 else "") + (f' colspan="{colspan}"' if colspan > 1 else "")


def _from_markdown(text: str) -> dict[str, list[str]]:
    tables = _TABLE.findall(text)
    rest = _TABLE.sub("\n\n", text)
    formulas = [(a or b).strip() for a, b in _DISPLAY.findall(rest)]
    paragraphs = [re.sub(r"^#+\s*", "", p.strip()) for p in re.split(r"\n\s*\n", _DISPLAY.sub("\n\n", rest))]
    return {"text": [p for p in paragraphs if p], "table": tables, "formula": formulas}
