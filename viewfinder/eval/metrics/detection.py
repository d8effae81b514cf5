"""COCO mean average precision, through faster-coco-eval."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

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
