"""A linear layer that is quick where the processor cannot multiply its weights' dtype.

Many CPUs have no 16-bit arithmetic; a matrix product of bfloat16 then runs many times slower than one of
float32. There, weights stay in 16 bits (half the memory), activations are float32, and each product
widens one block of weights at a time. A single token is a pure read of the weights, which stay narrow.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.model.native import narrow_matvec, narrow_rows

_BLOCK = 1 << 24
"""Weights widened at a time: 64 MiB of float32, small beside any model that needs this."""
_FEW_ROWS = 2
"""Up to so many tokens, reading narrow weights once a token beats widening them."""
_FEW_NARROW_ROWS = 4
"""Up to so many tokens in bfloat16, our product beats PyTorch's (twice as fast for one, equal for eight)."""


def compute_dtype(weight_dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """The dtype in which activations are kept for weights of `weight_dtype` on `device`."""
    if device.type != "cpu" or weight_dtype not in (torch.bfloat16, torch.float16):
        return weight_dtype
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return weight_dtype if native and weight_dtype == torch.bfloat16 else torch.float32


class Linear(nn.Linear):
    """`nn.Linear` for input in the weights' dtype, in float32 with narrower weights, or under autocast."""

    def forward(self, x: Float[Tensor, "... I"]) -> Float[Tensor, "... O"]:
        if x.dtype == self.weight.dtype or torch.is_autocast_enabled(x.device.type):
            return F.linear(x, self.weight, self.bias)
        return widened_linear(x, self.weight, self.bias)


def _few_rows(x: Float[Tensor, "... I"], weight: Float[Tensor, "O I"]) -> Float[Tensor, "... O"] | None:
    """The product for a few tokens in bfloat16 on a CPU, outside of training; None where PyTorch's serves."""
    if x.dtype != torch.bfloat16 or x.device.type != "cpu" or torch.is_grad_enabled():
        return None
    if x.numel() > _FEW_NARROW_ROWS * x.shape[-1]:
        return None
    out = narrow_rows(weight, x.reshape(-1, x.shape[-1]))
    return None if out is None else out.to(x.dtype).view(*x.shape[:-1], -1)


def widened_linear(
    x: Float[Tensor, "... I"], weight: Float[Tensor, "O I"], bias: Float[Tensor, " O"] | None
) -> Float[Tensor, "... O"]:
    """`x @ weight.T + bias` in the dtype of `x`, for narrower weights."""
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
