"""What every job on a page needs: its size as the model will see it, the question, the transform of the answer,
and the part of an answer that is worth reading."""

import re
from collections.abc import Iterator
from typing import Any

from viewfinder.engine.loop_guard import LoopGuard
from viewfinder.media.image import Picture
from viewfinder.media.resize import smart_resize
from viewfinder.media.transform import Transform
from viewfinder.messages import ChatModel, ImagePart, Reply, Sampling, user
from viewfinder.processor.processor import Processor

_PIECE = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")


def seen_size(processor: Processor, picture: Picture, max_pixels: int | None = None) -> tuple[int, int]:
    """(width, height) in which the model will see the picture."""
    settings = processor.settings
    limit = min(max_pixels or settings.max_pixels, settings.max_pixels)
    width, height = picture.size
    seen = smart_resize(height, width, settings.factor, min(settings.min_pixels, limit), limit)
    return seen[1], seen[0]


def asked(model: ChatModel, picture: Picture, prompt: str, *, max_pixels: int | None = None, **options: Any) -> Reply:
    """One question about one picture; options as in `ChatModel.chat`."""
    return model.chat([user(ImagePart(image=picture, max_pixels=max_pixels), prompt)], **options)


def transform_of(
    reply: Reply, processor: Processor, picture: Picture, max_pixels: int | None = None, index: int = 0
) -> Transform:
    """From the original to what the model saw: as the reply says, else as our own processor would have it."""
    if len(reply.media) > index:
        return Transform.from_dict(reply.media[index].transform)
    return picture.transform.then_resize(seen_size(processor, picture, max_pixels))


def worth_keeping(reply: Reply) -> tuple[str, bool]:
    """The text before the answer began to run in circles, and whether it did.

    Answers of other servers, which have no loop guard, run on to the last token allowed; they are watched
    here, word by word where tokens are not known.
    """
    if reply.finish_reason == "stop":
        return reply.text, False
    guard = LoopGuard()
    pieces = list(_pieces(reply))
    for token, text in pieces:
        report = guard.push(token, text)
        if report is not None:
            return "".join(text for _, text in pieces[: report.keep]), True
    return reply.text, reply.finish_reason == "loop"


def _pieces(reply: Reply) -> Iterator[tuple[int, str]]:
    if reply.tokens and len(reply.token_texts) >= len(reply.tokens):
        yield from zip(reply.tokens, reply.token_texts, strict=False)
        return
    ids: dict[str, int] = {}
    for piece in _PIECE.findall(reply.text):
        yield ids.setdefault(piece, len(ids)), piece


def model_sampling(model: ChatModel, sampling: Sampling | None, max_new_tokens: int) -> Sampling:
    """The sampling asked for, or the model's own with room for a long answer."""
    own: Sampling = getattr(model, "sampling", Sampling())
    return sampling or own.model_copy(update={"max_new_tokens": max(own.max_new_tokens, max_new_tokens)})
