"""Short answers against accepted ones: ANLS, relaxed accuracy, containment, exact count.

Definitions as in the benchmarks' own evaluators (DocVQA, ChartQA, OCRBench, CountBench).
"""

import re
from collections.abc import Sequence

from viewfinder.eval.metrics.edit_distance import edit_distance
from viewfinder.outputs.counts import parse_count


def anls(prediction: str, answers: Sequence[str], threshold: float = 0.5) -> float:
    """Average normalised Levenshtein similarity of one question (DocVQA, InfoVQA): the best over `answers`,
    and 0 where that is below `threshold`.

    Both sides are lower-cased and their spaces collapsed; the lengths are those of the raw strings.

    `anls("Hello word", ["hello world"]) == 1 - 1 / 11`.
    """
    best = max((1 - _normalized(prediction, answer) for answer in answers), default=0.0)
    return best if best >= threshold else 0.0


def _normalized(prediction: str, answer: str) -> float:
    longer = max(len(prediction), len(answer))
    return edit_distance(_collapsed(prediction), _collapsed(answer)) / longer if longer else 0.0


def _collapsed(text: str) -> str:
    return " ".join(text.lower().split())


def relaxed_accuracy(prediction: str, answers: Sequence[str], tolerance: float = 0.05) -> float:
    """1 where the prediction is within `tolerance` of a numeric answer, or equals one but for case (ChartQA).

    `12%` is 0.12. A gold value of zero must be met to the letter, as in the published code.
    """
    return float(any(_relaxed(prediction.strip(), answer, tolerance) for answer in answers))


def _relaxed(prediction: str, answer: str, tolerance: float) -> bool:
    value, gold = _to_float(prediction), _to_float(answer)
    if value is not None and gold:
        return abs(value - gold) / abs(gold) <= tolerance
    return prediction.lower() == answer.lower()


def _to_float(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def contains_answer(prediction: str, answers: Sequence[str], formula: bool = False) -> float:
    """1 where an answer stands somewhere in the prediction (OCRBench): without regard to case and line ends;
    for formulas with all spaces removed and case kept."""
    if formula:
        text = re.sub(r"\s", "", prediction)
        return float(any(re.sub(r"\s", "", answer) in text for answer in answers))
    text = prediction.lower().strip().replace("\n", " ")
    return float(any(answer.lower().strip().replace("\n", " ") in text for answer in answers))


def exact_count(prediction: str, count: int) -> float:
    """1 where the answer states, or else lists, exactly `count` things (CountBench)."""
    said = parse_count(prediction)
    return float(said is not None and said.value == count)
