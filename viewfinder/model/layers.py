"""What the tower and the language model share: linear layer, norm, gated feed-forward layer, rotary embeddings.

The linear layer is quick where the processor cannot multiply its weights' dtype. Many CPUs have no 16-bit arithmetic; a
matrix product of bfloat16 then runs many times slower than one of float32. There, weights stay in 16 bits (half the
memory), activations are float32, and each product widens one block of weights at a time. A single token is a pure read
of the weights, which stay narrow.

Rotary embeddings are two-dimensional in the tower, three-axis (MRoPE) in the language model. They know only position
ids; who computes them is `viewfinder.processor.mrope`. Cosines and sines are kept for half of a head, since both halves
share them (report section 2.1.2; rotate-half form).
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.model.native import flash_attention, narrow_matvec, rms_norm, rotate_heads, swiglu
from viewfinder.model.native_quantized import PackedMatrix, quantized_rows
from viewfinder.model.training_kernels import trained_norm, trained_rotation, trained_swiglu

_BLOCK = 1 << 24
"""Weights widened at a time: 64 MiB of float32, small beside any model that needs this."""
_FEW_ROWS = 2
"""Up to so many tokens, reading narrow weights once a token beats widening them."""
_FEW_NARROW_ROWS = 8
"""Up to so many tokens in bfloat16, our product beats PyTorch's (0.45 of its time for one, 0.65 to 0.8 for eight)."""


def compute_dtype(weight_dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """The dtype in which activations are kept for weights of `weight_dtype` on `device`."""
    if device.type != "cpu" or weight_dtype not in (torch.bfloat16, torch.float16):
        return weight_dtype
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return weight_dtype if native and weight_dtype == torch.bfloat16 else torch.float32


class Linear(nn.Linear):
    """`nn.Linear` for input in the weights' dtype, in float32 with narrower weights, or under autocast."""

    def forward(self, input: Float[Tensor, "... I"]) -> Float[Tensor, "... O"]:
        weight, bias = self.weight, self.bias  # asked once: `nn.Module` looks for each in Python
        if input.dtype == weight.dtype or torch.is_autocast_enabled(input.device.type):
            few = few_rows(input, weight)
            if few is not None:
                return few if bias is None else few + bias
            return F.linear(input, weight, bias)
        return widened_linear(input, weight, bias)


def few_rows(x: Float[Tensor, "... I"], weight: Float[Tensor, "O I"]) -> Float[Tensor, "... O"] | None:
    """The product for a few tokens in bfloat16 on a CPU, outside of training; None where PyTorch's serves."""
    if x.dtype != torch.bfloat16 or x.device.type != "cpu" or torch.is_grad_enabled():
        return None
    few = 0 < x.numel() <= _FEW_NARROW_ROWS * x.shape[-1] and compute_dtype(x.dtype, x.device) == x.dtype
    if not few or not PackedMatrix.takes(weight):
        return None
    out = quantized_rows(PackedMatrix(weight, None, None, 16), x.reshape(-1, x.shape[-1]))
    return None if out is None else out.to(x.dtype).view(*x.shape[:-1], -1)


def widened_linear(
    x: Float[Tensor, "... I"], weight: Float[Tensor, "O I"], bias: Float[Tensor, " O"] | None
) -> Float[Tensor, "... O"]:
    """`x @ weight.T + bias` in the dtype of `x`, for narrower weights."""
    if not x.numel():  # a part of a prompt after which nothing is asked
        return x.new_empty(*x.shape[:-1], len(weight))
    wide_bias = None if bias is None else bias.to(x.dtype)
    if x.numel() <= _FEW_ROWS * x.shape[-1]:
        out = torch.stack([_read_once(row, weight) for row in x.view(-1, x.shape[-1])]).view(*x.shape[:-1], -1)
        return out if wide_bias is None else out + wide_bias
    rows = max(1, _BLOCK // weight.shape[1])
    if rows >= weight.shape[0]:
        return F.linear(x, weight.to(x.dtype), wide_bias)
    blocks = [F.linear(x, block.to(x.dtype)) for block in weight.split(rows)]
    out = torch.cat(blocks, dim=-1)
    return out if wide_bias is None else out.add_(wide_bias)


def _read_once(x: Float[Tensor, " I"], weight: Float[Tensor, "O I"]) -> Float[Tensor, " O"]:
    out = narrow_matvec(weight, x)
    return F.linear(x.to(weight.dtype), weight).to(x.dtype) if out is None else out


def attention(
    q: Float[Tensor, "B N L H"], k: Float[Tensor, "B G S H"], v: Float[Tensor, "B G S H"], *, is_causal: bool = False
) -> Float[Tensor, "B N L H"]:
    """Scaled dot-product attention; N query heads share G key heads, and causal queries are the last L of S tokens.

    In bfloat16 on a CPU our kernel takes 0.36 to 0.5 of PyTorch's time. Under autocast on a CPU it stays in float32:
    on cores with AVX512-bf16 and without AMX, PyTorch's kernel and its backward pass take up to 2.8 times as long in
    bfloat16 (windows of 64 patches)."""
    out = flash_attention(q, k, v, is_causal=is_causal)
    if out is not None:
        return out
    options: dict[str, Any] = {"enable_gqa": q.shape[1] != k.shape[1]}
    if is_causal and q.shape[2] != k.shape[2]:
        options["attn_mask"] = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril(
            k.shape[2] - q.shape[2]
        )
    else:
        options["is_causal"] = is_causal
    if not (q.device.type == "cpu" and torch.is_autocast_enabled("cpu")):
        return F.scaled_dot_product_attention(q, k, v, **options)
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), **options)


