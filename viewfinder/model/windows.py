"""How patches are laid out for the tower: windows, frames, and the order in which they stand.

Only indices, computed on the CPU from `grid_thw`. Attention inside a window does not depend on where
the window stands, so windows of equal size are put side by side: a batch of them is then a plain slice
of the packed tensor, and no window is ever padded or visited one by one (report section 2.1.1).

A frame of 3x5 merged tokens with windows of 2x2 has windows of 4, 4, 2 / 2, 2, 1 tokens. They stand as

    size 4: [0 1 5 6] [2 3 7 8]   size 2: [4 9] [10 11] [12 13]   size 1: [14]
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from viewfinder.config import VisionConfig


@dataclass(frozen=True)
class WindowGroup:
    """`count` windows of `length` patches each, standing at `start` inside every frame."""

    start: int
    count: int
    length: int

    @property
    def stop(self) -> int:
        return self.start + self.count * self.length


@dataclass(frozen=True)
class FrameRun:
    """Frames (pairs of video frames) of one size standing one after another in the packed patches."""

    start: int
    num_frames: int
    patches_per_frame: int
    groups: tuple[WindowGroup, ...]

    @property
    def stop(self) -> int:
        return self.start + self.num_frames * self.patches_per_frame


@dataclass(frozen=True)
class VisionLayout:
    """Everything the tower needs to know about shapes.

    Attributes:
        order: merged token standing at each place of the tower's order (M = P / 4 entries).
        rows_cols: row and column of each patch in its full grid, in the tower's order.
        runs: where frames and windows stand.
    """

    order: Int[Tensor, " M"]
    rows_cols: Int[Tensor, "P 2"]
    runs: tuple[FrameRun, ...]


def vision_layout(grid_thw: Int[Tensor, "N 3"], config: VisionConfig) -> VisionLayout:
    """Lay out all frames of all media items; attention never crosses frames."""
    merge = config.spatial_merge_size
    side = config.window_size // config.patch_size // merge
    orders, places, runs = [], [], []
    token_at = patch_at = 0
    for (h, w), frames in _frame_runs(grid_thw):
        order, groups = _window_order(h // merge, w // merge, side, merge**2)
        tokens = len(order)
        orders.append((np.arange(frames)[:, None] * tokens + order + token_at).ravel())
        places.append(np.tile(_patch_places(order, w // merge, merge), (frames, 1)))
        runs.append(FrameRun(patch_at, frames, tokens * merge**2, groups))
        token_at += frames * tokens
        patch_at = runs[-1].stop
    return VisionLayout(torch.from_numpy(np.concatenate(orders)), torch.from_numpy(np.concatenate(places)), tuple(runs))


def _frame_runs(grid_thw: Tensor) -> Iterator[tuple[tuple[int, int], int]]:
    rows: list[list[int]] = grid_thw.tolist()
    for size, items in groupby(rows, key=lambda row: (row[1], row[2])):
        yield size, sum(t for t, _, _ in items)


def _window_order(
    height: int, width: int, side: int, patches_per_token: int
) -> tuple[np.ndarray, tuple[WindowGroup, ...]]:
    """Order of the merged tokens of one frame, largest windows first, and the groups in patches."""
    raster = np.arange(height * width)
    window = raster // width // side * -(-width // side) + raster % width // side
    sizes = np.bincount(window)
    order = np.lexsort((raster, window, -sizes[window]))
    groups, start = [], 0
    for size in np.unique(sizes)[::-1]:
        count = int((sizes == size).sum())
        groups.append(WindowGroup(start, count, int(size) * patches_per_token))
        start = groups[-1].stop
    return order, tuple(groups)


def _patch_places(order: np.ndarray, width: int, merge: int) -> np.ndarray:
    """(row, column) of the merge x merge patches of each token, row-major within the token."""
    corner = np.stack((order // width, order % width), axis=-1) * merge
    inside = np.stack(np.meshgrid(range(merge), range(merge), indexing="ij"), axis=-1).reshape(-1, 2)
    return (corner[:, None] + inside).reshape(-1, 2)
