"""`Study`: one open question as a table of settings, a measure of each, and what the records say.

A study is a value made of plain functions, as a `Task` is. Its records are JSON, so a figure or a sentence can be made
again without measuring again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from viewfinder.errors import ViewfinderError

if TYPE_CHECKING:
    from viewfinder.studies.lab import Lab

Setting = Mapping[str, Any]
"""One row of the table: names and JSON values; `name` is unique within the study."""
Record = Mapping[str, Any]
"""A setting with what was measured; an `Estimate` is kept as [value, low, high, n]."""
Estimate = Sequence[float]
"""Value, lower and upper end of the 95 % interval, number of questions."""


class StudyError(ViewfinderError):
    """There is no such study, or it cannot be run in this way."""


@dataclass(frozen=True)
class Series:
    """Points of one name: `y` values are numbers or `Estimate`s, whose intervals are drawn too."""

    name: str
    x: Sequence[Any]
    y: Sequence[Any]


@dataclass(frozen=True)
class Panel:
    """One diagram. `kind` "lines" joins points, "bars" groups them by `x` (words), "points" names each point by
    its series. `logarithmic` holds "x", "y" or both."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    kind: Literal["lines", "bars", "points"] = "lines"
    logarithmic: str = ""
    top: float | None = None


@dataclass(frozen=True)
class Findings:
    """What the records say.

    Attributes:
        answer: two sentences, with numbers.
        heads, rows: the table.
        not_shown: what a reader must not conclude, a sentence each.
        differently: what the design would do differently now; "" where nothing follows.
    """

    answer: str
    panels: Sequence[Panel]
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    not_shown: Sequence[str] = ()
    differently: str = ""


@dataclass(frozen=True)
class Study:
    """An open question.

    Attributes:
        number, name, title: of the page, of the command, for people.
        asked: the question, in a sentence.
        settings: the table; True gives the few rows of the smoke version.
        measure: what is measured for one row.
        find: what all records say.
        needs: "nothing" (arithmetic), "model" (anything that answers), "weights" (a checkpoint loaded here).
        trains: whether it trains, so that `--train` must be given.
    """

    number: int
    name: str
    title: str
    asked: str
    settings: Callable[[bool], Sequence[Setting]]
    measure: Callable[["Lab", Setting], Mapping[str, Any]]
    find: Callable[[Sequence[Record]], Findings]
    needs: Literal["nothing", "model", "weights"] = "model"
    trains: bool = False
    hours: str = field(default="", kw_only=True)

    @property
    def page(self) -> str:
        """File name of its page, without ending: `03-positions`."""
        return f"{self.number:02}-{self.name}"


NAMES = (
    "windows",
    "rates",
    "positions",
    "latency",
    "geometry",
    "shift",
    "grounding",
    "filters",
    "context",
    "conflict",
    "degradation",
    "corrections",
    "cost",
    "edge",
)
"""By number, from 1."""


def find_study(name: str) -> Study:
    """The study of a name or number ("positions", "3"); raises `StudyError`."""
    known = NAMES[int(name) - 1] if name.isdecimal() and 0 < int(name) <= len(NAMES) else name
    if known not in NAMES:
        raise StudyError(f"there is no study {name!r}; there are {', '.join(NAMES)}")
    return import_module(f"viewfinder.studies.{known}").STUDY


def over_seeds(records: Sequence[Record], key: str) -> Estimate:
    """Mean of an estimate over runs that differ in their seed, the least and the most of them, and all questions.

    A single run keeps its own interval, which is that of its questions.
    """
    if len(records) == 1:
        return records[0][key]
    values = [r[key][0] for r in records]
    return [round(fmean(values), 2), min(values), max(values), sum(r[key][3] for r in records)]


def percent(value: Estimate) -> str:
    """`62 (47 to 75)`."""
    return "{:.0f} ({:.0f} to {:.0f})".format(*value[:3])
