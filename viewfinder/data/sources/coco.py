"""Boxes in COCO's format: one sample a picture, one turn for each category on it, and now and then an absent one.

    {"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [{"id": 3, "name": "car"}],
     "annotations": [{"image_id": 1, "category_id": 3, "bbox": [x, y, width, height]}]}

A category with a crowd region on a picture is not asked there, since its instances are not all marked. Where a
file states another size of the same shape, boxes are scaled; boxes of no size are left out and kept in
`truth["dropped"]`.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from viewfinder.data.sample import Sample, say
from viewfinder.data.sources.keys import read_json
from viewfinder.data.sources.row_media import picture_source
from viewfinder.data.sources.rows import RowSource, new_sample
from viewfinder.errors import DataError
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, Message
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.json_lines import read_text
from viewfinder.outputs.prompts import locate_prompt

_SLACK = 1.0


class CocoSource(RowSource):
    """An annotation file and the folder of its pictures.

    Args:
        path: of the JSON file.
        media: folder of the pictures; the file's own by default.
        absent: share of pictures that are also asked for a category that is not on them.
        most: categories asked about one picture.
        seed: of which absent category, and the order.
    """

    name = "coco"
    domain = "grounding"

    def __init__(
        self, path: str, media: str | None = None, absent: float = 0.2, most: int = 6, seed: int = 0, **about: Any
    ) -> None:
        self.path = Path(path)
        try:
            raw = read_json(read_text(self.path))
            self.names = _by_id((one["id"], str(one["name"])) for one in raw["categories"])
            images = sorted(raw["images"], key=lambda one: (isinstance(one["id"], str), one["id"]))
            known = _by_id((one["id"], one) for one in images)
            self.marks: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for mark in raw["annotations"]:
                self.marks[str(mark["image_id"])].append(mark)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is no file of boxes in COCO's format ({error!r}); it has images, categories and annotations"
            ) from error
        strange = sorted(set(self.marks) - set(known))
        if strange and len(strange) == len(self.marks):
            raise DataError(
                f"no annotation of {path} is of one of its images (image_id {strange[0]}, ids {', '.join(known)[:40]}) "
                "so every picture would be taught as empty; correct the ids"
            )
        self.whole = not strange
        super().__init__([*images, *({"image_id": image} for image in strange)], **about)
        self.media = Path(media) if media else self.path.parent
        self.absent, self.most, self.seed = absent, most, seed

    def make(self, row: dict[str, Any], number: int) -> Sample:
        if "id" not in row:
            marks = self.marks[row["image_id"]]
            raise DataError(
                f"{len(marks)} annotations have image_id {row['image_id']!r}, which no image has; correct it"
            )
        part = ImagePart(image=picture_source(row.get("file_name"), self.media, "file_name"))
        size = load_image(part.image).size
        marks = self.marks[str(row["id"])]
        if not marks and not self.whole:
            raise DataError(
                "no annotation is of this picture and some are of none, so it may not be empty; correct ids"
            )
        boxes, unsure, dropped = self._boxes(marks, size, _scale(row, size))
        rng = np.random.default_rng((self.seed, number))
        asked = [name for name in sorted(boxes) if name not in unsure]
        asked = [asked[i] for i in rng.permutation(len(asked))[: self.most]]
        others = sorted(set(self.names.values()) - set(boxes) - unsure)
        if others and (rng.random() < self.absent or not asked):
            asked.insert(int(rng.integers(len(asked) + 1)), others[int(rng.integers(len(others)))])
        if not asked:
            raise DataError(
                "every category on this picture has a crowd region or only empty boxes, so nothing can be asked"
            )
        messages: list[Message] = []
        for name in asked:
            words = locate_prompt(name)
            messages.append(say("user", words) if messages else say("user", part, words))
            messages.append(say("assistant", format_boxes(boxes.get(name, []), Transform.identity(size))))
        truth: dict[str, Any] = {"boxes": {name: [list(box.xyxy) for box in boxes.get(name, [])] for name in asked}}
        if dropped:
            truth["dropped"] = dropped
        return new_sample(messages, "locate", truth=truth, forms=("", "boxes") * len(asked))

    def _boxes(
        self, marks: list[dict[str, Any]], size: tuple[int, int], scale: tuple[float, float]
    ) -> tuple[dict[str, list[Box]], set[str], list[str]]:
        """Boxes by name, names that cannot be asked, and boxes of no size, which are left out and told of."""
        found: dict[str, list[Box]] = defaultdict(list)
        unsure: set[str] = set()
        dropped: list[str] = []
        for mark in marks:
            name = self.names.get(str(mark.get("category_id")))
            if name is None:
                raise DataError(
                    f"an annotation has the category {mark.get('category_id')!r}, which the file does not name"
                )
            if mark.get("iscrowd") or mark.get("ignore"):
                unsure.add(name)
                continue
            x, y, width, height = (value * scale[i % 2] for i, value in enumerate(_numbers(mark, name)))
            if width <= 0 or height <= 0:
                dropped.append(f"{name} {mark['bbox']}")
                continue
            inside = min(x, y) >= -_SLACK and x + width <= size[0] + _SLACK and y + height <= size[1] + _SLACK
            if not inside:
                raise DataError(
                    f"the box {mark['bbox']} (x, y, width, height) of {name!r} is outside its picture of "
                    f"{size[0]}x{size[1]}; correct it or leave it out"
                )
            corners = max(x, 0.0), max(y, 0.0), min(x + width, size[0]), min(y + height, size[1])
            found[name].append(Box(*corners, label=name))
        unsure |= {one.rpartition(" [")[0] for one in dropped} - set(found)
        return {name: sorted(all_, key=lambda box: (box.y1, box.x1)) for name, all_ in found.items()}, unsure, dropped

    def describe(self, number: int) -> str:
        row = self.rows[number]
        return f"image {row.get('id')} ({row.get('file_name')})" if "id" in row else f"annotations of {row['image_id']}"


def _by_id(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    """Values by their ids as text: files say 1 here and "1" there."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if str(name) in found:
            raise ValueError(f"the id {name!r} stands twice")
        found[str(name)] = value
    return found


def _numbers(mark: dict[str, Any], name: str) -> list[float]:
    box = mark.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise DataError(f"key 'bbox' of an annotation of {name!r} is {box!r}, expected x, y, width and height")
    return [float(value) for value in box]


def _scale(row: dict[str, Any], size: tuple[int, int]) -> tuple[float, float]:
    """Pixels of the file for one of the size that the annotations state.

    Raises:
        DataError: another shape: the picture was turned or cut.
    """
    stated = row.get("width"), row.get("height")
    if not all(isinstance(value, int | float) and value > 0 for value in stated):
        return 1.0, 1.0
    x, y = (real / value for real, value in zip(size, stated, strict=True))  # type: ignore[operator]
    if abs(x - y) > 0.01 * x:
        raise DataError(
            f"keys 'width' and 'height' say {stated[0]}x{stated[1]} and the file has {size[0]}x{size[1]}, another "
            "shape, so its boxes cannot be placed; it was turned or cut: give the file that was annotated"
        )
    return x, y
