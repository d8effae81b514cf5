"""`ModelInputs`: the one representation of what enters the model, packed and never padded.

Sequences stand one after another; `cu_seqlens` says where each begins. Patches of all pictures and
clips stand in the order in which their placeholders do. Training and inference use the same type,
so what is proved of one holds for the other.

Two sequences of 3 and 2 tokens, the first with one picture of 4x6 patches:

    input_ids    [a  I  b | c  d]      (I stands for the picture's tokens, here shown as one)
    cu_seqlens   [0, 3, 5]
    grid_thw     [[1, 4, 6]]           media_per_sequence (1, 0)
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int, Num
from torch import Tensor

from viewfinder.errors import StampError

IGNORE_INDEX = -100
"""Label of a token that carries no loss."""


@dataclass(frozen=True)
class ModelInputs:
    """Packed sequences with their media.

    T tokens, S sequences, P patches, N media items.

    Attributes:
        input_ids: token ids, media tokens already expanded.
        position_ids: temporal, height and width ids (rows), by the official algorithm.
        cu_seqlens: starts of the sequences, and T at the end.
        rope_deltas: per sequence, (largest position + 1) - length: what decoding adds to the cache length.
        pixel_values: normalised patches, or their bytes, rows in merge-block order; None without media.
        grid_thw: per item, frame pairs, rows and columns of patches.
        media_kinds: per item, "image" or "video".
        media_per_sequence: number of items in each sequence.
        second_per_grid_ts: per item, seconds between frame pairs; 0.0 for an image.
        labels: next-token targets aligned with `input_ids`, `IGNORE_INDEX` where none; None at inference.
        stamp: hash of the settings that made these inputs.
    """

    input_ids: Int[Tensor, " T"]
    position_ids: Int[Tensor, "3 T"]
    cu_seqlens: Int[Tensor, " S1"]
    rope_deltas: tuple[int, ...]
    pixel_values: Num[Tensor, "P patch_dim"] | None = None
    grid_thw: Int[Tensor, "N 3"] | None = None
    media_kinds: tuple[str, ...] = ()
    media_per_sequence: tuple[int, ...] = ()
    second_per_grid_ts: tuple[float, ...] = ()
    labels: Int[Tensor, " T"] | None = None
    stamp: str = ""

    def __post_init__(self) -> None:
        assert int(self.cu_seqlens[-1]) == len(self.input_ids) == self.position_ids.shape[1]
        assert len(self.rope_deltas) == len(self.cu_seqlens) - 1 == len(self.media_per_sequence)
        assert sum(self.media_per_sequence) == len(self.media_kinds)

    @property
    def num_sequences(self) -> int:
        return len(self.rope_deltas)

    @property
    def seqlens(self) -> list[int]:
        """Length of each sequence in tokens."""
        return self.cu_seqlens.diff().tolist()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    @property
    def image_grid_thw(self) -> Int[Tensor, "images 3"] | None:
        return self._grid_of("image")

    @property
    def video_grid_thw(self) -> Int[Tensor, "videos 3"] | None:
        return self._grid_of("video")

    def _grid_of(self, kind: str) -> Tensor | None:
        if self.grid_thw is None:
            return None
        rows = [i for i, k in enumerate(self.media_kinds) if k == kind]
        return self.grid_thw[rows] if rows else None

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "ModelInputs":
        """Move every tensor; `dtype` applies to `pixel_values` only. `grid_thw` and `cu_seqlens` stay on
        the CPU, where indices are computed."""
        moved = self.map_tensors(lambda tensor: tensor.to(device))
        pixels = moved.pixel_values
        if pixels is None or not pixels.is_floating_point():
            return moved
        return dataclasses.replace(moved, pixel_values=pixels.to(dtype=dtype))

    def map_tensors(self, move: Callable[[Tensor], Tensor]) -> "ModelInputs":
        """`move` applied to every tensor that belongs on the device: all but `grid_thw` and `cu_seqlens`."""
        return dataclasses.replace(
            self,
            input_ids=move(self.input_ids),
            position_ids=move(self.position_ids),
            pixel_values=None if self.pixel_values is None else move(self.pixel_values),
            labels=None if self.labels is None else move(self.labels),
        )


def pack(items: Sequence[ModelInputs]) -> ModelInputs:
    """Put several inputs into one.

    Raises:
        StampError: the items were made with different settings.
    """
    assert items, "nothing to pack"
    stamps = {item.stamp for item in items}
    if len(stamps) > 1:
        raise StampError(
            f"inputs with {len(stamps)} different stamps ({', '.join(sorted(stamps))}) cannot be packed: "
            "they were made with different budgets or templates; process them with one processor"
        )
    starts = [0]
    for item in items:
        starts += [starts[-1] + n for n in item.cu_seqlens[1:].tolist()]  # pyright: ignore
    pixels = [item.pixel_values for item in items if item.pixel_values is not None]
    grids = [item.grid_thw for item in items if item.grid_thw is not None]
    has_labels = all(item.labels is not None for item in items)
    return ModelInputs(
        input_ids=torch.cat([item.input_ids for item in items]),
        position_ids=torch.cat([item.position_ids for item in items], dim=1),
        cu_seqlens=torch.tensor(starts, dtype=torch.int32),
        rope_deltas=tuple(delta for item in items for delta in item.rope_deltas),
        pixel_values=torch.cat(pixels) if pixels else None,
        grid_thw=torch.cat(grids) if grids else None,
        media_kinds=tuple(kind for item in items for kind in item.media_kinds),
        media_per_sequence=tuple(n for item in items for n in item.media_per_sequence),
        second_per_grid_ts=tuple(s for item in items for s in item.second_per_grid_ts),
        labels=torch.cat([item.labels for item in items if item.labels is not None]) if has_labels else None,
        stamp=items[0].stamp,
    )
