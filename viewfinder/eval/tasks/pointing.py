"""Pointing: PixMo-Points' evaluation set, which has masks; in place of the report's unpublished PointGrounding.

Predicted points are matched one to one with masks: a hit lies inside. The value is the F1 of a picture, as the
set's authors score it (Molmo).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from viewfinder.eval.metrics.assignment import assign
from viewfinder.eval.question import Question
from viewfinder.eval.source import Files, require
from viewfinder.messages import ImagePart, user
from viewfinder.outputs import prompts


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
