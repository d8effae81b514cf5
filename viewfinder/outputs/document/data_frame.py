"""Tables as pandas data frames."""

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

_NUMBER = re.compile(
    r"[-−+(]?\s*[$€£¥]?\s*(?:(?:0|[1-9]\d{0,14})|[1-9]\d{0,2}(?:,\d{3}){1,4}|[1-9]\d{0,2}(?:\s\d{3}){1,4})(?:\.\d{1,15})?\s*\)?\s*%?"
)
"""An amount; not `007` or `01234`, which are names, nor digits beyond what a float holds."""


def make_frame(grid: Sequence[Sequence[str]], heads: int) -> Any:
    """A DataFrame of the cells' texts: the first `heads` rows become columns (several are joined), and a column in
    which every filled cell is a number becomes numbers (`1,234`, `$5`, `12 %` as 12, `(3)` as -3); with leading zeros
    it stays text."""
    pandas: Any = import_module("pandas")
    names: list[Any] = list(range(len(grid[0]) if grid else 0))
    if heads:
        columns = zip(*grid[:heads], strict=True)
        names = [" ".join(dict.fromkeys(part for part in column if part)) for column in columns]
    frame: Any = pandas.DataFrame(grid[heads:], columns=names)
    for i in range(len(names)):
        values = [row[i].strip() for row in grid[heads:]]
        filled = [value for value in values if value]
        if filled and all(_NUMBER.fullmatch(value) for value in filled):
            frame.isetitem(i, [_number(value) for value in values])
    return frame


def _number(text: str) -> float | None:
    if not text:
        return None
    negative = text.startswith(("-", "−", "("))
    value = float(re.sub(r"[^\d.]", "", text))
    return -value if negative else value
