"""What the jobs give back, and how sure the model was: lists and strings with the `Reply` they are read from.

A confidence is the geometric mean over the tokens that carry digits or letters of a part of the answer: brackets and
keys are near certain whatever the picture shows, and would hide doubt.
"""

import base64
import html
import io
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from PIL import Image

from viewfinder.errors import MediaError
from viewfinder.media.image import Picture
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, MediaInfo, Reply
from viewfinder.outputs.written import to_frame

_TAG = re.compile(r"<[^<>]*>|```\w*")
T = TypeVar("T")


class Found(list[T], Generic[T]):
    """A list of boxes, points or spans, with the `reply` they were read from."""

    def __init__(self, items: Iterable[T], reply: Reply, picture: Picture | None = None) -> None:
        super().__init__(items)
        self.reply = reply
        self.picture = picture
        """What was looked at, where it is known: with it a notebook draws the result."""

    @property
    def media(self) -> tuple[MediaInfo, ...]:
        """What the model saw: sizes, budgets and times."""
        return self.reply.media

    @property
    def complete(self) -> bool:
        """False when the answer was cut: it ran out of tokens or in a loop."""
        return self.reply.finish_reason == "stop"

    @property
    def labels(self) -> list[str]:
        """Every label once, in order of appearance."""
        return list(dict.fromkeys(str(getattr(item, "label", "")) for item in self))

    def draw(self) -> Image.Image:
        """The picture with these places on it; raises `MediaError` where the picture is not known."""
        from viewfinder.outputs.draw import draw

        if self.picture is None:
            raise MediaError("this result does not hold its picture; draw with viewfinder.outputs.draw.draw")
        return draw(self.picture, self)  # type: ignore[arg-type]

    def to_coco(self, file: str = "picture") -> dict[str, Any]:
        """A COCO document of one picture."""
        return labels_export().to_coco(self, self._size(), file)

    def to_yolo(self, names: Sequence[str] | None = None) -> str:
        """YOLO's lines; classes by `names`, else by `labels`."""
        return labels_export().to_yolo(self, self._size(), self.labels if names is None else names)

    def to_label_studio(self, image: str) -> dict[str, Any]:
        """A task for Label Studio with these places as its prediction; `image` is where it finds the picture."""
        return labels_export().to_label_studio(self, self._size(), image)

    def to_supervision(self, names: Sequence[str] | None = None) -> Any:
        """`supervision.Detections`; classes by `names`, else by `labels`."""
        return labels_export().to_supervision(self, self.labels if names is None else names)

    def to_pandas(self) -> Any:
        """A DataFrame with a row for each; pandas must be installed."""
        return to_frame(self)

    def _size(self) -> tuple[int, int]:
        if not self.media:
            raise MediaError("this result does not say how large its picture was; give sizes to viewfinder.outputs")
        width, height = self.media[0].original_size
        return width, height

    def _repr_png_(self) -> bytes | None:
        if self.picture is None:
            return None
        sink = io.BytesIO()
        self.draw().save(sink, "PNG")
        return sink.getvalue()

    def _repr_html_(self) -> str:
        png = self._repr_png_()
        image = "" if png is None else f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        rows = "".join(f"<li>{html.escape(str(item))}</li>" for item in self)
        return f"{image}<ol>{rows}</ol>" if self else f"{image}<p>nothing found</p>"


def labels_export() -> Any:
    """Imported when asked for, since it imports the places that results are made of."""
    from viewfinder.outputs import export as exports

    return exports


class Answer(str):
    """Text, with the `reply` it is from, a `confidence` (0..1, None when unknown), and in `about` what a fine-tune says
    of a page beside its text (`outputs.families`)."""

    reply: Reply
    confidence: float | None
    about: dict[str, Any]

    def __new__(
        cls, text: str, reply: Reply, confidence: float | None = None, about: dict[str, Any] | None = None
    ) -> "Answer":
        answer = super().__new__(cls, text)
        answer.about = about or {}
        answer.reply = reply
        answer.confidence = confidence
        return answer


def transform_of(reply: Reply, part: ImagePart, index: int = 0) -> Transform:
    """From the original to what the model saw, of a picture that `Processor.fit` made ready; as the reply says where
    another engine saw it in another size."""
    told = reply.media[index] if len(reply.media) > index else None
    if told is None or told.resized_size == part.image.size:
        return part.image.transform
    return Transform.from_dict(told.transform)


def provenance(reply: Reply) -> dict[str, Any]:
    """JSON-ready account of a reply: the model's words, what it saw, tokens, stamp."""
    return {
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "media": [info.model_dump(exclude_none=True) for info in reply.media],
        "usage": reply.usage.model_dump(),
        "stamp": reply.stamp,
    }


def confidence(reply: Reply, start: int = 0, end: int | None = None) -> float | None:
    """Confidence, 0..1, of characters `start:end` of the reply's text; None where no probabilities are known.

    With tokens `{"bbox` `_2d": [` `1` `0` `]` of log probabilities 0, 0, -0.1, -0.3, 0, characters of the
    whole answer give exp(-0.2) when only the digits count.
    """
    end = len(reply.text) if end is None else end
    inside: list[float] = []
    numbers: list[float] = []
    at = 0
    for piece, logprob in zip(reply.token_texts, reply.logprobs, strict=False):
        if at < end and at + len(piece) > start:
            inside.append(logprob)
            if any(character.isdigit() for character in piece):
                numbers.append(logprob)
        at += len(piece)
    chosen = numbers or inside
    return math.exp(sum(chosen) / len(chosen)) if chosen else None


def words_confidence(reply: Reply) -> float | None:
    """Confidence, 0..1, of the words of an answer in HTML: tags and their numbers do not count.

    With tokens `<p>` `Total` `</p>` of log probabilities -1, -0.2, 0 it is exp(-0.2).
    """
    outside = [True] * len(reply.text)
    for tag in _TAG.finditer(reply.text):
        outside[tag.start() : tag.end()] = [False] * (tag.end() - tag.start())
    inside: list[float] = []
    at = 0
    for piece, logprob in zip(reply.token_texts, reply.logprobs, strict=False):
        said = (i for i in range(at, min(at + len(piece), len(outside))) if outside[i])
        if any(not reply.text[i].isspace() for i in said):
            inside.append(logprob)
        at += len(piece)
    return math.exp(sum(inside) / len(inside)) if inside else None
