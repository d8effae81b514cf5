"""A model that is shown nothing: every picture and frame is replaced by a blank one of the same size.

What it still gets right can be guessed from the question, so it stands beside a score as its floor.
"""

from collections.abc import Iterator, Sequence
from typing import Unpack

from PIL import Image

from viewfinder.media.image import load_image
from viewfinder.media.video import load_video
from viewfinder.messages import ChatModel, ChatOptions, ImagePart, Message, Part, Reply, VideoPart

GREY = (127, 127, 127)
_CHOICE = ("fps", "nframes", "min_frames", "max_frames", "video_start", "video_end")
"""What decides which frames of a file are seen; a list of frames is seen whole."""


class Blindfold:
    """`model`, blindfolded. It is a `ChatModel`; sizes, times and lengths stay as they are."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model

    def chat(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Reply:
        return self.model.chat(blanked(messages), **options)

    def stream(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Iterator[str | Reply]:
        return self.model.stream(blanked(messages), **options)


def blanked(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Messages whose pictures and frames are grey."""
    return tuple(m.model_copy(update={"parts": tuple(map(_blank, m.parts))}) for m in messages)


def _blank(part: Part) -> Part:
    if isinstance(part, ImagePart):
        return part.model_copy(update={"image": Image.new("RGB", load_image(part.image).size, GREY)})
    if not isinstance(part, VideoPart):
        return part
    if isinstance(part.video, list):
        return part.model_copy(update={"video": [Image.new("RGB", frame.size, GREY) for frame in part.video]})
    chosen = {name: getattr(part, name) for name in _CHOICE if getattr(part, name) is not None}
    clip = load_video(part.video, min_pixels=28 * 28, max_pixels=28 * 28, **chosen)
    frames = [Image.new("RGB", clip.transform.original_size, GREY)] * len(clip.frames)
    return part.model_copy(update={"video": frames, "frame_times": tuple(clip.times), **dict.fromkeys(_CHOICE)})
