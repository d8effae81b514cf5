"""Results of many files as JSONL, CSV or COCO JSON.

A result is what a job writes for one file: `file`, then `boxes`, `lines`, `points`, `spans` or plain values,
or `error`; places in pixels of the original. Knows shapes of dictionaries only, not how they came about.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

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
