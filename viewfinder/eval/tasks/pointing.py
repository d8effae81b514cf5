"""Pointing, and clicking on what is named: PixMo-Points' evaluation set, ScreenSpot and ScreenSpot-Pro.

PixMo: predicted points are matched one to one with masks, a hit lies inside, and the value is the F1 of a picture, as
the set's authors score it (Molmo). ScreenSpot: the official prompt is the `computer_use` function of the cookbook with
the size of the resized screenshot, so coordinates are in the pixels that the model sees (very low scores that people
complain of come from a wrong frame).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from viewfinder.eval.metrics.assignment import assign
from viewfinder.eval.question import Question, expected_transform
from viewfinder.eval.source import Files, picture, require
from viewfinder.eval.task import MediaSettings
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, user
from viewfinder.outputs import prompts
from viewfinder.outputs.actions import tool_schema


def questions(files: Files) -> Iterator[Question]:
    """The data name pictures by URL and SHA-256; they lie in `images/` under their hash."""
    for row in files.rows("data/test-*.parquet"):
        require(row, "image_sha256", "label", "points", "masks")
        masks = [np.asarray(mask, dtype=bool) for mask in row["masks"]]
        height, width = masks[0].shape if masks else (1, 1)
        inside = [_inner_point(mask) for mask in masks]
        yield Question(
            id=f"{row['image_sha256']}/{row['label']}",
            messages=(
                user(
                    ImagePart(image=files.media(row["image_sha256"], "images", any_suffix=True)),
                    prompts.point_prompt(row["label"]),
                ),
            ),
            truth={"points": inside, "runs": [_runs(mask) for mask in masks], "size": [width, height]},
            tags={"label": row["label"]},
        )


def _inner_point(mask: np.ndarray) -> list[float]:
    """The pixel of a mask nearest to its mean: inside even of rings."""
    ys, xs = np.nonzero(mask)
    nearest = int(np.argmin((xs - xs.mean()) ** 2 + (ys - ys.mean()) ** 2))
    return [float(xs[nearest]) + 0.5, float(ys[nearest]) + 0.5]


def _runs(mask: np.ndarray) -> list[int]:
    """Lengths of runs of equal pixels in raster order, first the empty ones: a mask in JSON."""
    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *lengths] if flat[0] else lengths


def score(prediction: Any, question: Question) -> float:
    """F1 of points inside masks, one point a mask; 1 where there is nothing and nothing is said."""
    said, truth = prediction or [], question.truth
    if not truth["runs"] or not said:
        return float(not truth["runs"] and not said)
    width, height = truth["size"]
    hits = np.zeros((len(said), len(truth["runs"])))
    for j, runs in enumerate(truth["runs"]):
        mask = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
        for i, (x, y) in enumerate(said):
            hits[i, j] = mask[min(int(y), height - 1), min(int(x), width - 1)]
    matched = sum(hits[i, j] for i, j in assign(-hits))
    return float(2 * matched / (len(said) + len(truth["runs"])))


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
