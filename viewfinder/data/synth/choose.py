"""Drawing from what there is: one item, one by weight, a whole number, yes or no."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """Any item, each equally likely."""
    return items[int(rng.integers(len(items)))]


def weighted(rng: np.random.Generator, weights: Mapping[T, float]) -> T:
    """A key by its weight."""
    keys, shares = list(weights), np.array(list(weights.values()), float)
    return keys[int(rng.choice(len(keys), p=shares / shares.sum()))]


def some(rng: np.random.Generator, items: Sequence[T], count: int) -> list[T]:
    """`count` different items (all of them when there are fewer), in random order."""
    order = rng.permutation(len(items))[:count]
    return [items[int(i)] for i in order]


def number(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from `low` to `high`, both possible."""
    return int(rng.integers(low, high + 1))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with that probability."""
    return bool(rng.random() < probability)
