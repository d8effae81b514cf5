"""What is asked, what was seen, and what came back: the three values every task speaks.

A `Question` carries its truth in a JSON-ready form. A `Sight` says how the model saw the pictures, so that places
can be read in pixels of the original whichever engine answered: from the reply, or else by the official sizes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from viewfinder.media.image import load_image
from viewfinder.media.resize import model_size
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, MediaInfo, Message, Reply, VideoPart

FACTOR = 28
"""Pixels on a side of one token."""
OFFICIAL_MIN_PIXELS, OFFICIAL_MAX_PIXELS = 4 * FACTOR**2, 16384 * FACTOR**2


@dataclass(frozen=True)
class Question:
    """One request.

    Attributes:
        id: unique within its task.
        messages: what is sent.
        truth: JSON-ready; its shape belongs to the task's form and score.
        tags: by what scores are broken down (`split`, `category`), and what totals group by.
        choices: the answers offered, as the model is to say them; what a guesser draws from.
        options: what stands behind the letters of `choices`, to know an answer by its words.
        tools: functions offered to the model, in OpenAI's form.
    """

    id: str
    messages: tuple[Message, ...]
    truth: Any
    tags: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()

    @property
    def media(self) -> tuple[ImagePart | VideoPart, ...]:
        """Pictures and clips, in order."""
        return tuple(p for m in self.messages for p in m.parts if isinstance(p, ImagePart | VideoPart))


@dataclass(frozen=True)
class Sight:
    """How the model saw each medium: `transforms` from the original, `durations` in seconds (None for pictures)."""

    transforms: tuple[Transform, ...] = ()
    durations: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class ModelAnswer:
    """A reply, with how its places are to be read."""

    reply: Reply
    sight: Sight

    @property
    def text(self) -> str:
        return self.reply.text


def sight_of(question: Question, reply: Reply | None = None) -> Sight:
    """What the reply says it saw; where an engine does not say, the official sizes for the question's budgets."""
    if reply is not None and reply.media:
        return sight_from(reply.media)
    transforms, durations = [], []
    for part in question.media:
        if isinstance(part, ImagePart):
            transforms.append(expected_transform(part))
            durations.append(None)
        else:
            transforms.append(Transform.identity((FACTOR, FACTOR)))  # places are asked of pictures only
            durations.append(question.truth.get("duration") if isinstance(question.truth, dict) else None)
    return Sight(tuple(transforms), tuple(durations))


def sight_from(seen: Sequence[MediaInfo]) -> Sight:
    """What an engine, or a processor beforehand, says of the media."""
    return Sight(tuple(Transform.from_dict(info.transform) for info in seen), tuple(info.duration for info in seen))


def expected_transform(part: ImagePart) -> Transform:
    """The transform that the official processor has for a picture."""
    size = load_image(part.image).size
    budget = {
        "min_pixels": part.min_pixels or OFFICIAL_MIN_PIXELS,
        "max_pixels": part.max_pixels or OFFICIAL_MAX_PIXELS,
        "resized_height": part.resized_height,
        "resized_width": part.resized_width,
    }
    return Transform.identity(size).then_resize(model_size(size, factor=FACTOR, **budget))
