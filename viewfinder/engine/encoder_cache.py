"""What the vision tower made of media, kept for the next request that shows the same, under a cap of bytes.

Media are known by the full SHA-256 of their patches and grid, per tenant. A clip is cut into pieces of whole
frames, so that one long clip never holds up other requests for long; nothing attends across frames.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor

from viewfinder.inputs import ModelInputs

PieceKey = tuple[str, bytes, int]
"""Tenant, hash of the medium, first frame pair."""


@dataclass(frozen=True)
class Piece:
    """Some frames of one medium of a request, the unit of work of the tower.

    Attributes:
        key: for the cache.
        grid: frame pairs, rows and columns of patches.
        patches: rows of `pixel_values`.
        features: rows of the request's features, in the order of its placeholders.
    """

    key: PieceKey
    grid: tuple[int, int, int]
    patches: slice
    features: slice

    @property
    def num_patches(self) -> int:
        return self.patches.stop - self.patches.start


def media_hashes(inputs: ModelInputs) -> list[bytes]:
    """The hash of each medium of one request."""
    hashes: list[bytes] = []
    at = 0
    if inputs.grid_thw is None or inputs.pixel_values is None:
        return hashes
    for grid in inputs.grid_thw.tolist():
        count = grid[0] * grid[1] * grid[2]
        digest = hashlib.sha256(repr(grid).encode())
        digest.update(inputs.pixel_values[at : at + count].contiguous().numpy().data)
        hashes.append(digest.digest())
        at += count
    return hashes


def pieces_of(inputs: ModelInputs, hashes: list[bytes], tenant: str, most: int, merge: int) -> list[Piece]:
    """Cut the media of a request into pieces of at most `most` patches, but never a frame pair.

    A clip of 5 frame pairs of 100 patches is cut into 2 + 2 + 1 where `most` is 250.
    """
    pieces: list[Piece] = []
    patch = feature = 0
    grids = [] if inputs.grid_thw is None else inputs.grid_thw.tolist()
    for (frames, height, width), digest in zip(grids, hashes, strict=True):
        step = max(1, most // (height * width))
        for first in range(0, frames, step):
            count = min(step, frames - first)
            patches, tokens = count * height * width, count * height * width // merge**2
            pieces.append(
                Piece(
                    (tenant, digest, first),
                    (count, height, width),
                    slice(patch, patch + patches),
                    slice(feature, feature + tokens),
                )
            )
            patch, feature = patch + patches, feature + tokens
    return pieces


class EncoderCache:
    """Features by piece; the one not asked for longest goes first when `max_bytes` are full."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self.hits = 0
        self.misses = 0
        self._items: OrderedDict[tuple[PieceKey, int], Tensor] = OrderedDict()

    def get(self, piece: Piece) -> Tensor | None:
        found = self._items.get((piece.key, piece.grid[0]))
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._items.move_to_end((piece.key, piece.grid[0]))
        return found

    def put(self, piece: Piece, features: Tensor) -> None:
        size = features.numel() * features.element_size()
        key = (piece.key, piece.grid[0])
        if size > self.max_bytes or key in self._items:
            return
        while self.num_bytes + size > self.max_bytes:
            _, old = self._items.popitem(last=False)
            self.num_bytes -= old.numel() * old.element_size()
        # a copy of its own: a slice would keep all that was computed with it alive
        self._items[key] = features.clone()
        self.num_bytes += size

    def clear(self) -> None:
        self._items.clear()
        self.num_bytes = 0
