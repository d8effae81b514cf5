"""Absence: half of the things asked for are not there; a model that always finds something fails.

The score is the mean of two rates, found where there is one, and none where there is none (balanced accuracy), so
that neither always answering nor never answering passes.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from viewfinder.data.synth.queries import thing_label
from viewfinder.data.synth.shapes import COLOR_NAMES, SHAPE_NAMES
from viewfinder.eval.answer_format import boxes, yes_no
from viewfinder.eval.drawn import scene, suite, where_or_none, whether
from viewfinder.eval.metrics import iou
from viewfinder.eval.question import Question, Sight
from viewfinder.eval.scores import equal
from viewfinder.eval.task import Scored
from viewfinder.messages import user

EACH = 12


def _cases(seed: int) -> Iterator[Question]:
    """Present things; absent ones that share nothing, the color, or the shape with what is there."""
    rng = np.random.default_rng(seed)
    for kind in ("present", "unlike", "colour shared", "shape shared"):
        for i in range(EACH if kind == "present" else EACH // 3):
            made = scene(rng, (140, 112), things=(1, 2), thing_size=(0.25, 0.45), pairs="all")
            there = made.things[0]
            shapes = [s for s in SHAPE_NAMES if all(s != t.shape for t in made.things)]
            colors = [c for c in COLOR_NAMES if all(c != t.color for t in made.things) and c != made.background]
            shape, color = shapes[int(rng.integers(len(shapes)))], colors[int(rng.integers(len(colors)))]
            names = {"present": thing_label(there), "unlike": f"{color} {shape}"}
            names |= {"colour shared": f"{there.color} {shape}", "shape shared": f"{color} {there.shape}"}
            found = [t.box for t in made.things if thing_label(t) == names[kind]]
            yield where_or_none(f"{kind}/{i}", made.image, names[kind], found, {"kind": kind})


def located(_: Any) -> Iterator[Question]:
    return _cases(20261130)


def asked(_: Any) -> Iterator[Question]:
    for located in _cases(20261201):
        tags = located.tags
        messages = (user(*located.media, whether(tags["label"])),)
        yield Question(located.id, messages, "Yes" if tags["there"] == "yes" else "No", tags, ("Yes", "No"))


def located_right(prediction: Any, question: Question) -> float:
    """Absent: an answer without boxes. Present: a box that overlaps by a half."""
    said = [tuple(b["box"]) for b in prediction or ()]
    truth = question.truth["boxes"]
    if not truth:
        return float(prediction is not None and not said)
    return float(any(iou(b, tuple(t)) >= 0.5 for b in said for t in truth))


def balanced(scored: Sequence[Scored]) -> dict[str, float]:
    """Right where there is one, right where there is none, and their mean, percent."""
    result: dict[str, float] = {}
    for there, name in (("yes", "present"), ("no", "absent")):
        values = [s.value for s in scored if s.tags["there"] == there]
        if values:
            result[name] = 100 * sum(values) / len(values)
    return {"score": sum(result.values()) / len(result) if result else 0.0, **result}


def _guess_none(question: Question, sight: Sight, rng: random.Random) -> str:
    return boxes.guess(question, sight, rng) if rng.random() < 0.5 else "```json\n[]\n```"


boxes_or_none = replace(boxes, guess=_guess_none)
"""As `boxes`; guessing says "none" half of the time."""


TASKS = (
    suite(
        "absence",
        "Absence: locate what may not be there, balanced accuracy",
        located,
        replace(boxes_or_none, constraint=None),
        located_right,
        total=balanced,
        max_new_tokens=128,
    ),
    suite(
        "existence",
        "Absence: is it there, balanced accuracy",
        asked,
        yes_no,
        equal,
        total=balanced,
        max_new_tokens=16,
    ),
)
