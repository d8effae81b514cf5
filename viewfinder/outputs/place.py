"""One place of a text, and how its numbers become one: shared by the readers of marked and of bare places."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from viewfinder.outputs.coordinates import Expected, Group, PlaceKind, find_runs, read_block, to_float
from viewfinder.outputs.loose_json import JsonObject, JsonValue
from viewfinder.outputs.place_labels import line_label

Corners = tuple[float, float, float, float]
"""x1, y1, x2, y2 of a rectangle, in the pixels that the user of the name states."""
NO_FIELDS: JsonObject = {}
MOST_REPEATED = 1_000_000
"""Characters of one object that its places may repeat; with more, labels are cut and other fields left out, for
thousands of places with a label of thousands of letters would be an answer that grows with the square of the text."""
_NUMERIC = re.compile(r"[\s\d.,，()\[\]eE+−-]*")
Written = tuple[PlaceKind, Group, int, int]
"""A place before its name is known: kind, numbers, start and end."""


class Place(NamedTuple):
    """One place.

    Attributes:
        kind: box (x1, y1, x2, y2, corners in any order), point (x, y) or polygon (x, y, x, y ...).
        coordinates: in the pixels of whoever wrote the text; finite.
        start, end: the object, tag or numbers, `text[start:end]`.
        numbers: the characters of each coordinate, in the same order.
        label: the name that the text gives it, "" for none.
        fields: of its JSON object, all of them; `keys` are those that hold its numbers.
        marked: the text says that it is a place.
        sized: the third and fourth number that are written are a width and a height.
    """

    kind: PlaceKind
    coordinates: tuple[float, ...]
    start: int
    end: int
    numbers: tuple[tuple[int, int], ...]
    label: str = ""
    fields: JsonObject = NO_FIELDS
    keys: tuple[str, ...] = ()
    marked: bool = True
    sized: bool = False

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The upright rectangle around it, x1 <= x2 and y1 <= y2."""
        xs, ys = self.coordinates[::2], self.coordinates[1::2]
        return min(xs), min(ys), max(xs), max(ys)


class PlaceReader:
    """Reads one text; a sentence for each mark whose numbers are no place goes into `problems`."""

    def __init__(self, text: str, problems: list[str]) -> None:
        self.text = text
        self.problems = problems

    def inside(self, start: int, end: int, expected: Expected) -> list[tuple[PlaceKind, Group]]:
        """The places of one value; none where any part of it is none."""
        blocks = [block for run in find_runs(self.text, start, end, inside=True) for block in run.blocks]
        read = [read_block(self.text, block, expected) for block in blocks]
        return [one for part in read for one in part] if all(read) else []

    def refuse(self, mark: str, at: int) -> None:
        self.problems.append(
            f"{mark} at character {at} holds no place ({self.text[at : at + 60]!r}), expected 2 numbers for a point, "
            "4 for a box or 8 for a quad, so it was not read"
        )

    def made(
        self,
        kind: PlaceKind,
        numbers: Group,
        start: int,
        end: int,
        label: str = "",
        fields: JsonObject = NO_FIELDS,
        keys: tuple[str, ...] = (),
        marked: bool = True,
        sized: bool = False,
    ) -> Iterator[Place]:
        values = [to_float(self.text[a:b]) for a, b in numbers]
        if sized:
            values[2:] = values[0] + values[2], values[1] + values[3]
        if max(map(abs, values)) == math.inf:
            self.problems.append(f"the place at character {start} has a number that is too large, so it was not read")
        else:
            yield Place(kind, tuple(values), start, end, tuple(numbers), label, fields, keys, marked, sized)

    def labelled(self, written: list[Written], marked: bool) -> list[Place]:
        places: list[Place] = []
        before = 0
        for i, (kind, numbers, start, end) in enumerate(written):
            after = written[i + 1][2] if i + 1 < len(written) else len(self.text)
            label = line_label(self.text, start, end, before, after)
            places += self.made(kind, numbers, start, end, label, marked=marked)
            before = end
        return places


def is_numeric(value: JsonValue) -> bool:
    """Numbers and nothing else, however they are nested and quoted."""
    if isinstance(value, list | dict):
        parts = value if isinstance(value, list) else list(value.values())
        return bool(parts) and all(map(is_numeric, parts))
    if isinstance(value, str):
        return bool(value) and _NUMERIC.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)
