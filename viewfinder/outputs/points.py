"""Points: text of the model <-> `Point` in pixels of the original picture.

Two official forms: a JSON list of `{"point_2d": [x, y], "label": ...}`, which `format_points` writes by
default, and XML, `<points x1="38" y1="314" alt="cakes">cakes</points>`, with as many points as the tag has
pairs. Parsing takes every spelling of `places.py`. A box is never also a point.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from viewfinder.media.transform import Transform
from viewfinder.outputs.canonical import format_list
from viewfinder.outputs.places import find_places
from viewfinder.outputs.written import PointJson, ShortRepr, present


@dataclass(frozen=True, repr=False)
class Point(ShortRepr):
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

    def to_dict(self) -> PointJson:
        """JSON-ready, in original pixels; absent values are left out."""
        told = {"point": list(self.xy), "label": self.label, "confidence": self.confidence}
        return present({**told, "clamped": self.clamped or None, "extra": self.extra or None})


def parse_points(text: str, transform: Transform) -> list[Point]:
    """Read every point of an answer; never raises, and what cannot be read is left out.

    Args:
        text: the model's words, in pixels of the resized picture.
        transform: of the picture that was asked about.
    """
    return [
        _place(
            *(place.coordinates[0], place.coordinates[1]),
            transform,
            label=place.label,
            extra={key: value for key, value in place.fields.items() if key not in ("label", *place.keys)},
            source=(place.start, place.end),
        )
        for place in find_places(text, "point")
        if place.kind == "point"
    ]


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
