"""How sure a model was of a part of its answer, from the probabilities of the tokens that say it.

A value is the geometric mean over the tokens that carry digits or letters of that part: brackets and keys
are near certain whatever the picture shows, and would hide doubt.
"""

import math

from viewfinder.messages import Reply


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
