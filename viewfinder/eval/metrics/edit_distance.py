"""Levenshtein distance, of one pair and of all pairs of two lists.

Bit-parallel (Hyyro 2003): a whole column of the table is one integer, whose bits say where it rises and
falls. A pair takes as many steps as the second sequence is long, whatever the first.

The column for "ab" (bits from the first letter up) against "b": vertical +1 steps VP = 11, matches of "b"
PM = 10; the last cell, `score`, begins at 2 and falls to 1.
"""

from collections.abc import Hashable, Sequence

import numpy as np

_WORD = 64
_CHUNK = 1 << 20


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Fewest insertions, deletions and substitutions that turn `a` into `b` (strings or token lists).

    `edit_distance("kitten", "sitting") == 3`.
    """
    if not a or not b:
        return len(a) + len(b)
    masks: dict[Hashable, int] = {}
    for i, item in enumerate(a):
        masks[item] = masks.get(item, 0) | 1 << i
    full, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    rises, falls, score = full, 0, len(a)
    for item in b:
        match = masks.get(item, 0)
        zero = (((match & rises) + rises) ^ rises) | match | falls
        up = falls | ~(zero | rises) & full
        down = rises & zero
        score += bool(up & last) - bool(down & last)
        up = (up << 1 | 1) & full
        falls = up & zero
        rises = (down << 1 | ~(zero | up)) & full
    return score


def normalized_edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> float:
    """`edit_distance` over the longer length, 0..1; 0 for two empty sequences."""
    longer = max(len(a), len(b))
    return edit_distance(a, b) / longer if longer else 0.0


def edit_distances(a: Sequence[Sequence[Hashable]], b: Sequence[Sequence[Hashable]]) -> np.ndarray:
    """Distances of all pairs, (len(a), len(b)) integers; what fits into 64 bits goes through in one array."""
    result = np.zeros((len(a), len(b)), dtype=np.int64)
    short = [i for i, items in enumerate(a) if 0 < len(items) <= _WORD]
    rest = [i for i, items in enumerate(a) if not 0 < len(items) <= _WORD]
    for i in rest:
        result[i] = [edit_distance(b[j], a[i]) for j in range(len(b))]
    step = max(1, _CHUNK // max(1, len(b)))
    for start in range(0, len(short), step):
        rows = short[start : start + step]
        result[rows] = _all_pairs([a[i] for i in rows], b)
    return result


def _all_pairs(a: Sequence[Sequence[Hashable]], b: Sequence[Sequence[Hashable]]) -> np.ndarray:
    """As `edit_distance`, each variable an array over (a, b). The longest of `b` come first, so that at each
    step those that still have an item are a prefix."""
    order = sorted(range(len(b)), key=lambda j: -len(b[j]))
    codes: dict[Hashable, int] = {}
    masks = _match_masks(a, codes)
    one = np.uint64(1)
    lengths = np.array([len(items) for items in a], dtype=np.uint64)[:, None]
    last = one << (lengths - one)
    full = last | (last - one)
    rises = np.repeat(full, len(b), axis=1)
    falls = np.zeros_like(rises)
    score = np.repeat(lengths.astype(np.int64), len(b), axis=1)
    active = len(b)
    for step in range(len(b[order[0]]) if b else 0):
        while len(b[order[active - 1]]) <= step:
            active -= 1
        match = masks[:, [codes.get(b[j][step], 0) for j in order[:active]]]
        high, low = rises[:, :active], falls[:, :active]
        zero = (((match & high) + high) ^ high) | match | low
        up = low | (~(zero | high) & full)
        down = high & zero
        score[:, :active] += (up & last != 0).astype(np.int64) - (down & last != 0)
        up = ((up << one) | one) & full
        falls[:, :active] = up & zero
        rises[:, :active] = ((down << one) | ~(zero | up)) & full
    result = np.empty_like(score)
    result[:, order] = score
    return result


def _match_masks(a: Sequence[Sequence[Hashable]], codes: dict[Hashable, int]) -> np.ndarray:
    """For each of `a` and each item code, the bits where it stands; code 0 is "nowhere in `a`". Fills `codes`."""
    for items in a:
        for item in items:
            codes.setdefault(item, len(codes) + 1)
    masks = np.zeros((len(a), len(codes) + 1), dtype=np.uint64)
    for i, items in enumerate(a):
        for place, item in enumerate(items):
            masks[i, codes[item]] |= np.uint64(1 << place)
    return masks
