"""What an answer of this server says about what the model saw, and the places it names."""

from collections.abc import Sequence
from typing import Any

from viewfinder.media.transform import Transform
from viewfinder.messages import MediaInfo, Reply
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.points import parse_points
from viewfinder.outputs.spans import parse_spans


def described(media: Sequence[MediaInfo], stamp: str) -> dict[str, Any]:
    """What every answer of this server says about what the model saw."""
    return {"stamp": stamp, "media": [info.model_dump(exclude_none=True, mode="json") for info in media]}


def places(reply: Reply) -> dict[str, Any]:
    """Boxes and points of an answer in pixels of the original picture, spans in seconds of the original clip.

    An answer does not say which picture it means: of several, the first is taken.
    """
    result: dict[str, Any] = {"boxes": [], "points": [], "spans": []}
    clip = next((info for info in reply.media if info.kind == "video"), None)
    picture = next((info for info in reply.media if info.kind == "image"), None)
    if picture is not None:
        transform = Transform.from_dict(picture.transform)
        result["boxes"] = [box.to_dict() for box in parse_boxes(reply.text, transform)]
        result["points"] = [point.to_dict() for point in parse_points(reply.text, transform)]
    elif clip is not None and clip.duration is not None:
        result["spans"] = [span.to_dict() for span in parse_spans(reply.text, clip.duration)]
    return result
