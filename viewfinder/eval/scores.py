"""What several tasks count as right: a prediction of a form and the question to 0..1; None is never right."""

from collections.abc import Sequence
from typing import Any

from viewfinder.eval.metrics import box_accuracy, character_error_rate, iou, point_in_box, temporal_iou
from viewfinder.eval.question import Question
from viewfinder.eval.task import Scored, Total


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


def by_tag(scored: Sequence[Scored], tag: str) -> dict[str, list[float]]:
    """The values of each value of a tag, in order of first occurrence."""
    groups: dict[str, list[float]] = {}
    for s in scored:
        groups.setdefault(s.tags[tag], []).append(s.value)
    return groups


def mean(values: Sequence[float]) -> float:
    """0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def mean_over(tag: str, shown: bool = True) -> Total:
    """The mean of the accuracies of a tag's values, whatever their sizes, percent; with each of them where `shown`."""

    def total(scored: Sequence[Scored]) -> dict[str, float]:
        means = {name: 100 * mean(values) for name, values in by_tag(scored, tag).items()}
        return {"score": mean(list(means.values())), **(dict(sorted(means.items())) if shown else {})}

    return total


def all_right(scored: Sequence[Scored], tag: str) -> float:
    """The share of a tag's values whose every question is right, percent."""
    return 100 * mean([min(values) for values in by_tag(scored, tag).values()])


def circular(scored: Sequence[Scored]) -> dict[str, float]:
    """MMBench: questions right in all rotations of their options, and plain accuracy over all requests, percent."""
    return {"score": all_right(scored, "row"), "vanilla": 100 * mean([s.value for s in scored])}


def hallusion(scored: Sequence[Scored]) -> dict[str, float]:
    """HallusionBench: accuracy of answers, of figures, of questions asked of several figures, and their mean, percent.

    As VLMEvalKit's `Hallusion_rating` groups them.
    """
    if not scored:
        return {"score": 0.0}
    answers = 100 * mean([s.value for s in scored])
    figures, asked = all_right(scored, "figure"), all_right(scored, "asked")
    return {"score": (answers + figures + asked) / 3, "aAcc": answers, "fAcc": figures, "qAcc": asked}


def thousand(scored: Sequence[Scored]) -> dict[str, float]:
    """OCRBench: points of a thousand; of another number of questions, as many per thousand."""
    right = sum(s.value for s in scored)
    return {"score": 1000 * right / len(scored) if scored else 0.0, "right": right}
