"""Parsed pages against true ones, in the manner of OmniDocBench: edit distances of matched elements, reading
order, formulas. All are distances, 0 (equal) to 1; lower is better. Tables are scored by `teds`.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from viewfinder.eval.metrics.assignment import assign
from viewfinder.eval.metrics.edit_distance import edit_distance, edit_distances, normalized_edit_distance
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


class Match(NamedTuple):
    """A true element and the predicted one it was matched to; None where either has no partner."""

    truth: int | None
    predicted: int | None


def match_elements(predicted: Sequence[str], truth: Sequence[str]) -> list[Match]:
    """One-to-one, least total normalised edit distance; pairs with nothing in common are parted.

    In order of the truth, then what was predicted without a partner.
    """
    lengths = np.maximum.outer([len(text) for text in truth], [len(text) for text in predicted])
    costs = edit_distances(truth, predicted) / np.maximum(lengths, 1)
    partner = {i: j for i, j in assign(costs) if costs[i, j] < 1 or truth[i] == predicted[j]}
    matches = [Match(i, partner.get(i)) for i in range(len(truth))]
    return matches + [Match(None, j) for j in range(len(predicted)) if j not in partner.values()]


def page_edit_distance(predicted: Sequence[str], truth: Sequence[str]) -> float:
    """Edits of all matched elements over the sum of their longer lengths; what has no partner is all edits.

    Truth ["abcd", "xy"] read as ["abcf"]: (1 + 2) / (4 + 2) = 0.5.
    """
    edits = longest = 0
    for match in match_elements(predicted, truth):
        said = "" if match.predicted is None else predicted[match.predicted]
        true = "" if match.truth is None else truth[match.truth]
        edits += edit_distance(said, true)
        longest += max(len(said), len(true))
    return edits / longest if longest else 0.0


def reading_order_distance(predicted: Sequence[str], truth: Sequence[str]) -> float:
    """Normalised edit distance between the true order and the order in which its elements were predicted;
    elements that were not found are missing from the latter.

    Truth a, b, c predicted as b, a, c: [1, 0, 2] against [0, 1, 2] is 2 / 3.
    """
    found = [match for match in match_elements(predicted, truth) if match.truth is not None]
    order = [m.truth for m in sorted((m for m in found if m.predicted is not None), key=lambda m: m.predicted or 0)]
    return normalized_edit_distance(order, list(range(len(truth))))


_WRAPPING = re.compile(r"\A\s*(?:```(?:latex|tex)?|\$\$?|\\\[|\\\()|(?:```|\$\$?|\\\]|\\\))\s*\Z")


def formula_distance(predicted: str, truth: str) -> float:
    """Normalised edit distance of LaTeX without white space, fences and delimiters."""
    return normalized_edit_distance(_bare(predicted), _bare(truth))


def _bare(latex: str) -> str:
    before = ""
    while before != latex:
        before, latex = latex, _WRAPPING.sub("", latex)
    return re.sub(r"\s", "", latex)


def text_distance(predicted: str, truth: str) -> float:
    """Normalised edit distance of two whole documents without white space (CC-OCR's document score is 1 - this)."""
    return normalized_edit_distance(re.sub(r"\s", "", predicted), re.sub(r"\s", "", truth))