class RMSNorm(nn.Module):
    """Root-mean-square normalisation: computed in float32, cast back, then scaled by the weight."""

    def __init__(self, dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Float[Tensor, "T D"]) -> Float[Tensor, "T D"]:
        weight = self.weight
        for norm in (rms_norm, trained_norm):
            if (out := norm(x, weight, self.eps)) is not None:
                return out
        return F.rms_norm(x, weight.shape, weight.to(x.dtype), self.eps)


class SwiGLU(nn.Module):
    """`down(silu(gate(x)) * up(x))`; with biases in the tower, without in the language model."""

    def __init__(self, dim: int, hidden: int, *, bias: bool) -> None:
        super().__init__()
        self.gate_proj = Linear(dim, hidden, bias=bias)
        self.up_proj = Linear(dim, hidden, bias=bias)
        self.down_proj = Linear(hidden, dim, bias=bias)

    def forward(self, x: Float[Tensor, "T D"]) -> Float[Tensor, "T D"]:
        gate, up = self.gate_proj(x), self.up_proj(x)
        hidden = swiglu(gate, up)
        hidden = trained_swiglu(gate, up) if hidden is None else hidden
        return self.down_proj(F.silu(gate) * up if hidden is None else hidden)


def inverse_frequencies(dim: int, theta: float, device: torch.device | None = None) -> Float[Tensor, " half"]:
    """`theta ** -(0, 2, 4, ... dim-2)/dim`, in float32."""
    return 1.0 / theta ** (torch.arange(0, dim, 2, dtype=torch.float32, device=device) / dim)


def vision_rope(
    rows_cols: Int[Tensor, "P 2"], head_dim: int
) -> tuple[Float[Tensor, "P half"], Float[Tensor, "P half"]]:
    """Cosine and sine for patches at (row, column) of their full grid.

    The first half of the angles turns with the row, the second with the column. For a head of 8 the
    frequencies are f = [1, 0.01] and the patch at row 2, column 5 gets angles [2, 0.02, 5, 0.05].
    """
    inv_freq = inverse_frequencies(head_dim // 2, 10000.0, rows_cols.device)
    angles = (rows_cols[:, :, None].float() * inv_freq).flatten(1)
    return angles.cos(), angles.sin()


def multimodal_rope(
    position_ids: Int[Tensor, "3 T"], head_dim: int, theta: float, mrope_section: tuple[int, int, int]
) -> tuple[Float[Tensor, "T half"], Float[Tensor, "T half"]]:
    """Cosine and sine where blocks of frequencies follow the temporal, height and width id.

    With sections (16, 24, 24), frequencies 0-15 turn with the temporal id, 16-39 with the height id,
    40-63 with the width id. Where the three ids are equal (text) this is one-dimensional RoPE.
    """
    inv_freq = inverse_frequencies(head_dim, theta, position_ids.device)
    parts = [ids[:, None].expand(-1, count) for ids, count in zip(position_ids, mrope_section, strict=True)]
    angles = torch.cat(parts, dim=1).float() * inv_freq
    return angles.cos(), angles.sin()


def rotate(x: Float[Tensor, "... half2"], cos: Float[Tensor, "... half"], sin: Float[Tensor, "... half"]) -> Tensor:
    """Turn pairs (x[i], x[i + half]) by their angles, in float32, giving back the dtype of `x`."""
    for turn in (rotate_heads, trained_rotation):
        if (turned := turn(x, cos, sin)) is not None:
            return turned
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)
