"""Counts: "how many" answers, either a bare number or the official detect-then-count form.

That form lists every thing first and says the number last, after a blank line: "There are 12 items in
the image." Which of the two is right when they differ is not decided here; both are kept.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from viewfinder.media.transform import Transform
from viewfinder.messages import Reply
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.places import find_places
from viewfinder.outputs.points import Point, format_points
from viewfinder.outputs.written import CountJson, ShortRepr, present, to_frame

_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_WORDS = {
    **{word: i for i, word in enumerate(_ONES)},
    **{word: 10 * i for i, word in enumerate(_TENS, 2)},
    **{f"{ten}-{_ONES[one]}": 10 * i + one for i, ten in enumerate(_TENS, 2) for one in range(1, 10)},
    "no": 0,
    "none": 0,
}
_NUMBER = rf"(\d{{1,3}}(?:,\d{{3}}){{1,6}}|(?<!\d)\d+|\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b)"
_STATED = [
    re.compile(rf"\b(?:total|altogether|sum)\b\D{{0,30}}?{_NUMBER}", re.IGNORECASE),
    re.compile(rf"{_NUMBER}(?:\s+\w+){{0,4}}?\s+(?:in total|altogether|overall)\b", re.IGNORECASE),
    re.compile(rf"\bthere (?:are|is|were|was)\s+(?:\w+\s+)??{_NUMBER}", re.IGNORECASE),
]
_ANY_NUMBER = re.compile(_NUMBER, re.IGNORECASE)
_FENCE = re.compile(r"```\w*\n?.*?(?:```|\Z)", re.DOTALL)


@dataclass(frozen=True, repr=False)
class Count(ShortRepr):
    """How many.

    Attributes:
        value: the number said, or the number listed where none was said.
        stated: the number said in words or digits, if any.
        listed: how many places were listed before it; None when there was no list.
        points: the places, in pixels of the original picture, when the caller read them.
        confidence: probability of the answer, 0..1, when it is known.
        reply: the model's words and what it saw, when the caller keeps them.
    """

    value: int
    stated: int | None = None
    listed: int | None = None
    points: tuple[Point, ...] = ()
    confidence: float | None = None
    reply: Reply | None = field(default=None, repr=False, compare=False)

    @property
    def consistent(self) -> bool:
        """False when a list and a number were given and differ."""
        return self.stated is None or self.listed is None or self.stated == self.listed

    def to_dict(self) -> CountJson:
        told = {"count": self.value, "stated": self.stated, "listed": self.listed, "consistent": self.consistent}
        points = [point.to_dict() for point in self.points]
        return {**told, "points": points, **present({"confidence": self.confidence})}  # type: ignore[typeddict-item]

    def to_pandas(self) -> Any:
        """A DataFrame with a row for each place; pandas must be installed."""
        return to_frame(self.points)


def parse_count(text: str) -> Count | None:
    """Read a count; None when the answer names no number and lists nothing.

    `"3"`, `"There are twelve cakes."` and a fenced list followed by such a sentence are all read. A total
    ("... 5 in total") wins over "there are", that over the last number in the prose.
    """
    places = find_places(text)
    has_list = bool(places) or "```" in text
    prose = _FENCE.sub(" ", text)
    if "```" not in text:
        starts = [0, *(place.end for place in places)]
        ends = [*(place.start for place in places), len(text)]
        prose = " ".join(text[start:end] for start, end in zip(starts, ends, strict=True))
    stated = _stated(prose)
    listed = len(places) if has_list else None
    value = stated if stated is not None else listed
    return None if value is None else Count(value, stated, listed)


def _stated(prose: str) -> int | None:
    for pattern in _STATED:
        if (match := pattern.search(prose)) is not None:
            return _to_int(match[1])
    numbers = _ANY_NUMBER.findall(prose)
    return _to_int(numbers[-1]) if numbers else None


def _to_int(word: str) -> int:
    value = _WORDS.get(word.lower())
    return int(word.replace(",", "")[:15]) if value is None else value


def format_count(places: Iterable[Box] | Iterable[Point], noun: str, transform: Transform) -> str:
    """The official detect-then-count answer: the canonical list, a blank line, and the sentence.

    `noun` is written as given ("red circles"; for one thing, "red circle").
    """
    items = list(places)
    boxes = [item for item in items if isinstance(item, Box)]
    points = [item for item in items if isinstance(item, Point)]
    listing = format_points(points, transform) if points else format_boxes(boxes, transform)
    return f"{listing}\n\nThere {'is' if len(items) == 1 else 'are'} {len(items)} {noun} in the image."
