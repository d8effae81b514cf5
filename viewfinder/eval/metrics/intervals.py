"""How sure a score is, and whether two differ: bootstrap intervals, a paired permutation test, McNemar's test.

Seeds are arguments, so that an interval is as repeatable as its score.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """Lower and upper end; the share of resamples inside is `level`."""

    low: float
    high: float
    level: float = 0.95


def bootstrap_mean(values: Sequence[float], level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Interval:
    """Percentile interval of a mean (Efron 1979)."""
    data = np.asarray(values, float)
    if not len(data):
        return Interval(0.0, 0.0, level)
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [
            data[rng.integers(len(data), size=(min(200, resamples), len(data)))].mean(axis=1)
            for _ in range(max(1, resamples // 200))
        ]
    )
    return _percentiles(means, level)


def bootstrap_total(
    clusters: Sequence[Sequence[object]],
    total: Callable[[list[object]], float],
    level: float = 0.95,
    resamples: int = 400,
    seed: int = 0,
) -> Interval:
    """Percentile interval of any statistic: whole clusters are drawn with replacement, then `total` of all in them."""
    if not clusters:
        return Interval(0.0, 0.0, level)
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        drawn = rng.integers(len(clusters), size=len(clusters))
        values.append(total([item for i in drawn for item in clusters[i]]))
    return _percentiles(np.array(values), level)


def _percentiles(values: np.ndarray, level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)


def paired_permutation(a: Sequence[float], b: Sequence[float], resamples: int = 10000, seed: int = 0) -> float:
    """Two-sided p of "a and b are equally good": signs of the paired differences are flipped at random.

    Exact (all sign patterns) where at most 12 pairs differ. `paired_permutation([1, 1, 1], [0, 0, 0]) == 0.25`.
    """
    differences = np.asarray(a, float) - np.asarray(b, float)
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    observed = abs(differences.sum()) - 1e-12
    if len(differences) <= 12:
        patterns = (np.arange(2 ** len(differences))[:, None] >> np.arange(len(differences))) & 1
        return float((np.abs(((2 * patterns - 1) * differences).sum(axis=1)) >= observed).mean())
    rng = np.random.default_rng(seed)
    hits, done = 0, 0
    while done < resamples:
        block = min(1000, resamples - done)
        signs = 2 * rng.integers(0, 2, (block, len(differences))) - 1
        hits += int((np.abs((signs * differences).sum(axis=1)) >= observed).sum())
        done += block
    return (hits + 1) / (resamples + 1)


def mcnemar(a: Sequence[bool], b: Sequence[bool]) -> float:
    """Exact two-sided p of McNemar's test: a binomial test on the pairs in which only one is right.

    `mcnemar([True] * 5, [False] * 5) == 0.0625`.
    """
    only_a = sum(x and not y for x, y in zip(a, b, strict=True))
    only_b = sum(y and not x for x, y in zip(a, b, strict=True))
    n, k = only_a + only_b, min(only_a, only_b)
    if n == 0:
        return 1.0
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)


def expected_calibration_error(confidence: Sequence[float], right: Sequence[float], bins: int = 10) -> float:
    """Mean gap of confidence and accuracy over equal bins, weighted by their size (Guo et al. 2017), 0..1.

    Always 0.9 sure and right half of the time: 0.4.
    """
    if not confidence:
        return 0.0
    sure, hits = np.asarray(confidence, float), np.asarray(right, float)
    which = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    gaps = [abs(sure[which == b].mean() - hits[which == b].mean()) * (which == b).sum() for b in np.unique(which)]
    return float(sum(gaps) / len(sure))


def brier(confidence: Sequence[float], right: Sequence[float]) -> float:
    """Mean squared distance of confidence and outcome, 0..1; 0.25 for a coin that says 0.5."""
    if not confidence:
        return 0.0
    return float(((np.asarray(confidence, float) - np.asarray(right, float)) ** 2).mean())


def ranking(confidence: Sequence[float], right: Sequence[float]) -> float:
    """Probability that a right answer is surer than a wrong one (area under the ROC curve); 0.5 where all are alike."""
    sure, hits = np.asarray(confidence, float), np.asarray(right, float) > 0.5
    if hits.all() or not hits.any():
        return 0.5
    pairs = sure[hits][:, None] - sure[~hits][None, :]
    return float(((pairs > 0) + 0.5 * (pairs == 0)).mean())
