"""Boxes in COCO's format: one sample a picture, one turn for each category on it, and now and then an absent one.

    {"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [{"id": 3, "name": "car"}],
     "annotations": [{"image_id": 1, "category_id": 3, "bbox": [x, y, width, height]}]}

A category with a crowd region on a picture is not asked there, since its instances are not all marked.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from viewfinder.data.sample import Sample, say
from viewfinder.data.sources.fields import picture_part
from viewfinder.data.sources.rows import RowSource, new_sample
from viewfinder.errors import DataError
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.messages import Message
from viewfinder.outputs.boxes import Box, format_boxes
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
            raw = json.loads(self.path.read_text(encoding="utf-8"))
            self.names = {one["id"]: str(one["name"]) for one in raw["categories"]}
            rows = sorted(raw["images"], key=lambda one: one["id"])
            self.marks: dict[Any, list[dict[str, Any]]] = defaultdict(list)
            for mark in raw["annotations"]:
                self.marks[mark["image_id"]].append(mark)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is no file of boxes in COCO's format ({error!r}); it has images, categories and annotations"
            ) from error
        super().__init__(rows, **about)
        self.media = Path(media) if media else self.path.parent
        self.absent, self.most, self.seed = absent, most, seed

    def make(self, row: dict[str, Any], number: int) -> Sample:
        part = picture_part(str(row["file_name"]), self.media)
        size = load_image(part.image).size
        boxes, crowded = self._boxes(row["id"], size)
        rng = np.random.default_rng((self.seed, number))
        asked = [name for name in sorted(boxes) if name not in crowded]
        asked = [asked[i] for i in rng.permutation(len(asked))[: self.most]]
        others = sorted(set(self.names.values()) - set(boxes) - crowded)
        if others and (rng.random() < self.absent or not asked):
            asked.insert(int(rng.integers(len(asked) + 1)), others[int(rng.integers(len(others)))])
        if not asked:
            raise DataError("every category on this picture has a crowd region, so nothing can be asked")
        messages: list[Message] = []
        for name in asked:
            words = locate_prompt(name)
            messages.append(say("user", words) if messages else say("user", part, words))
            messages.append(say("assistant", format_boxes(boxes.get(name, []), Transform.identity(size))))
        truth = {"boxes": {name: [list(box.xyxy) for box in boxes.get(name, [])] for name in asked}}
        return new_sample(messages, "locate", truth=truth, forms=("", "boxes") * len(asked))

    def _boxes(self, image: Any, size: tuple[int, int]) -> tuple[dict[str, list[Box]], set[str]]:
        found: dict[str, list[Box]] = defaultdict(list)
        crowded: set[str] = set()
        for mark in self.marks[image]:
            name = self.names.get(mark["category_id"])
            if name is None:
                raise DataError(f"an annotation has the category {mark['category_id']!r}, which the file does not name")
            if mark.get("iscrowd"):
                crowded.add(name)
                continue
            x, y, width, height = (float(value) for value in mark["bbox"])
            inside = min(x, y) >= -_SLACK and x + width <= size[0] + _SLACK and y + height <= size[1] + _SLACK
            if width <= 0 or height <= 0 or not inside:
                raise DataError(
                    f"the box {mark['bbox']} (x, y, width, height) of {name!r} is empty or outside its picture of "
                    f"{size[0]}x{size[1]}; correct it or leave it out"
                )
            corners = max(x, 0.0), max(y, 0.0), min(x + width, size[0]), min(y + height, size[1])
            found[name].append(Box(*corners, label=name))
        return {name: sorted(all_, key=lambda box: (box.y1, box.x1)) for name, all_ in found.items()}, crowded

    def describe(self, number: int) -> str:
        row = self.rows[number]
        return f"image {row.get('id')} ({row.get('file_name')})"
