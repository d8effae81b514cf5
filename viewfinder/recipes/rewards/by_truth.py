"""Rewards against the truth, each 0 to 1, by the metrics of `eval`. One that does not apply to a case is None.

Each looks at precision as well as recall, so that known hacks lose: an empty list where there is something, a flood of
boxes, the right answer among many, words that happen to hold no place where nothing is to be found.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from viewfinder.eval.metrics import (
    choice_letter,
    exact_count,
    field_f1,
    iou,
    normalized_edit_distance,
    point_in_box,
    teds,
    temporal_iou,
)
from viewfinder.eval.metrics.assignment import assign
from viewfinder.eval.metrics.maths import final_value, maths_equal
from viewfinder.eval.metrics.pages import page_edit_distance, page_elements
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import format_boxes, parse_boxes
from viewfinder.outputs.counts import parse_count
from viewfinder.outputs.loose_json import find_value
from viewfinder.outputs.places import find_places
from viewfinder.outputs.points import format_points, parse_points
from viewfinder.outputs.spans import NONE_SENTENCE, parse_spans
from viewfinder.recipes.rewards.cases import Case, says_none

TruthReward = Callable[[str, Case], float | None]


def soft_f1(overlaps: np.ndarray) -> float:
    """2 x (overlaps of the best one-to-one matching) / (predicted + true), for (predicted, true) overlaps.

    One true box, met with 0.9, and a second box that is none: 2 x 0.9 / 3 = 0.6.
    """
    predicted, true = overlaps.shape
    matched = sum(float(overlaps[i, j]) for i, j in assign(-overlaps)) if overlaps.size else 0.0
    return 2 * matched / (predicted + true) if predicted + true else 1.0


def boxes(text: str, case: Case) -> float | None:
    """Soft F1 of overlaps in pixels of the original; labels are not looked at. "None" is right as an empty list."""
    return _boxes(text, case, labeled=False)


def labeled_boxes(text: str, case: Case) -> float | None:
    """As `boxes`, but only boxes of equal labels (or texts) match."""
    return _boxes(text, case, labeled=True)


def _boxes(text: str, case: Case, labeled: bool) -> float | None:
    if case.kind != "boxes" or case.frame is None:
        return None
    said = [(box.xyxy, box.label or box.text or "") for box in parse_boxes(text, case.frame)]
    if not case.truth:
        return float(not said and says_none(text))

    def overlap(a: Any, b: Any) -> float:
        return iou(a[0], b[0]) if not labeled or a[1].casefold() == b[1].casefold() else 0.0

    return soft_f1(_table(said, case.truth, overlap))


def points(text: str, case: Case) -> float | None:
    """F1 of points within reach of a true one (5 % of the diagonal)."""
    if case.kind != "points" or case.frame is None:
        return None
    true, reach = case.truth
    said = [point.xy for point in parse_points(text, case.frame)]
    if not true:
        return float(not said and says_none(text))
    return soft_f1(_table(said, true, lambda a, b: float(math.dist(a, b) <= reach)))


def spans(text: str, case: Case) -> float | None:
    """Soft F1 of overlaps in seconds of the original; "none" as an empty list or the sentence of `format_moments`."""
    if case.kind != "spans":
        return None
    said = [(one.start, one.end) for one in parse_spans(text, case.duration, fps=case.fps or None)]
    if not case.truth:
        return float(not said and (says_none(text) or NONE_SENTENCE in text))
    return soft_f1(_table(said, case.truth, temporal_iou))


def count(text: str, case: Case) -> float | None:
    """The number said is right, and so is the list beside it where there is one."""
    if case.kind == "number":
        return exact_count(text, int(case.truth)) if str(case.truth).strip().isdigit() else None
    if case.kind != "count":
        return None
    said = parse_count(text)
    return float(said is not None and said.value == case.truth and said.consistent)


def click(text: str, case: Case) -> float | None:
    """The one place that is pressed lies in a true box; several places are none."""
    if case.kind != "click" or case.frame is None:
        return None
    found = find_places(text, "point")
    if len(found) != 1:
        return 0.0
    x1, y1, x2, y2 = found[0].bounds
    at = case.frame.to_original(case.frame.clamp_model(((x1 + x2) / 2, (y1 + y2) / 2)))
    return max(point_in_box(at, box) for box in case.truth)


def choice(text: str, case: Case) -> float | None:
    """The letter that is chosen; several without a last word are none."""
    return float(choice_letter(text, case.letters) == case.truth) if case.kind == "choice" else None


def number(text: str, case: Case) -> float | None:
    """The value that the answer arrives at."""
    return float(maths_equal(final_value(text), case.truth.strip().rstrip("."))) if case.kind == "number" else None


def edit(text: str, case: Case) -> float | None:
    """1 - edit distance over the longer length."""
    return 1 - normalized_edit_distance(text.strip(), case.truth.strip()) if case.kind == "text" else None


def exact(text: str, case: Case) -> float | None:
    """Equal but for case and space."""
    if case.kind not in ("text", "number", "choice"):
        return None
    return float(" ".join(text.casefold().split()) == " ".join(case.truth.casefold().split()))


def table(text: str, case: Case) -> float | None:
    """TEDS of the first table, cells of heads included; further tables are not looked at but cost as in `page`."""
    return teds(text, case.truth, heads=True) / max(1, text.count("<table")) if case.kind == "table" else None


def page(text: str, case: Case) -> float | None:
    """1 - edit distance of the page's matched elements, in their kinds; pages with boxes: times the boxes' F1."""
    if case.kind != "page":
        return None
    frame = case.frame or Transform.identity((28, 28))
    said, true = page_elements(text, frame), page_elements(case.truth, frame)
    parts = [1 - page_edit_distance(said[kind], true[kind]) for kind in true if said[kind] or true[kind]]
    words = sum(parts) / len(parts) if parts else 1.0
    placed = [box.xyxy for box in parse_boxes(case.answer, frame)]
    if not placed:
        return words
    return words * soft_f1(_table([box.xyxy for box in parse_boxes(text, frame)], placed, iou))


def fields(text: str, case: Case) -> float | None:
    """F1 of the fields of a JSON object."""
    return field_f1(find_value(text), case.truth).f1 if case.kind == "json" else None


BY_KIND: dict[str, TruthReward] = {
    "boxes": boxes,
    "points": points,
    "spans": spans,
    "count": count,
    "click": click,
    "choice": choice,
    "number": number,
    "text": edit,
    "table": table,
    "page": page,
    "json": fields,
}


def truth(text: str, case: Case) -> float | None:
    """The reward of the case's kind; boxes of several labels must bear the right ones."""
    if case.kind == "boxes" and len({label.casefold() for _, label in case.truth}) > 1:
        return labeled_boxes(text, case)
    return BY_KIND[case.kind](text, case)


