"""Results of many files as JSONL, CSV or COCO JSON.

A result is what a job writes for one file: `file`, then `boxes`, `lines`, `points`, `spans` or plain values,
or `error`; places in pixels of the original. Knows shapes of dictionaries only, not how they came about.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from viewfinder.outputs.boxes import Box
from viewfinder.outputs.points import Point

Result = dict[str, Any]

_COLUMNS = (
    *("file", "index", "label", "text", "x1", "y1", "x2", "y2", "x", "y", "start", "end", "count"),
    *("confidence", "verified", "clamped", "error"),
)
_LISTS = ("boxes", "lines", "points", "spans")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def jsonl_from_results(results: Iterable[Result]) -> str:
    """One JSON document per line and file."""
    return "".join(json.dumps(result, ensure_ascii=False) + "\n" for result in results)


def csv_from_results(results: Iterable[Result]) -> str:
    """One row per box, line, point or span; one row for a file that has none of them (or failed).

    Columns that nothing fills are left out. A text that a spreadsheet would run as a formula gets a quote
    before it.
    """
    rows = [row for result in results for row in _rows(result)]
    columns = [name for name in _COLUMNS if name == "file" or any(name in row for row in rows)]
    sink = io.StringIO()
    writer = csv.DictWriter(sink, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue()


def _rows(result: Result) -> list[Result]:
    shared = {key: _cell(result[key]) for key in ("file", "text", "count", "error") if result.get(key) is not None}
    if any(key in result for key in _LISTS):
        shared.pop("text", None)  # the model's whole words, from which the lists were read
    items = _items(result, _LISTS)
    if not items:
        return [shared]
    return [{**shared, "index": i, **_columns(item)} for i, item in enumerate(items)]


def _columns(item: Result) -> Result:
    row: Result = {key: _cell(item[key]) for key in _COLUMNS if item.get(key) is not None}
    for key, names in (("box", ("x1", "y1", "x2", "y2")), ("point", ("x", "y"))):
        row.update(zip(names, item.get(key) or (), strict=False))
    return row


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def coco_from_results(results: Sequence[Result]) -> str:
    """COCO JSON: images, categories by label, annotations with `bbox` [x, y, width, height] and `score`.

    Points become single keypoints. Failed files are listed under `errors`, which readers of COCO ignore.
    """
    names = sorted({item.get("label", "") for result in results for item in _placed(result)})
    categories: dict[str, int] = {name: i for i, name in enumerate(names, 1)}
    images: list[Result] = []
    annotations: list[Result] = []
    for image_id, result in enumerate((r for r in results if "error" not in r), 1):
        width, height = _size(result)
        images.append({"id": image_id, "file_name": result["file"], "width": width, "height": height})
        for item in _placed(result):
            label = categories[item.get("label", "")]
            annotations.append({"id": len(annotations) + 1, "image_id": image_id, "category_id": label, **_place(item)})
    document: Result = {
        "images": images,
        "categories": [{"id": i, "name": name, "supercategory": ""} for name, i in categories.items()],
        "annotations": annotations,
        "errors": [{"file_name": r["file"], "error": r["error"]} for r in results if "error" in r],
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _placed(result: Result) -> list[Result]:
    return _items(result, ("boxes", "lines", "points"))


def _items(result: Result, keys: Sequence[str]) -> list[Result]:
    items: list[Result] = []
    for key in keys:
        items += result.get(key) or []
    return items


def _size(result: Result) -> tuple[int, int]:
    media: Sequence[Result] = result.get("media") or ()
    width, height = media[0]["original_size"] if media else (0, 0)
    return int(width), int(height)


def _place(item: Result) -> Result:
    if "point" in item:
        x, y = item["point"]
        place: Result = {"keypoints": [x, y, 2], "num_keypoints": 1, "bbox": [x, y, 0, 0], "area": 0}
    else:
        x1, y1, x2, y2 = item["box"]
        place = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
    score = {} if item.get("confidence") is None else {"score": item["confidence"]}
    words = {} if item.get("text") is None else {"text": item["text"]}
    return {**place, "iscrowd": 0, **score, **words}


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
