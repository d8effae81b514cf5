"""Keys and values in 8 bits: one scale for each head of each token, the head's largest number being 127.

A token that decodes reads them where they stand (`decode_attention`). Prompts after a past, GPUs and machines without a
compiler widen them first.
"""

import torch
from jaxtyping import Float, Int8
from torch import Tensor


def to_bytes(x: Float[Tensor, "*T H"]) -> tuple[Int8[Tensor, "*T H"], Float[Tensor, "*T"]]:
    wide = x.float()
    scales = wide.abs().amax(-1) / 127
    return (wide / scales.clamp(min=1e-38)[..., None]).round_().to(torch.int8), scales


def widen_bytes(numbers: Tensor, scales: Float[Tensor, "..."] | None, dtype: torch.dtype) -> Tensor:
    """Numbers (..., H) times their scales (...), rounded once; with no scales as they are."""
    return numbers if scales is None else (numbers * scales[..., None]).to(dtype)
