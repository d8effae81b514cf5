"""What every job on a page needs of an answer: the part that is worth reading, and room to write it."""

import re
from collections.abc import Iterator

from viewfinder.engine.loop_guard import LoopGuard
from viewfinder.messages import ChatModel, Reply, Sampling

_PIECE = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")


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
