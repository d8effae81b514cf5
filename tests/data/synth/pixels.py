"""Boxes measured from pixels alone, to hold against what generators say."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from viewfinder.outputs.place import Corners

_SEEN = 16
"""A change of a channel (of 255) that counts; the recolored ink itself changes by 90."""


def background(image: Image.Image) -> tuple[int, int, int]:
    """The commonest color."""
    counts = image.getcolors(image.width * image.height)
    assert counts is not None
    return max(counts)[1]  # type: ignore[return-value]


def measured(image: Image.Image, box: Corners, ground: tuple[int, int, int], reach: int = 3) -> Corners | None:
    """The box of all ink in `box` grown by `reach` pixels, counted from the pixels in plain arrays."""
    x1, y1 = max(0, int(box[0]) - reach), max(0, int(box[1]) - reach)
    x2, y2 = int(box[2]) + reach, int(box[3]) + reach
    part: NDArray[np.int16] = np.asarray(image.convert("RGB"), np.int16)[y1:y2, x1:x2]
    ink = np.abs(part - np.array(ground)).max(axis=-1) > 40
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return None
    return x1 + int(columns[0]), y1 + int(rows[0]), x1 + int(columns[-1]) + 1, y1 + int(rows[-1]) + 1


def off_by(box: Corners, other: Corners) -> float:
    """The largest distance of two corners."""
    return max(abs(a - b) for a, b in zip(box, other, strict=True))


def changed(one: Image.Image, other: Image.Image) -> Corners | None:
    """The box of what differs."""
    apart = np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max(axis=-1) > _SEEN
    rows, columns = np.flatnonzero(apart.any(axis=1)), np.flatnonzero(apart.any(axis=0))
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) if len(rows) else None


def distance(box: Corners, found: Sequence[Corners]) -> float:
    """How far a box is from the nearest of those found."""
    return min((off_by(box, one) for one in found), default=float("inf"))