def form(text: str, case: Case) -> float | None:
    """1 where the answer is written just as ours are: places that are read and written again are the same text, JSON
    is JSON; None for kinds without a form."""
    if case.kind == "json":
        return float(_is_json(text))
    if case.frame is None or case.kind not in ("boxes", "points"):
        return None
    if case.kind == "boxes":
        return float(format_boxes(parse_boxes(text, case.frame), case.frame) == text.strip())
    return float(format_points(parse_points(text, case.frame), case.frame) == text.strip())


def fluency(text: str, case: Case) -> float | None:
    """Share of distinct runs of four words: 1 without repetition, near 0 for an answer that repeats itself."""
    words = re.findall(r"\w+|[^\w\s]", text)
    runs = Counter(tuple(words[i : i + 4]) for i in range(len(words) - 3))
    return len(runs) / runs.total() if runs else 1.0


def _is_json(text: str) -> bool:
    try:
        json.loads(re.sub(r"\A```json\n|\n```\Z", "", text.strip()))
    except ValueError:
        return False
    return True


def _table(said: Sequence[Any], true: Sequence[Any], overlap: Callable[[Any, Any], float]) -> np.ndarray:
    return np.array([[overlap(a, b) for b in true] for a in said], dtype=np.float64).reshape(len(said), len(true))
