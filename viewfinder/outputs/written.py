"""Results as JSON, one type for each `to_dict`, and what all results share: a short `repr` and a table.

`viewfinder schema NAME` makes a JSON schema of these types (`json_schema_of`), so a program that reads results can
check them. Pages count from 1; places are pixels of the original, times are seconds of the original.
"""

import dataclasses
from collections.abc import Iterable
from typing import (
    Any,
    NotRequired,  # pydantic reads those of `typing` from Python 3.12 on
    get_type_hints,
)

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

_CLOSED = ConfigDict(extra="forbid")


@with_config(_CLOSED)
class BoxJson(TypedDict):
    """`box` is x1, y1, x2, y2."""

    box: list[float]
    label: str
    text: NotRequired[str]
    confidence: NotRequired[float]
    clamped: NotRequired[bool]
    verified: NotRequired[bool]
    extra: NotRequired[dict[str, Any]]


@with_config(_CLOSED)
class PointJson(TypedDict):
    """`point` is x, y."""

    point: list[float]
    label: str
    confidence: NotRequired[float]
    clamped: NotRequired[bool]
    extra: NotRequired[dict[str, Any]]


@with_config(_CLOSED)
class SpanJson(TypedDict):
    start: float
    end: float
    label: str
    confidence: NotRequired[float]
    evidence: NotRequired[list[float]]
    clamped: NotRequired[bool]


@with_config(_CLOSED)
class CountJson(TypedDict):
    count: int
    stated: int | None
    listed: int | None
    confidence: NotRequired[float]
    consistent: bool
    points: list[PointJson]


@with_config(_CLOSED)
class ElementJson(TypedDict):
    """An element of a page; after `text` come what headings, paragraphs, lists, tables, charts and formulas have."""

    kind: str
    box: list[float] | None
    text: str
    level: NotRequired[int]
    role: NotRequired[str]
    ordered: NotRequired[bool]
    start: NotRequired[int]
    items: NotRequired[list[dict[str, Any]]]
    rows: NotRequired[list[list[Any]]]
    header_rows: NotRequired[int]
    latex: NotRequired[str]
    variant: NotRequired[str | None]
    notation: NotRequired[str]


@with_config(_CLOSED)
class PageJson(TypedDict):
    page: int
    size: list[float]
    confidence: float | None
    transform: dict[str, Any] | None
    repairs: list[str]
    checks: NotRequired[list[dict[str, Any]]]
    error: NotRequired[str]
    html: str
    elements: list[ElementJson]


@with_config(_CLOSED)
class DocumentJson(TypedDict):
    pages: list[PageJson]


@with_config(_CLOSED)
class FieldJson(TypedDict):
    """`path` leads to the value, as `lines[2].price`; `verified`: the text layer of the PDF has it there."""

    path: str
    value: Any
    page: NotRequired[int | None]
    box: NotRequired[list[float]]
    confidence: NotRequired[float]
    verified: NotRequired[bool]


@with_config(_CLOSED)
class ExtractionJson(TypedDict):
    data: Any
    fields: list[FieldJson]


@with_config(_CLOSED)
class CitationJson(TypedDict):
    """`element` is its place on the page, from 0."""

    file: str
    page: int
    box: list[float] | None
    size: list[float]
    element: int
    text: str


@with_config(_CLOSED)
class LibraryAnswerJson(TypedDict):
    found: bool
    answer: str
    supported: bool | None
    citations: list[CitationJson]


def json_schema_of(result: type[Any]) -> dict[str, Any]:
    """The JSON schema of what `to_dict` of a result gives."""
    return TypeAdapter(get_type_hints(result.to_dict)["return"]).json_schema()


def present(values: dict[str, Any]) -> Any:
    """Without the keys whose value is None."""
    return {key: value for key, value in values.items() if value is not None}


def to_frame(results: Iterable[Any]) -> Any:
    """A pandas DataFrame with a row for each result; pandas must be installed."""
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

    return pd.DataFrame([result.to_dict() for result in results])


class ShortRepr:
    """`Box(10, 20, 30.5, 40, label='cup', confidence=0.87)`: numbers to two digits, defaults left out."""

    def __repr__(self) -> str:
        parts: list[str] = []
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                parts.append(_short(value))
            elif field.repr and value != field.default and value not in ({}, ()):
                parts.append(f"{field.name}={_short(value)}")
        return f"{type(self).__name__}({', '.join(parts)})"


def _short(value: Any) -> str:
    return f"{round(value, 2):g}" if isinstance(value, float) else repr(value)
