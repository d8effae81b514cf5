"""Whether anything is drawn on a page, or in a part of it.

A model that is shown a blank page may write a book. Noise of a scanner is averaged away in blocks of 4x4
pixels, and slow shades by measuring each block against the middle of its neighbourhood.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from viewfinder.media.image import Picture
from viewfinder.outputs.place import Corners

_BLOCK = 4
_TILE = 16  # blocks
_CONTRAST = 20.0  # of 255; noise of a standard deviation of 10 leaves 2.5 in a block
_BLANK_BELOW = 4  # blocks: a single digit of small print fills more


class Ink:
    """Which blocks of a page differ from their background."""

    def __init__(self, picture: Picture) -> None:
        self._scale = picture.transform.scale  # original pixels to those at hand
        self._blocks = _inked(np.asarray(picture.image.convert("L"), dtype=np.float32))

    @property
    def blank(self) -> bool:
        """Nothing is drawn on the page."""
        return int(self._blocks.sum()) < _BLANK_BELOW

    def inside(self, box: Corners) -> bool:
        """Whether anything is drawn in a box of original pixels."""
        return bool(self._blocks[self._part(box)].any())

    def beside(self, box: Corners, others: Sequence[Corners]) -> bool:
        """Whether as much as a digit of small print is drawn in a box and outside of other boxes."""
        rows, columns = self._part(box)
        rest = self._blocks.copy()
        for other in others:
            rest[self._part(other)] = False
        return int(rest[rows, columns].sum()) >= _BLANK_BELOW

    def _part(self, box: Corners) -> tuple[slice, slice]:
        """Rows and columns of the blocks that a box of original pixels touches."""
        x1, y1, x2, y2 = (value * self._scale[i % 2] / _BLOCK for i, value in enumerate(box))
        return slice(max(0, int(y1)), int(np.ceil(y2)) + 1), slice(max(0, int(x1)), int(np.ceil(x2)) + 1)


def _inked(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(H, W) grey values to (H/4, W/4) blocks with ink; odd edges are repeated outwards."""
    grey = np.pad(grey, [(0, -side % _BLOCK) for side in grey.shape], mode="edge")
    rows, columns = grey.shape[0] // _BLOCK, grey.shape[1] // _BLOCK
    blocks = grey.reshape(rows, _BLOCK, columns, _BLOCK).mean(axis=(1, 3))
    padded = np.pad(blocks, [(0, -side % _TILE) for side in blocks.shape], mode="edge")
    tiles = padded.reshape(padded.shape[0] // _TILE, _TILE, padded.shape[1] // _TILE, _TILE)
    background = np.median(tiles, axis=(1, 3), keepdims=True)
    different = np.abs(tiles - background) > _CONTRAST
    return different.reshape(padded.shape)[:rows, :columns]
