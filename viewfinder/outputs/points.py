"""Points: text of the model <-> `Point` in pixels of the original picture.

Two official forms: a JSON list of `{"point_2d": [x, y], "label": ...}`, which `format_points` writes by
default, and XML, `<points x1="38" y1="314" alt="cakes">cakes</points>`, with as many points as the tag has
pairs. Parsing also takes `x,y label` lines and the sloppy JSON of `loose_json.py`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Any, Literal

from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import read_label
from viewfinder.outputs.canonical import format_list
from viewfinder.outputs.loose_json import FoundObject, JsonObject, find_objects, outermost, read_numbers

_KEYS = ("point_2d", "point")
_TAG = re.compile(r"<points?\b([^<>]*)(?:>([^<]*)|\Z)")
_ATTRIBUTE = re.compile(r"([a-z_]+?)(\d*)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_N = r"[-+]?\d+(?:\.\d+)?"
_PLAIN = re.compile(rf"(?<![\d.,])\(?\s*({_N})\s*,\s*({_N})(?!\s*,\s*\d)(?![\d.]*\d)")
_TRIM = " \t\r\"'`()[]{}:;,.-"


@dataclass(frozen=True)
class Point:
    """A place in the original picture.

    Attributes:
        x, y: pixels of the original; (0, 0) is its top left corner.
        label: the name or description.
        confidence: probability that the model gave this place, 0..1, when it is known.
        clamped: the model's point lay outside the picture and was moved to its edge.
        extra: every other key the model gave.
        transform: the mapping the point was read with.
        source: characters `text[start:end]` the point was read from.
    """

    x: float
    y: float
    label: str = ""
    confidence: float | None = None
    clamped: bool = False
    extra: dict[str, Any] = field(default_factory=dict[str, Any], hash=False)
    transform: Transform | None = field(default=None, repr=False, compare=False)
    source: tuple[int, int] | None = field(default=None, repr=False, compare=False)

    @property
    def xy(self) -> tuple[float, float]:
        return self.x, self.y

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, in original pixels; absent values are left out."""
        result: dict[str, Any] = {"point": list(self.xy), "label": self.label}
        if self.confidence is not None:
            result["confidence"] = self.confidence
        if self.clamped:
            result["clamped"] = True
        return {**result, **({"extra": self.extra} if self.extra else {})}


def parse_points(text: str, transform: Transform) -> list[Point]:
    """Read every point of an answer; never raises, and what cannot be read is left out.

    Args:
        text: the model's words, in pixels of the resized picture.
        transform: of the picture that was asked about.
    """
    found = outermost([one for one in find_objects(text) if _coordinates(one.fields) is not None])
    if found:
        return [_from_object(one, transform) for one in found]
    if "<point" in text:
        return _parse_xml(text, transform)
    return _parse_plain(text, transform)


def _coordinates(fields: JsonObject) -> list[float] | None:
    for key in _KEYS:
        if key in fields and len(numbers := read_numbers(fields[key])) == 2:
            return numbers
    return None


def _from_object(found: FoundObject, transform: Transform) -> Point:
    numbers = _coordinates(found.fields)
    assert numbers is not None
    extra = {key: value for key, value in found.fields.items() if key not in (*_KEYS, "label")}
    label = read_label(found.fields.get("label"))
    return _place(numbers[0], numbers[1], transform, label=label, extra=extra, source=(found.start, found.end))


def _parse_xml(text: str, transform: Transform) -> list[Point]:
    """`x1 y1 x2 y2 ... alt` attributes; the label is the tag's text, else `alt`. A last pair that the end of
    the text cut off is left out."""
    points: list[Point] = []
    for tag in _TAG.finditer(text):
        values = {(a[1].lower(), a[2]): a[3] or a[4] or a[5] or "" for a in _ATTRIBUTE.finditer(tag[1])}
        label = unescape((tag[2] or "").strip() or values.get(("alt", ""), ""))
        for (name, number), value in values.items():
            pair = read_numbers([value, values.get(("y", number), "")]) if name == "x" else []
            if len(pair) == 2:
                points.append(_place(pair[0], pair[1], transform, label=label, source=tag.span()))
    return points


def _parse_plain(text: str, transform: Transform) -> list[Point]:
    matches = list(_PLAIN.finditer(text))
    points: list[Point] = []
    for i, match in enumerate(matches):
        stop = matches[i + 1].start() if i + 1 < len(matches) else len(text)
        label = text[match.end() : stop].split("\n", 1)[0].strip(_TRIM)
        points.append(_place(float(match[1]), float(match[2]), transform, label=label, source=match.span()))
    return points


def _place(x: float, y: float, transform: Transform, **rest: Any) -> Point:
    inside = transform.clamp_model((x, y))
    return Point(*transform.to_original(inside), clamped=inside != (x, y), transform=transform, **rest)


def format_points(points: Iterable[Point], transform: Transform, style: Literal["json", "xml"] = "json") -> str:
    """Write points as the model is trained to, in whole pixels of the resized picture.

    `style="xml"` gives one tag for all, labelled as the first point is; no points give an empty text there.
    """
    places = list(points)
    pixels = [[round(c) for c in transform.clamp_model(transform.to_model(point.xy))] for point in places]
    if style == "json":
        return format_list(
            [
                {"point_2d": list(xy), "label": point.label, **point.extra}
                for xy, point in zip(pixels, places, strict=True)
            ]
        )
    if not places:
        return ""
    label = escape(places[0].label)
    pairs = " ".join(f'x{i}="{x}" y{i}="{y}"' for i, (x, y) in enumerate(pixels, 1))
    return f'<points {pairs} alt="{label}">{label}</points>'
