"""What the jobs give back: lists and strings that also carry how they came about."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, MediaInfo, Reply

T = TypeVar("T")


class Found(list[T], Generic[T]):
    """A list of boxes, points or spans, with the `reply` they were read from."""

    def __init__(self, items: Iterable[T], reply: Reply) -> None:
        super().__init__(items)
        self.reply = reply

    @property
    def media(self) -> tuple[MediaInfo, ...]:
        """What the model saw: sizes, budgets and times."""
        return self.reply.media

    @property
    def complete(self) -> bool:
        """False when the answer was cut: it ran out of tokens or in a loop."""
        return self.reply.finish_reason == "stop"


class Answer(str):
    """Text, with the `reply` it is from and a `confidence` (0..1, None when unknown)."""

    reply: Reply
    confidence: float | None

    def __new__(cls, text: str, reply: Reply, confidence: float | None = None) -> "Answer":
        answer = super().__new__(cls, text)
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
