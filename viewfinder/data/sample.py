"""`Sample`: one training or test example, the same for every source and every stage.

Messages with their media, the exact truth in pixels of the original picture and seconds of the original
clip, and where it all came from. Pre-training, SFT and preference pairs differ only in what is filled in.

Places in the texts of a stored sample are pixels of the original; `forms` says how they are written, and
`places.for_model` rewrites them in pixels of what a given processor shows.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from viewfinder.media.image import Picture
from viewfinder.messages import ImagePart, Message, TextPart, VideoPart

SCHEMA_VERSION = 1

FormatName = str
"""How places stand in a text: "" (none), "boxes", "points", "points xml", "plain boxes", "html", "action", "inline" or
"marked" (people's own spellings, `place_marks`); "boxes@1" means the second medium of the conversation (the first is
the default)."""


@dataclass(frozen=True)
class Sample:
    """A conversation with its truth.

    Attributes:
        messages: ends with an assistant turn; every assistant turn is trained on that is not marked otherwise.
        task: what it teaches, such as "locate".
        truth: the answer as values rather than words (boxes, text, number), for measuring.
        language: of the conversation, ISO 639-1.
        domain: "synthetic", or the kind of source.
        license: of the media.
        seed: what makes the sample again, for generated ones.
        lineage: source and operators with their versions, first to last.
        id: unique in its set; "" until it is written.
        forms: how places are written in each message; shorter than `messages` means none in the rest.
        device: the screen's kind where actions are answered: its function is offered as a tool.
        rejected: of a preference pair, the worse last turn, with the same form as the better one.
        tags: what filters found out, such as "Coding/Code_Generation".
        scores: what filters measured, 0 to 1, by name.
        tokens: of the whole conversation in the language model, where it was measured (see `stamp`).
        stamp: of the settings that `tokens` was measured with.
    """

    messages: tuple[Message, ...]
    task: str
    truth: dict[str, Any] = field(default_factory=dict)
    language: str = "en"
    domain: str = "synthetic"
    license: str = "Apache-2.0"
    seed: tuple[int, ...] = ()
    lineage: tuple[str, ...] = ()
    id: str = ""
    forms: tuple[FormatName, ...] = ()
    device: Literal["mobile", "computer"] | None = None
    rejected: Message | None = None
    tags: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    tokens: int | None = None
    stamp: str = ""

    @property
    def media(self) -> tuple[ImagePart | VideoPart, ...]:
        """Pictures and clips in order of appearance."""
        return tuple([p for message in self.messages for p in message.parts if isinstance(p, (ImagePart, VideoPart))])

    @property
    def question(self) -> str:
        """The words of the last user turn."""
        return next((m.text for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def answer(self) -> str:
        """The words of the last assistant turn."""
        return next((m.text for m in reversed(self.messages) if m.role == "assistant"), "")

    def form_of(self, index: int) -> FormatName:
        """How places are written in `messages[index]`."""
        return self.forms[index] if index < len(self.forms) else ""


def say(role: str, *parts: Any) -> Message:
    """A message of one role; strings become text parts, pictures (PIL, `Picture`) image parts."""
    made: list[Any] = []
    for part in parts:
        if isinstance(part, str):
            part = TextPart(text=part)
        elif isinstance(part, Picture) or hasattr(part, "getbbox"):
            part = ImagePart(image=part)
        made.append(part)
    return Message(role=role, parts=tuple(made))
