"""Calibration: whether a model that is sure is right; expected calibration error in percent, lower is better.

Colors and words from clear to hard (small, blurred), so that there is something to doubt. Confidence is the
geometric mean of the answer's token probabilities; an engine that gives none counts as always sure.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import ImageFilter

from viewfinder.eval.drawn import only_ones, picture, scene, suite
from viewfinder.eval.metrics.intervals import brier, expected_calibration_error, ranking
from viewfinder.eval.question import Question
from viewfinder.eval.scores import equal
from viewfinder.eval.suites.colors import color
from viewfinder.eval.task import Scored
from viewfinder.messages import user

EACH = 12
HARDNESS = {"clear": (0.4, 0.55, 0.0), "small": (0.12, 0.2, 0.0), "blurred": (0.2, 0.35, 3.0)}


def questions(_: Any) -> Iterator[Question]:
    rng = np.random.default_rng(20261202)
    for name, (low, high, blur) in HARDNESS.items():
        for i in range(EACH):
            made = scene(rng, (140, 112), things=(1, 3), thing_size=(low, high), pairs="all")
            thing = (only_ones(made.things) or list(made.things))[0]
            if not only_ones(made.things):
                continue
            image = made.image.filter(ImageFilter.GaussianBlur(blur)) if blur else made.image
            messages = (user(picture(image), f"What color is the {thing.shape}?"),)
            yield Question(f"{name}/{i}", messages, thing.color, {"hardness": name})


def total(scored: Sequence[Scored]) -> dict[str, float]:
    """Calibration error (10 bins), Brier score, how well confidence ranks right above wrong, and accuracy."""
    sure = [1.0 if s.confidence is None else s.confidence for s in scored]
    right = [s.value for s in scored]
    return {
        "score": 100 * expected_calibration_error(sure, right),
        "brier": brier(sure, right),
        "ranking": ranking(sure, right),
        "accuracy": 100 * sum(right) / len(right) if right else 0.0,
    }


TASKS = (
    suite(
        "calibration",
        "Calibration: expected calibration error of colors (lower is better)",
        questions,
        color,
        equal,
        total=total,
        max_new_tokens=16,
        better="lower",
    ),
)
