"""Boxes: text of the model <-> `Box` in pixels of the original picture.

The model speaks absolute pixels of the resized picture (report, section 2.1.2); callers never see those.
`format_boxes` writes the canonical text of `canonical.py`, and `grammars.boxes_grammar` allows that text
only. Parsing also takes what models write outside a grammar, as `places.py` finds it: swapped corners, corners
outside the picture; a polygon is the box around it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from viewfinder.media.transform import Transform
from viewfinder.outputs.canonical import format_list
from viewfinder.outputs.loose_json import JsonValue
from viewfinder.outputs.place import Place
from viewfinder.outputs.place_labels import label_key, read_label
from viewfinder.outputs.places import find_places
from viewfinder.outputs.written import BoxJson, ShortRepr, present


@dataclass(frozen=True, repr=False)
class Box(ShortRepr):
    """A rectangle in the original picture.

    Attributes:
        x1, y1, x2, y2: outer corners in pixels of the original, x1 <= x2, y1 <= y2; (0, 0) is its top left.
        label: the name or description; "" when only text was asked for.
        confidence: probability that the model gave these corners, 0..1, when it is known.
        clamped: the model's corners lay outside the picture and were moved to its edge.
        text: what is written there (`text_content`), for spotting.
        extra: every other key the model gave.
        verified: whether a second, closer look found the same; None when none was taken.
        transform: the mapping the corners were read with.
        source: characters `text[start:end]` the box was read from.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    label: str = ""
    confidence: float | None = None
    clamped: bool = False
    text: str | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], hash=False)
    verified: bool | None = None
    transform: Transform | None = field(default=None, repr=False, compare=False)
    source: tuple[int, int] | None = field(default=None, repr=False, compare=False)

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        return self.x1, self.y1, self.x2, self.y2

    @property
    def center(self) -> tuple[float, float]:
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    @property
    def area(self) -> float:
        return (self.x2 - self.x1) * (self.y2 - self.y1)

    def overlap(self, other: "Box") -> float:
        """Intersection over union with another box of the same picture, 0..1."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        shared = max(0.0, width) * max(0.0, height)
        return shared / (self.area + other.area - shared) if shared else 0.0

    def to_dict(self) -> BoxJson:
        """JSON-ready, corners in original pixels; absent values are left out."""
        told = {"box": list(self.xyxy), "label": self.label, "text": self.text, "confidence": self.confidence}
        more = {"clamped": self.clamped or None, "verified": self.verified, "extra": self.extra or None}
        return present({**told, **more})


def parse_boxes(text: str, transform: Transform) -> list[Box]:
    """Read every box of an answer; never raises, and what cannot be read is left out.

    Args:
        text: the model's words, corners in pixels of the resized picture.
        transform: of the picture that was asked about.

    With a 100x100 original shown as 200x200, `{"bbox_2d": [20, 40, 60, 80], "label": "cat"}` is
    `Box(10, 20, 30, 40, "cat")`.
    """
    return [_from_place(place, transform) for place in find_places(text, "box") if place.kind != "point"]


def _from_place(place: Place, transform: Transform) -> Box:
    text = place.fields.get("text_content")
    known = {"label", "text_content", label_key(place.fields), *place.keys}
    return _place(
        place.bounds,
        transform,
        label=place.label,
        text=None if text is None else read_label(text),
        extra={key: value for key, value in place.fields.items() if key not in known},
        source=(place.start, place.end),
    )


def _place(given: tuple[float, float, float, float], transform: Transform, **rest: Any) -> Box:
    """Clamp and map corners in model pixels, which are in order."""
    inside = transform.clamp_box_model(given)
    return Box(*transform.box_to_original(inside), clamped=inside != given, transform=transform, **rest)


def format_boxes(boxes: Iterable[Box], transform: Transform) -> str:
    """Write boxes as the model is trained to: the canonical list, whole pixels of the resized picture.

    `label` is written unless it is empty beside a `text`; then come `text_content` and the extra keys.
    `parse_boxes` of the result gives the same boxes to within half a model pixel, and formatting those
    again gives the same text.
    """
    return format_list([_to_object(box, transform) for box in boxes])


def _to_object(box: Box, transform: Transform) -> dict[str, JsonValue]:
    corners = transform.clamp_box_model(transform.box_to_model(box.xyxy))
    result: dict[str, JsonValue] = {"bbox_2d": [round(corner) for corner in corners]}
    if box.label or box.text is None:
        result["label"] = box.label
    if box.text is not None:
        result["text_content"] = box.text
    return {**result, **{key: value for key, value in box.extra.items() if key not in result}}
