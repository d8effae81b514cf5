"""`Case`: the truth of a sample as values, read from its last answer by the parsers that read a model's answers.

Places are pixels of the original picture, times seconds of the original clip. So every set of ours and every
conversation file has a truth. `Case.kind` says of what sort it is:

    boxes, points, count, click     of a picture       spans       of a clip
    json, table, page, text         of a document      choice, number    short answers
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from viewfinder.data.places import for_model, original_of
from viewfinder.data.sample import Sample
from viewfinder.media.transform import Transform
from viewfinder.messages import MediaInfo
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.counts import parse_count
from viewfinder.outputs.loose_json import find_value
from viewfinder.outputs.places import find_places
from viewfinder.outputs.points import parse_points
from viewfinder.outputs.spans import parse_spans
from viewfinder.processor.processor import Processor

_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*\s*%?\.?")
_CHOICE = re.compile(r"\(?([A-J])[).]?")
_OPTIONS = re.compile(r"^\s*\(?([A-J])[).:]", re.MULTILINE)
_EMPTY = re.compile(r"\[\s*\]")


@dataclass(frozen=True)
class Case:
    """The truth of one prompt.

    Attributes:
        truth: boxes as (corners, label), points and their reach, spans, a number, a letter, text or JSON, by kind.
        answer: the true answer in words, its places in pixels of what the model sees.
        frame: the transform of the medium that is asked about; None for text.
        duration, fps: of the first clip, 0 without one.
        question: the words of the last question.
        letters: of the options on offer.
    """

    kind: str
    truth: Any
    answer: str
    frame: Transform | None
    question: str
    duration: float = 0.0
    fps: float = 0.0
    letters: str = ""


def case_of(sample: Sample, processor: Processor, media: Sequence[MediaInfo]) -> Case:
    """The case of a sample's last answer; `media` as the processor shows them."""
    at = max(i for i, message in enumerate(sample.messages) if message.role == "assistant")
    form, stored = sample.form_of(at), sample.messages[at].text
    shown = for_model(sample, processor).messages[at].text
    medium = int(form.partition("@")[2] or 0)
    frame = Transform.from_dict(media[medium].transform) if media else None
    clip = next((info for info in media if info.kind == "video"), None)
    duration = (clip.duration or 0.0) if clip else 0.0
    fps = float(sample.truth.get("fps") or 0.0)
    if frame is not None and form:
        said, by = stored, original_of(frame)  # exact: nothing was rounded to what the model sees
    else:
        said, by = shown, frame
    kind, truth = _read(said, by, sample, clip is not None, duration, fps)
    letters = "".join(dict.fromkeys(_OPTIONS.findall(sample.question)))
    if kind == "text" and len(letters) > 1 and (match := _CHOICE.fullmatch(said.strip())):
        kind, truth = "choice", match[1]
    return Case(kind, truth, shown, frame, sample.question, duration, fps, letters)


def _read(
    said: str, frame: Transform | None, sample: Sample, is_clip: bool, duration: float, fps: float
) -> tuple[str, Any]:
    pressed = sample.truth.get("boxes") if sample.task == "action" or sample.device else None
    if pressed:
        return "click", [tuple(map(float, box)) for box in pressed]
    if is_clip and ("spans" in sample.truth or parse_spans(said, duration, fps=fps or None)):
        return "spans", [(one.start, one.end) for one in parse_spans(said, duration, fps=fps or None)]
    if said.strip().startswith("<") or "<body" in said:
        return ("table" if "<table" in said and "<body" not in said else "page"), said
    if frame is not None and not is_clip and ("```" in said or find_places(said)):
        return _placed(said, frame, sample)
    value = find_value(said) if said.strip().startswith(("{", "```")) else None
    if isinstance(value, dict):
        return "json", value
    return ("number" if _NUMBER.fullmatch(said.strip()) else "text"), said


def _placed(said: str, frame: Transform, sample: Sample) -> tuple[str, Any]:
    """Lists of places, the empty one too."""
    if (count := parse_count(said)) is not None and count.stated is not None and count.listed is not None:
        return "count", count.stated
    if boxes := parse_boxes(said, frame):
        return "boxes", [(box.xyxy, box.label or box.text or "") for box in boxes]
    if points := parse_points(said, frame):
        return "points", ([point.xy for point in points], _reach(frame))
    if says_none(said):
        return ("points", ([], _reach(frame))) if "point" in sample.question.lower() else ("boxes", [])
    value = find_value(said)
    return ("json", value) if isinstance(value, dict) else ("text", said)


def says_none(text: str) -> bool:
    """Whether an answer says by an empty list that there is nothing; words that merely hold no place do not."""
    return _EMPTY.search(text) is not None


def _reach(frame: Transform) -> float:
    """How near a point must be: 5 % of the diagonal of the original, in pixels."""
    width, height = frame.original_size
    return 0.05 * (width**2 + height**2) ** 0.5
