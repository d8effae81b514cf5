"""Where places stand in people's texts, in any spelling that says it is one, so that each number is rewritten in place.

    'see {"bbox_2d": [10, 20, 30, 40]}, taken in [1990, 2000]'      four numbers; the two years are no place

Marked are the keys below, `<|box_start|>`, `<box>`, `<point>`, `<points x1= y1=>`, `data-bbox`, calls such as
`click(x=1, y=2)`, and a screen's stated resolution. What `outputs` reads as a place and nothing marks is refused where
it could be one: rewriting a table's numbers, or leaving a box in another picture's pixels, would teach something false.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from viewfinder.errors import DataError, ViewfinderError
from viewfinder.media.transform import Transform
from viewfinder.outputs.actions import parse_action
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.points import parse_points

_LISTS = re.compile(
    r"\d[^\w<>]{1,40}(?:[xy]\d*\s*=\s*[\"']?|</?\|?[a-z_]+\|?>)?[-+]?\d|resolution is \d|pixels\W{1,4}-?\d"
)
_DIGIT = re.compile(r"\d")
_N = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_NUMBER = re.compile(_N)
_PLAIN_KEY = r"bbox_2d|bbox|box_2d|point_2d|polygon_2d|bounding_box|bboxes|data-bbox|data-polygon|coordinate2?"
_QUOTED_KEY = r"box|boxes|point|points|polygon|poly|quad|coordinates?|(?:start|end)_(?:box|point|coordinate)"
_KEY = re.compile(
    rf"(?<![\w-])(?:\\?[\"'](?:{_PLAIN_KEY}|{_QUOTED_KEY})\\?[\"']\s*:|(?:{_PLAIN_KEY})\s*[:=]|(?:{_QUOTED_KEY})\s*=)\s*"
)
_TAGGED = re.compile(
    r"<\|(box|point|quad|polygon)_start\|>(?P<a>.*?)<\|\1_end\|>|<(box|point|quad|poly|bbox)>(?P<b>[^<]*)</\3>",
    re.DOTALL,
)
_TAG = re.compile(r"<points?\s[^<>]*>")
_ATTRIBUTE = re.compile(rf"\b([xy])\d*\s*=\s*[\"']?\s*({_N})")
_CALL = re.compile(
    r"\b(?:click|doubleClick|rightClick|double_click|right_click|moveTo|dragTo|tap|long_press|hover)\(([^()]*)\)"
)
_SIZE = re.compile(r"screen's resolution is (\d+)\s*[x×]\s*(\d+)")
_SCROLL = re.compile(
    rf"\"action\\?\"\s*:\s*\\?\"scroll\\?\"[^{{}}]*?pixels\\?\"\s*:\s*({_N})|pixels\\?\"\s*:\s*({_N})[^{{}}]*?\"scroll"
)
_OPEN, _CLOSE = "[(", "])"
_LEAST = 8.0
"""Sides in pixels from which four unmarked numbers may be a box."""


@dataclass(frozen=True)
class Numbers:
    """The numbers of one place, as characters of the text.

    Attributes:
        spans: of each number.
        axes: "x" or "y" of each; "d" is a distance along y.
    """

    spans: tuple[tuple[int, int], ...]
    axes: str


def may_place(text: str) -> bool:
    """Whether a text can name a place at all: it has two numbers beside one another."""
    return _DIGIT.search(text) is not None and _LISTS.search(text) is not None


def find_places(text: str) -> list[Numbers]:
    """Every place that is marked as one, in order.

    Raises:
        DataError: one with an odd number of numbers.
    """
    if not may_place(text):
        return []
    found: dict[int, Numbers] = {}
    for one in _candidates(text):
        found.setdefault(one.spans[0][0], one)
    return [found[start] for start in sorted(found)]


def _candidates(text: str) -> Iterator[Numbers]:
    for match in _TAGGED.finditer(text) if "<" in text else ():
        name = "a" if match["a"] is not None else "b"
        yield from _pairs(text, *match.span(name))
    for match in _KEY.finditer(text):
        start, end = _value(text, match.end())
        if end > start and not re.search(r"[^\W\deE]", _NUMBER.sub("", text[start:end])):
            yield from _pairs(text, start, end)
    for match in _TAG.finditer(text) if "<point" in text else ():
        pairs = [(a[1].lower(), a.span(2)) for a in _ATTRIBUTE.finditer(text, *match.span())]
        if pairs:
            yield Numbers(tuple(span for _, span in pairs), "".join(axis for axis, _ in pairs))
    for match in _CALL.finditer(text) if "(" in text else ():
        named = [(a[1], a.span(2)) for a in _ATTRIBUTE.finditer(text, *match.span(1))]
        if named:
            yield Numbers(tuple(span for _, span in named), "".join(axis for axis, _ in named))
        elif re.fullmatch(rf"\s*{_N}\s*,\s*{_N}\s*", match[1]):
            yield from _pairs(text, *match.span(1))
    for match in _SIZE.finditer(text) if "resolution is" in text else ():
        yield Numbers((match.span(1), match.span(2)), "xy")
    for match in _SCROLL.finditer(text) if "scroll" in text else ():
        yield Numbers((match.span(1) if match[1] else match.span(2),), "d")


def _value(text: str, at: int) -> tuple[int, int]:
    """The characters of a list, a quoted text, or bare numbers that begin at `at`."""
    first = text[at : at + 1].lstrip("\\") or text[at + 1 : at + 2]
    if first in _OPEN and first:
        depth = 0
        for i in range(at, len(text)):
            depth += (text[i] in _OPEN) - (text[i] in _CLOSE)
            if not depth:
                return at, i
        return at, at
    if first in "\"'" and first:
        begin = text.index(first, at) + 1
        end = text.find(first, begin)
        return (begin, end) if end > 0 else (at, at)
    bare = re.compile(rf"{_N}(?:[ \t]*[, ][ \t]*{_N})+").match(text, at)
    return bare.span() if bare else (at, at)


def _pairs(text: str, start: int, end: int) -> Iterator[Numbers]:
    spans = tuple(match.span() for match in _NUMBER.finditer(text, start, end))
    if len(spans) % 2:
        raise DataError(f"a place {text[start - 1 : end + 1][:80]!r} has {len(spans)} numbers; places are pairs x, y")
    if spans:
        yield Numbers(spans, "xy" * (len(spans) // 2))


def rewrite_places(text: str, before: Transform, after: Transform) -> str:
    """The text with every marked place read by `before` and written by `after`, in whole pixels; all else as it was.

    A 200x100 original shown as 100x50: `"point_2d": [50.5, 20]` becomes `"point_2d": [25, 10]`.

    Raises:
        DataError: a place outside its picture, in shares of it, or numbers that may be a place and are not marked.
    """
    places = find_places(text)
    refuse_unmarked(text, places, before.resized_size)
    pieces: list[str] = []
    at = 0
    for place in places:
        _check(text, place, before.resized_size)
        for (start, end), axis in zip(place.spans, place.axes, strict=True):
            pieces += [text[at:start], _moved(float(text[start:end]), axis, before, after)]
            at = end
    return "".join([*pieces, text[at:]])


def _moved(value: float, axis: str, before: Transform, after: Transform) -> str:
    if axis == "d":
        return str(round(value / before.scale[1] * after.scale[1]))
    at = "xy".index(axis)
    point = (value, 0.0) if axis == "x" else (0.0, value)
    return str(round(after.clamp_model(after.to_model(before.to_original(point)))[at]))


def _check(text: str, place: Numbers, size: tuple[int, int]) -> None:
    shown = text[max(0, place.spans[0][0] - 16) : place.spans[-1][1] + 2]
    values = [float(text[start:end]) for start, end in place.spans]
    if all(0 <= value <= 1 for value in values) and any("." in text[start:end] for start, end in place.spans):
        raise DataError(f"{shown!r} names a place in shares of the picture; places are pixels of the original")
    bounds = {"x": size[0], "y": size[1]}
    if any(axis != "d" and not -1 <= value <= bounds[axis] + 1 for value, axis in zip(values, place.axes, strict=True)):
        raise DataError(f"{shown!r} lies outside its picture of {size[0]}x{size[1]}; places are pixels of the original")


def refuse_unmarked(text: str, places: list[Numbers], size: tuple[int, int], where: str = "") -> None:
    """Check that nothing is left that `outputs` would read as a place of a picture of `size`.

    Raises:
        DataError: names the numbers.
    """
    letters = list(text)
    for place in places:
        for start, end in place.spans:
            letters[start:end] = "n" * (end - start)
    left = "".join(letters)
    if not may_place(left):
        return
    whole = Transform.identity(size)
    for box in parse_boxes(left, whole):
        start, end = box.source or (0, len(left))
        line_start = left.rfind("\n", 0, start) + 1
        marked = left[max(0, start - 1)] in "[({" or left[start] in "[({<" or not left[line_start:start].strip("-* ")
        width, height = box.x2 - box.x1, box.y2 - box.y1
        shares = max(box.xyxy) <= 1 and min(width, height) > 0
        if marked and not box.clamped and (shares or min(width, height) >= _LEAST):
            raise _unmarked(where + left[start:end])
    for point in parse_points(left, whole):
        start, end = point.source or (0, len(left))
        if left[start] in "{<" or not (left[:start] + left[end:]).strip(" \t\r\n[]().`"):
            raise _unmarked(where + left[start:end])
    try:
        action = parse_action(left, whole)
    except ViewfinderError:
        return
    if action.coordinate is not None:
        raise _unmarked(where + str(action.coordinate))


def _unmarked(found: str) -> DataError:
    return DataError(
        f'{found[:80]} may be a place or ordinary numbers; write a place as {{"bbox_2d": [...]}} or '
        '{"point_2d": [...]}, or set coordinates=model, which leaves all numbers as they are'
    )
