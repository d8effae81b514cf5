"""For all jobs on pages: the part of an answer that is kept, and how many tokens an answer may have."""

import re
from collections.abc import Iterator

from viewfinder.engine.loop_guard import LoopGuard
from viewfinder.messages import ChatModel, Reply, Sampling

_PIECE = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")


def worth_keeping(reply: Reply) -> tuple[str, bool]:
    """The text before the answer began to repeat itself, and whether it did.

    Other servers have no loop guard, so their answers repeat themselves up to the last token that is allowed. They
    are checked here, by words where the tokens are not known.
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
