"""The vision tower: a transformer over patches at native resolution, and the merger behind it.

Patches come flattened (1176 values: channel, frame, row, column) in merge-block order, so four rows are one
language-model token. Four blocks attend to a whole frame, the others to windows of 112 x 112 pixels; nothing attends
across time. Parameter names are the checkpoint's. Report section 2.1.1.

Attention inside a window does not depend on where the window stands, so windows of equal size are put side by side
(`vision_layout`): a batch of them is then a plain slice of the packed tensor, and no window is ever padded or visited
one by one. A frame of 3x5 merged tokens with windows of 2x2 has windows of 4, 4, 2 / 2, 2, 1 tokens. They stand as

    size 4: [0 1 5 6] [2 3 7 8]   size 2: [4 9] [10 11] [12 13]   size 1: [14]
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Float, Int, Num, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.config import VisionConfig
from viewfinder.model.layers import Linear, RMSNorm, SwiGLU, attention, compute_dtype, rotate, vision_rope
from viewfinder.model.training_kernels import trained_attention
from viewfinder.model.varlen import Segments, kernel_for, varlen_attention, without_cudnn

_MLP_ROWS = 2048  # patches a part on a CPU: memory over 32 MiB would come from the system anew, page by page


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


def segment_lengths(runs: Sequence[FrameRun], windowed: bool) -> list[int]:
    """Patches of each window, or of each frame, in the tower's order."""
    found: list[int] = []
    for run in runs:
        inside = [group.length for group in run.groups for _ in range(group.count)]
        found += (inside if windowed else [run.patches_per_frame]) * run.num_frames
    return found


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


def frame_attention(
    q: Float[Tensor, "P N H"],
    k: Float[Tensor, "P N H"],
    v: Float[Tensor, "P N H"],
    runs: Sequence[FrameRun] | Segments,
    *,
    windowed: bool,
) -> Float[Tensor, "P D"]:
    """Attention of every patch to its window (`windowed`) or to its whole frame."""
    if isinstance(runs, Segments):
        out = varlen_attention(q, k, v, runs, causal=False)
        assert out is not None, "segments are for the kernel"
        return out.flatten(1)
    if (out := trained_attention(q, k, v, segment_lengths(runs, windowed), causal=False)) is not None:
        return out.flatten(1)
    return (
        torch.cat([_run_attention(q, k, v, run, windowed) for run in runs])
        if len(runs) > 1
        else _run_attention(q, k, v, runs[0], windowed)
    )


def _run_attention(q: Tensor, k: Tensor, v: Tensor, run: FrameRun, windowed: bool) -> Tensor:
    frames, patches = run.num_frames, run.patches_per_frame
    parts = [x[run.start : run.stop].unflatten(0, (frames, patches)) for x in (q, k, v)]
    if not windowed:
        return _attend(*parts).flatten(0, 1)
    out = []
    for group in run.groups:
        batch = (x[:, group.start : group.stop].reshape(-1, group.length, *x.shape[2:]) for x in parts)
        out.append(_attend(*batch).reshape(frames, -1, q.shape[1] * q.shape[2]))
    return (torch.cat(out, dim=1) if len(out) > 1 else out[0]).flatten(0, 1)


def _attend(
    q: Float[Tensor, "B L N H"], k: Float[Tensor, "B L N H"], v: Float[Tensor, "B L N H"]
) -> Float[Tensor, "B L D"]:
    out = attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
    return out.transpose(1, 2).flatten(2)


