"""Places that stand beside the turns (ms-swift): `objects` with `ref` and `bbox`, and marks for them in the text.

    {"messages": [..., {"role": "assistant", "content": "<ref-object><bbox>"}], "images": ["a.png"],
     "objects": {"ref": ["a dog"], "bbox": [[10, 20, 30, 40]]}}

gives `<|object_ref_start|>a dog<|object_ref_end|><|box_start|>(10,20),(30,40)<|box_end|>`; as the value of a key, as in
`"bbox_2d": <bbox>, "label": "<ref-object>"`, marks become plain lists and words.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from viewfinder.data.sources.keys import Keys, as_value
from viewfinder.data.sources.row_media import RowMedia, has_marks
from viewfinder.errors import DataError
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, Message, TextPart

_MARK = re.compile(r"<(ref-object|bbox)>")


@dataclass
class Objects:
    """Names and places that are still to be written; places in pixels of the original.

    Attributes:
        medium: the picture that all places are of, by its number among the row's files.
    """

    names: list[str]
    places: list[list[float]]
    medium: int = 0

    def write(self, message: Message) -> Message:
        """The message with the next names and places for its marks."""
        parts = [
            TextPart(text=_MARK.sub(self._next, part.text)) if isinstance(part, TextPart) else part
            for part in message.parts
        ]
        return message.model_copy(update={"parts": tuple(parts)})

    def finish(self) -> None:
        """Check that all are written."""
        if self.names or self.places:
            raise DataError(
                f"key 'objects' has {len(self.places)} places and {len(self.names)} names more than the turns have "
                "<bbox> and <ref-object> marks; give a mark for each"
            )

    def _next(self, mark: re.Match[str]) -> str:
        left = self.names if mark[1] == "ref-object" else self.places
        if not left:
            raise DataError(f"the turns have more {mark[0]} marks than key 'objects' has values; give one for each")
        before = mark.string[: mark.start()].rstrip()
        if mark[1] == "ref-object":
            name = self.names.pop(0)
            return name if before.endswith(('"', "'")) else f"<|object_ref_start|>{name}<|object_ref_end|>"
        place = self.places.pop(0)
        if before.endswith(":"):
            return f"[{', '.join(map(_short, place))}]"
        pairs = ",".join(f"({_short(x)},{_short(y)})" for x, y in zip(place[::2], place[1::2], strict=True))
        return f"<|box_start|>{pairs}<|box_end|>"


def refuse_marks(messages: Iterable[Message]) -> None:
    """Check that turns without `objects` have no marks for them."""
    texts = [part.text for message in messages for part in message.parts if part.type == "text"]
    for mark in [_MARK.search(text) for text in texts if "<" in text]:
        if mark is None:
            continue
        raise DataError(f"a turn has the mark {mark[0]} and the row no key 'objects'; give it a value for the mark")


def read_objects(raw: Any, media: RowMedia) -> Objects:
    """The key `objects`.

    Raises:
        DataError: not of the layout, or places of several pictures.
    """
    raw = as_value(raw, "key 'objects' is a text that is")
    if not isinstance(raw, Mapping):
        raise DataError(f"key 'objects' is a {type(raw).__name__}, expected an object with ref and bbox")
    keys = Keys(raw, ())
    names, places = keys.take("ref") or [], keys.take("bbox") or []
    kind, pictures = keys.text("bbox_type") or "real", keys.take("image_id") or [0]
    keys.finish("objects")
    _check(names, places, pictures)
    if (
        len(set(pictures)) > 1
        or not isinstance(pictures[0], int)
        or not 0 <= pictures[0] < max(1, len(media.files["image"]))
    ):
        raise DataError(f"key 'image_id' of objects is {pictures}; places of one of the row's pictures can be read")
    if kind not in ("real", "norm1"):
        raise DataError(f"key 'bbox_type' of objects is {kind!r}; known are real and norm1")
    if kind == "norm1":
        part = media.files["image"][pictures[0]]
        assert isinstance(part, ImagePart)
        size = load_image(part.image).size
        places = [[value * size[i % 2] for i, value in enumerate(place)] for place in places]
    return Objects(list(names), [list(place) for place in places], pictures[0])


def _check(names: Any, places: Any, pictures: Any) -> None:
    for value in (names, places, pictures):
        if not isinstance(value, list):
            raise DataError(f"key 'objects' holds {value!r} where a list is expected")
    if not all(isinstance(name, str) and not has_marks(name) for name in names):
        raise DataError(f"key 'ref' of objects is {names!r}, expected names")
    for place in places:
        place = place if isinstance(place, list) else [place]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in place)
        if len(place) not in (2, 4) or not numbers:
            raise DataError(f"key 'bbox' of objects holds {place!r}, expected two or four numbers")


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
