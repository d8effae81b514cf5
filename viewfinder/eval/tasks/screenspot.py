"""ScreenSpot and ScreenSpot-Pro: where to click for an instruction; right inside the target's box.

The official prompt: the `computer_use` function of the cookbook with the size of the resized screenshot, so the
answer's coordinates are in the pixels that the model sees (complaints of very low scores come from a wrong frame).
"""

from collections.abc import Iterator
from typing import Any

from viewfinder.eval.question import Question, expected_transform
from viewfinder.eval.source import Files, picture, require
from viewfinder.eval.task import MediaSettings
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, user
from viewfinder.outputs.actions import tool_schema

SETTINGS = MediaSettings(min_pixels=3136, max_pixels=12845056)
"""The cookbook's."""


def screenspot(files: Files) -> Iterator[Question]:
    """Boxes are shares of the picture: left, top, right, bottom."""
    for i, row in enumerate(files.rows("data/test-*.parquet")):
        require(row, "image", "instruction", "bbox", "data_type", "data_source")
        image = picture(row["image"])
        width, height = load_image(image).size
        x1, y1, x2, y2 = row["bbox"]
        box = [x1 * width, y1 * height, x2 * width, y2 * height]
        tags = {"type": row["data_type"], "platform": row["data_source"]}
        yield _question(str(i), image, row["instruction"], box, tags)


def screenspot_pro(files: Files) -> Iterator[Question]:
    """Boxes are pixels: left, top, right, bottom."""
    for path in files.find("annotations/*.json"):
        for row in files.rows(f"annotations/{path.name}"):
            require(row, "id", "img_filename", "bbox", "instruction", "ui_type", "group", "application")
            image = files.media(row["img_filename"], "images")
            tags = {"type": row["ui_type"], "group": row["group"], "application": row["application"]}
            yield _question(row["id"], image, row["instruction"], [float(v) for v in row["bbox"]], tags)


def _question(id: str, image: Any, instruction: str, box: list[float], tags: dict[str, str]) -> Question:
    part = ImagePart(image=image, min_pixels=SETTINGS.min_pixels, max_pixels=SETTINGS.max_pixels)
    width, height = expected_transform(part).resized_size
    tools = (tool_schema("computer", width, height),)
    return Question(id, (user(part, instruction),), {"boxes": [box]}, {**tags, "label": instruction}, tools=tools)