class PatchEmbed(nn.Module):
    """The 2 x 14 x 14 convolution. Its stride equals its kernel, so it is one matrix product."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        kernel = (config.temporal_patch_size, config.patch_size, config.patch_size)
        self.proj = nn.Conv3d(config.in_channels, config.hidden_size, kernel, stride=kernel, bias=False)

    def forward(self, pixel_values: Float[Tensor, "P patch_dim"]) -> Float[Tensor, "P D"]:
        weight = self.proj.weight
        dtype = compute_dtype(weight.dtype, weight.device)
        return F.linear(pixel_values.to(dtype), weight.flatten(1).to(dtype))


class VisionAttention(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.qkv = Linear(config.hidden_size, 3 * config.hidden_size)
        self.proj = Linear(config.hidden_size, config.hidden_size)

    def forward(
        self,
        x: Float[Tensor, "P D"],
        rope: tuple[Tensor, Tensor],
        runs: Sequence[FrameRun] | Segments,
        *,
        windowed: bool,
    ) -> Float[Tensor, "P D"]:
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        q, k = rotate(qkv[:, :2], *rope).unbind(1)
        return self.proj(frame_attention(q, k, qkv[:, 2], runs, windowed=windowed))


class VisionBlock(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.norm1 = RMSNorm(config.hidden_size)
        self.norm2 = RMSNorm(config.hidden_size)
        self.attn = VisionAttention(config)
        self.mlp = SwiGLU(config.hidden_size, config.intermediate_size, bias=True)

    def forward(
        self,
        x: Float[Tensor, "P D"],
        rope: tuple[Tensor, Tensor],
        runs: Sequence[FrameRun] | Segments,
        *,
        windowed: bool,
    ) -> Float[Tensor, "P D"]:
        x = x + self.attn(self.norm1(x), rope, runs, windowed=windowed)
        whole = torch.is_grad_enabled() or x.device.type != "cpu"
        for part in () if whole else x.split(_MLP_ROWS):
            part.add_(self.mlp(self.norm2(part)))
        return x + self.mlp(self.norm2(x)) if whole else x


class PatchMerger(nn.Module):
    """Joins 2 x 2 patches into one token of the language model's width."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.merged_size = config.hidden_size * config.spatial_merge_size**2
        self.ln_q = RMSNorm(config.hidden_size)
        self.mlp = nn.Sequential(
            Linear(self.merged_size, self.merged_size),
            nn.GELU(),
            Linear(self.merged_size, config.out_hidden_size),
        )

    def forward(self, x: Float[Tensor, "P D"]) -> Float[Tensor, "M E"]:
        return self.mlp(self.ln_q(x).view(-1, self.merged_size))


def normalized(
    patches: UInt8[Tensor, "P patch_dim"], mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "P patch_dim"]:
    """What `processor.patchify` makes of these bytes, to the last bit, where they are."""
    out = patches.float()
    for channel, m, s in zip(out.unflatten(1, (len(mean), -1)).unbind(1), mean, std, strict=True):
        channel.mul_(1 / (255 * s)).sub_(m / s)
    return out


class VisionTower(nn.Module):
    """Patches of all pictures and clips in, one feature per merged token out, in raster order."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config.depth))
        self.merger = PatchMerger(config)
        self.normalization: tuple[Sequence[float], Sequence[float]] | None = None
        """Mean and deviation of each channel, for patches that come as bytes."""

    def forward(self, pixel_values: Num[Tensor, "P patch_dim"], grid_thw: Int[Tensor, "N 3"]) -> Float[Tensor, "M E"]:
        """Features of the merged tokens.

        Args:
            pixel_values: normalised patches of all items, or their bytes, in merge-block order.
            grid_thw: per item, frame pairs, rows and columns of patches (both even), on the CPU.
        """
        order, hidden = self.encode(pixel_values, grid_thw)
        return self.merger(hidden)[order.argsort()]

    def encode(
        self, pixel_values: Num[Tensor, "P patch_dim"], grid_thw: Int[Tensor, "N 3"]
    ) -> tuple[Int[Tensor, " M"], Float[Tensor, "P D"]]:
        """Patch features before the merger, in the tower's order, and the merged token at each place of it."""
        if pixel_values.dtype == torch.uint8:
            assert self.normalization is not None, "patches are bytes and nobody said how to normalise them"
            pixel_values = normalized(pixel_values, *self.normalization)
        layout = vision_layout(grid_thw, self.config)
        group = self.config.spatial_merge_size**2
        order = layout.order.to(pixel_values.device)
        hidden = self.patch_embed(pixel_values).unflatten(0, (-1, group))[order].flatten(0, 1)
        cos, sin = vision_rope(layout.rows_cols.to(pixel_values.device), self.config.head_dim)
        rope = (cos[:, None, None], sin[:, None, None])
        parts: dict[bool, Sequence[FrameRun] | Segments] = {True: layout.runs, False: layout.runs}
        if kernel_for(hidden) is not None:
            parts = {windowed: Segments.of(segment_lengths(layout.runs, windowed), hidden.device) for windowed in parts}
        with without_cudnn(hidden.device):
            for i, block in enumerate(self.blocks):
                windowed = i not in self.config.fullatt_block_indexes
                hidden = block(hidden, rope, parts[windowed], windowed=windowed)
        return order, hidden

    @property
    def dtype(self) -> torch.dtype:
        return self.patch_embed.proj.weight.dtype
