"""Places and times: IoU of boxes and spans, box F1, clicks inside boxes.

Boxes are (x1, y1, x2, y2) and points (x, y), both sides in one pixel frame: that of the original picture.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from viewfinder.eval.metrics.assignment import assign
from viewfinder.outputs.place import Corners


def iou(a: Corners, b: Corners) -> float:
    """Intersection over union of two boxes, 0..1; 0 where neither has an area.

    `iou((0, 0, 2, 2), (1, 0, 3, 2)) == 2 / 6`.
    """
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    union = _area(a) + _area(b) - shared
    return shared / union if union > 0 else 0.0


def _area(box: Corners) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def box_accuracy(predicted: Corners | None, truth: Corners, threshold: float = 0.5) -> float:
    """1 where the one predicted box overlaps the true one by at least `threshold` (RefCOCO)."""
    return float(predicted is not None and iou(predicted, truth) >= threshold)


def temporal_iou(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Intersection over union of two stretches of time in seconds (Charades-STA averages it, no threshold)."""
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    union = max(0.0, a[1] - a[0]) + max(0.0, b[1] - b[0]) - shared
    return shared / union if union > 0 else 0.0


def point_in_box(point: tuple[float, float] | None, box: Corners) -> float:
    """1 where a click lands in the target, its edge included (ScreenSpot, Android Control)."""
    return float(point is not None and box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3])


class F1(NamedTuple):
    """Hits, false alarms and misses add up over pages; the rates follow."""

    hits: int
    false_alarms: int
    misses: int

    @property
    def precision(self) -> float:
        found = self.hits + self.false_alarms
        return self.hits / found if found else 1.0

    @property
    def recall(self) -> float:
        wanted = self.hits + self.misses
        return self.hits / wanted if wanted else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean; 1 where there was nothing to find and nothing was found."""
        total = 2 * self.hits + self.false_alarms + self.misses
        return 2 * self.hits / total if total else 1.0

    def plus(self, other: "F1") -> "F1":
        return F1(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def box_f1(
    predicted: Sequence[tuple[Corners, str]], truth: Sequence[tuple[Corners, str]], threshold: float = 0.5
) -> F1:
    """Boxes with labels, matched one to one so that as many as possible overlap by `threshold` with equal labels
    (compared without regard to case)."""
    hits = np.array(
        [
            [label.lower() == gold_label.lower() and iou(box, gold) >= threshold for gold, gold_label in truth]
            for box, label in predicted
        ],
        dtype=np.float64,
    ).reshape(len(predicted), len(truth))
    matched = sum(int(hits[i, j]) for i, j in assign(-hits))
    return F1(matched, len(predicted) - matched, len(truth) - matched)


Placed = tuple[str, str, tuple[float, ...]]
"""Picture, category, and box x1, y1, x2, y2."""


def coco_map(
    truth: Sequence[Placed], predicted: Sequence[Placed], scores: Sequence[float] | None = None
) -> dict[str, float]:
    """mAP@[.5:.95], AP50 and AP75, 0..1, over the categories that the truth has; equal scores when None.

    With equal scores boxes count in the order given (COCO sorts stably), at most 100 a picture and category.
    """
    from faster_coco_eval import COCO, COCOeval_faster  # compiled, and needed for detection only

    if not truth:
        return {"mAP": 0.0, "mAP50": 0.0, "mAP75": 0.0}
    images = {name: i for i, name in enumerate(dict.fromkeys(p[0] for p in [*truth, *predicted]), 1)}
    categories = {name: i for i, name in enumerate(dict.fromkeys(p[1] for p in truth), 1)}
    known = [(p, s) for p, s in zip(predicted, scores or [1.0] * len(predicted), strict=True) if p[1] in categories]
    with contextlib.redirect_stdout(io.StringIO()):
        gold = COCO(
            {
                "images": [{"id": i, "file_name": name} for name, i in images.items()],
                "categories": [{"id": i, "name": name} for name, i in categories.items()],
                "annotations": [
                    {"id": n, "iscrowd": 0, **_annotation(p, images, categories)} for n, p in enumerate(truth, 1)
                ],
            }
        )
        if not known:
            return {"mAP": 0.0, "mAP50": 0.0, "mAP75": 0.0}
        said = gold.loadRes([{"score": s, **_annotation(p, images, categories)} for p, s in known])
        evaluation = COCOeval_faster(gold, said, "bbox")
        evaluation.run()
    stats = [max(0.0, float(v)) for v in evaluation.stats[:3]]
    return dict(zip(("mAP", "mAP50", "mAP75"), stats, strict=True))


def _annotation(placed: Placed, images: dict[str, int], categories: dict[str, int]) -> dict[str, Any]:
    x1, y1, x2, y2 = placed[2]
    box = [x1, y1, x2 - x1, y2 - y1]
    return {"image_id": images[placed[0]], "category_id": categories[placed[1]], "bbox": box, "area": box[2] * box[3]}
