"""Boxes and points of one picture in the shapes of other tools: COCO, YOLO, Label Studio, supervision."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from viewfinder.outputs.boxes import Box
from viewfinder.outputs.export import coco_from_results
from viewfinder.outputs.points import Point

Size = tuple[int, int]
"""Width and height of the original picture in pixels."""


def to_coco(places: Sequence[Box | Point], size: Size, file: str = "picture") -> dict[str, Any]:
    """A COCO document of one picture; points are single keypoints."""
    import json

    rows: dict[str, Any] = {"file": file, "media": [{"original_size": list(size)}]}
    rows["boxes"] = [place.to_dict() for place in places if isinstance(place, Box)]
    rows["points"] = [place.to_dict() for place in places if isinstance(place, Point)]
    return dict(json.loads(coco_from_results([rows])))


def to_yolo(boxes: Sequence[Box], size: Size, names: Sequence[str]) -> str:
    """Lines `class x y width height` of centers and sides as shares of the picture; `names` gives the classes.

    A box of 10, 10, 30, 50 in 100x100, the first class: `0 0.200000 0.300000 0.200000 0.400000`.
    """
    lines: list[str] = []
    for box in boxes:
        x, y = box.center
        shares = (x / size[0], y / size[1], (box.x2 - box.x1) / size[0], (box.y2 - box.y1) / size[1])
        lines.append(" ".join([str(list(names).index(box.label)), *(f"{share:.6f}" for share in shares)]))
    return "".join(f"{line}\n" for line in lines)


def to_label_studio(places: Sequence[Box | Point], size: Size, image: str) -> dict[str, Any]:
    """A task with one prediction, for a labelling set-up of `RectangleLabels` and `KeyPointLabels` named `label`.

    Label Studio counts in percent of the picture. `image` is the address under which it finds the picture.
    """
    results: list[dict[str, Any]] = []
    for place in places:
        kind = "rectanglelabels" if isinstance(place, Box) else "keypointlabels"
        corner = (place.x1, place.y1) if isinstance(place, Box) else place.xy
        value: dict[str, Any] = {"x": 100 * corner[0] / size[0], "y": 100 * corner[1] / size[1], kind: [place.label]}
        if isinstance(place, Box):
            sides = {"width": (place.x2 - place.x1) / size[0], "height": (place.y2 - place.y1) / size[1]}
            value |= {name: 100 * share for name, share in sides.items()} | {"rotation": 0}
        else:
            value["width"] = 0.5
        one = {"from_name": "label", "to_name": "image", "type": kind, "value": value}
        one |= {"original_width": size[0], "original_height": size[1]}
        results.append(one if place.confidence is None else {**one, "score": place.confidence})
    return {"data": {"image": image}, "predictions": [{"model_version": "viewfinder", "result": results}]}


def to_supervision(boxes: Sequence[Box], names: Sequence[str]) -> Any:
    """`supervision.Detections`, whose package must be installed."""
    import numpy as np

    supervision: Any = import_module("supervision")
    return supervision.Detections(
        xyxy=np.array([box.xyxy for box in boxes], dtype=np.float32).reshape(-1, 4),
        confidence=np.array([1.0 if box.confidence is None else box.confidence for box in boxes], dtype=np.float32),
        class_id=np.array([list(names).index(box.label) for box in boxes], dtype=int),
        data={"class_name": np.array([box.label for box in boxes])},
    )
