"""Keys and values in 8 bits: one scale for each head of each token, the head's largest number being 127.

A token that decodes reads them where they stand, by the kernel of `byte_attention.c`. Prompts after a past, GPUs and
machines without a compiler widen them first.
"""

import torch
from jaxtyping import Float, Int8, Integer
from torch import Tensor

from viewfinder.model import native

_MAX_HEADS, _MAX_DIM = 16, 256
"""What the kernel has room for: query heads that share a key head, numbers of a head."""


def to_bytes(x: Float[Tensor, "G T H"]) -> tuple[Int8[Tensor, "G T H"], Float[Tensor, "G T"]]:
    wide = x.float()
    scales = wide.abs().amax(-1) / 127
    return (wide / scales.clamp(min=1e-38)[..., None]).round_().to(torch.int8), scales


def widen_bytes(numbers: Tensor, scales: Float[Tensor, "..."] | None, dtype: torch.dtype) -> Tensor:
    """Numbers (..., H) times their scales (...), rounded once; with no scales as they are."""
    return numbers if scales is None else (numbers * scales[..., None]).to(dtype)


def byte_attention(
    q: Float[Tensor, "R N H"],
    memory: Int8[Tensor, "2 G blocks size H"],
    scales: Float[Tensor, "2 G blocks size"],
    tables: Integer[Tensor, "R B"],
    lengths: Integer[Tensor, " R"],
) -> Float[Tensor, "R N H"] | None:
    """One new token of each sequence attends to all `lengths` tokens that its blocks hold; None where no kernel serves.

    Sums are in float32. A table [7, 2] with blocks of 4 and a length of 6 is block 7 and half of block 2.
    """
    _, groups, blocks, size, dim = memory.shape
    heads = q.shape[1] // groups
    fits = heads <= _MAX_HEADS and dim <= _MAX_DIM and dim % 16 == 0 and native.on_cpu(q, memory, scales)
    kernels = native.library() if fits and not torch.is_grad_enabled() else None
    if kernels is None:
        return None
    wide, tables, lengths = q.float().contiguous(), tables.contiguous(), lengths.contiguous()
    out = torch.empty_like(wide)
    pointers = (t.data_ptr() for t in (wide, memory, scales, tables, lengths, out))
    kernels.byte_attention(*pointers, len(q), groups, heads, blocks, size, dim, tables.shape[1])
    return out.to(q.dtype)
