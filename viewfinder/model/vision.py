"""The vision tower: a transformer over patches at native resolution, and the merger behind it.

Patches come flattened (1176 values: channel, frame, row, column) in merge-block order, so four rows are
one language-model token. Four blocks attend to a whole frame, the others to windows of 112 x 112 pixels;
nothing attends across time. Parameter names are the checkpoint's. Report section 2.1.1.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.config import VisionConfig
from viewfinder.model.attention import frame_attention
from viewfinder.model.layers import RMSNorm, SwiGLU
from viewfinder.model.linear import Linear, compute_dtype
from viewfinder.model.rope import rotate, vision_rope
from viewfinder.model.windows import FrameRun, vision_layout


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
        runs: Sequence[FrameRun],
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
        runs: Sequence[FrameRun],
        *,
        windowed: bool,
    ) -> Float[Tensor, "P D"]:
        x = x + self.attn(self.norm1(x), rope, runs, windowed=windowed)
        return x + self.mlp(self.norm2(x))


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


class VisionTower(nn.Module):
    """Patches of all pictures and clips in, one feature per merged token out, in raster order."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config.depth))
        self.merger = PatchMerger(config)

    def forward(self, pixel_values: Float[Tensor, "P patch_dim"], grid_thw: Int[Tensor, "N 3"]) -> Float[Tensor, "M E"]:
        """Features of the merged tokens.

        Args:
            pixel_values: normalised patches of all items, in merge-block order.
            grid_thw: per item, frame pairs, rows and columns of patches (both even), on the CPU.
        """
        order, hidden = self.encode(pixel_values, grid_thw)
        return self.merger(hidden)[order.argsort()]

    def encode(
        self, pixel_values: Float[Tensor, "P patch_dim"], grid_thw: Int[Tensor, "N 3"]
    ) -> tuple[Int[Tensor, " M"], Float[Tensor, "P D"]]:
        """Patch features before the merger, in the tower's order, and the merged token at each place of it."""
        layout = vision_layout(grid_thw, self.config)
        group = self.config.spatial_merge_size**2
        order = layout.order.to(pixel_values.device)
        hidden = self.patch_embed(pixel_values).unflatten(0, (-1, group))[order].flatten(0, 1)
        cos, sin = vision_rope(layout.rows_cols.to(pixel_values.device), self.config.head_dim)
        rope = (cos[:, None, None], sin[:, None, None])
        for i, block in enumerate(self.blocks):
            hidden = block(hidden, rope, layout.runs, windowed=i not in self.config.fullatt_block_indexes)
        return order, hidden

    @property
    def dtype(self) -> torch.dtype:
        return self.patch_embed.proj.weight.dtype
