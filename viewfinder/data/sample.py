"""`Sample`: one training or test example, the same for every source and every stage.

Messages with their media, the exact truth in pixels of the original picture and seconds of the original
clip, and where it all came from.
"""

from dataclasses import dataclass, field
from typing import Any

from viewfinder.messages import Message


@dataclass(frozen=True)
class Sample:
    """A conversation with its truth.

    Attributes:
        messages: ends with an assistant turn; every assistant turn is trained on.
        task: what it teaches, such as "locate".
        truth: the answer as values rather than words (boxes, text, number), for measuring.
        language: of the conversation, ISO 639-1.
        domain: "synthetic", or the kind of source.
        licence: of the media.
        seed: what makes the sample again, for generated ones.
        lineage: source and operators with their versions, first to last.
    """

    messages: tuple[Message, ...]
    task: str
    truth: dict[str, Any] = field(default_factory=dict)
    language: str = "en"
    domain: str = "synthetic"
    licence: str = "Apache-2.0"
    seed: tuple[int, ...] = ()
    lineage: tuple[str, ...] = ()
