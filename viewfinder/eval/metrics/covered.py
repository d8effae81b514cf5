"""VCR's match: the stretch of an answer, as many words long as the covered text, that is most like it."""

import re
from difflib import SequenceMatcher
from typing import NamedTuple

_REFUSALS = ("I can't", "I cannot", "无法", "抱歉")


class Match(NamedTuple):
    """Whether the best stretch equals the covered text, and the Jaccard overlap of their words."""

    exact: float
    jaccard: float
    text: str


def split_words(text: str) -> list[str]:
    """Words and punctuation marks: `"a cat's, paw"` is a, cat, 's, ",", paw; Chinese by characters."""
    return re.findall(r"[\u4e00-\u9fff]|'\w+|\w+|[^\w\s]", text)


def best_match(covered: str, answer: str) -> Match:
    """The best stretch by difflib's ratio among those that share a word; a refusal matches nothing."""
    if any(word in answer for word in _REFUSALS) or "sorry" in answer.lower():
        return Match(0.0, 0.0, "")
    needle, hay = split_words(covered), split_words(answer)
    wanted, best, best_ratio = set(needle), (), 0.0
    for i in range(len(hay) - len(needle) + 1):
        stretch = tuple(hay[i : i + len(needle)])
        if wanted.isdisjoint(stretch):
            continue
        ratio = SequenceMatcher(None, " ".join(stretch), covered).ratio()
        if ratio > best_ratio:
            best, best_ratio = stretch, ratio
    if not best:
        return Match(0.0, 0.0, "")
    overlap = len(set(best) & wanted) / len(set(best) | wanted)
    return Match(float(list(best) == needle), overlap, " ".join(best))
