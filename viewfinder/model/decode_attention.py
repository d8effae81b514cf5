"""Attention of tokens that decode on a CPU, by the kernel of `paged_attention.c`: it reads a paged cache in place.

Sums are in float32. A result depends neither on the other sequences of a step nor on the number of threads.
"""

import ctypes

import torch
from jaxtyping import Float, Integer, Shaped
from torch import Tensor

from viewfinder.model import native

_MAX_HEADS, _MAX_DIM = 16, 256
"""What the kernel has room for: query heads that share a key head, numbers of a head."""


class PagedRows(ctypes.Structure):
    """`Paged` of `paged_attention.h`: what each token of a step sees of a layer's memory; the same for all layers.

    A table [7, 2] with blocks of 4 and a length of 6 is block 7 and half of block 2.
    """

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("tables", "lengths")),
        *((name, ctypes.c_long) for name in ("rows", "width", "groups", "blocks", "size", "dim", "bits")),
    ]

    def __init__(self, tables: Integer[Tensor, "R B"], lengths: Integer[Tensor, " R"], memory: Tensor) -> None:
        assert tables.dtype == lengths.dtype == torch.int64
        assert tables.is_contiguous()
        bits = 8 * memory.element_size()
        super().__init__(tables.data_ptr(), lengths.data_ptr(), *tables.shape, *memory.shape[1:], bits)
        self.tensors = tables, lengths


def serves(memory: Shaped[Tensor, "2 G blocks size H"], num_heads: int) -> bool:
    """Whether the kernel is there and takes such a cache."""
    groups, dim = memory.shape[1], memory.shape[4]
    fits = num_heads <= groups * _MAX_HEADS and dim <= _MAX_DIM and dim % 16 == 0 and memory.is_contiguous()
    known = memory.dtype in (torch.float32, torch.bfloat16, torch.int8)
    return fits and known and native.kernel("paged_attention", memory) is not None


def decode_attention(
    q: Float[Tensor, "R N H"], memory: Tensor, scales: Float[Tensor, "2 G blocks size"] | None, rows: PagedRows
) -> Float[Tensor, "R N H"] | None:
    """Each token attends to all that its sequence has up to itself; None where the kernel cannot serve."""
    fits = q.dtype in (torch.float32, torch.bfloat16) and not q.requires_grad
    kernel = native.kernel("paged_attention", q, memory) if fits else None
    if kernel is None:
        return None
    q = q.contiguous()
    out = torch.empty_like(q)
    pointers = (None if t is None else t.data_ptr() for t in (memory, scales, q, out))
    kernel(ctypes.byref(rows), *pointers, q.shape[1] // memory.shape[1], q.dtype == torch.float32)
    return out
