"""Levenshtein distance, of one pair and of all pairs of two lists, by rapidfuzz (extra `eval`)."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from viewfinder.errors import EvaluationError


def _levenshtein() -> Any:
    """rapidfuzz's distance, imported when an answer is scored with it."""
    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError as error:
        raise EvaluationError(
            "rapidfuzz is not installed, so edit distances cannot be counted; pip install 'viewfinder[eval]'"
        ) from error
    return Levenshtein


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Fewest insertions, deletions and substitutions that turn `a` into `b` (strings or token lists).

    `edit_distance("kitten", "sitting") == 3`.
    """
    return _levenshtein().distance(a, b)


def normalized_edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """`edit_distance` over the longer length, 0..1; 0 for two empty sequences."""
    longer = max(len(a), len(b))
    return edit_distance(a, b) / longer if longer else 0.0


def edit_distances(a: Sequence[Sequence[Hashable]], b: Sequence[Sequence[Hashable]]) -> np.ndarray:
    """Distances of all pairs, (len(a), len(b)) integers."""
    distance = _levenshtein().distance
    from rapidfuzz.process import cdist

    return cdist(a, b, scorer=distance, dtype=np.int64)
