"""Whether confidence means anything: calibration error, Brier score, ranking."""

from collections.abc import Sequence

import numpy as np


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
