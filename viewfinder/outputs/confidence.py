"""How sure a model was of a part of its answer, from the probabilities of the tokens that say it.

A value is the geometric mean over the tokens that carry digits or letters of that part: brackets and keys
are near certain whatever the picture shows, and would hide doubt.
"""

import math
import re

from viewfinder.messages import Reply

_TAG = re.compile(r"<[^<>]*>|```\w*")


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
