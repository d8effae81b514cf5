"""What several tasks count as right: a prediction of a form and the question to 0..1; None is never right."""

from typing import Any

from viewfinder.eval.metrics import box_accuracy, character_error_rate, iou, point_in_box, temporal_iou
from viewfinder.eval.question import Question


def equal(said: Any, question: Question) -> float:
    return float(said == question.truth)


def overlap(said: Any, question: Question) -> float:
    """IoU with the box of the truth."""
    return iou(tuple(said), tuple(question.truth)) if said else 0.0


def overlaps(said: Any, question: Question) -> float:
    """1 at an IoU of a half with the box of the truth."""
    return box_accuracy(tuple(said) if said else None, tuple(question.truth))


def inside(said: Any, question: Question) -> float:
    """1 for a point inside the first box of the truth."""
    return point_in_box(tuple(said) if said else None, tuple(question.truth["boxes"][0]))


def span_overlap(said: Any, question: Question) -> float:
    """Temporal IoU with the span of the truth."""
    return temporal_iou((said[0], said[1]), tuple(question.truth["span"])) if said else 0.0


def characters_right(said: str | None, question: Question) -> float:
    """1 - character error rate, at least 0."""
    return 1 - min(1.0, character_error_rate(said or "", question.truth))
