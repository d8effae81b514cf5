"""Attention of one new token a sequence to a paged cache, in two Triton kernels; only ever imported on a GPU.

Decoding has few queries and many keys, so the keys of a sequence are split among programs ("split-K"): `_partials`
makes for each split its largest score, the sum of its weights and the weighted sum of its values, and `_merge` puts
them together (online softmax, arXiv 2205.14135; splits as in FlashDecoding). Nothing of a launch depends on the
lengths, so a CUDA graph can hold it. Products are summed in float32. With `TRITON_INTERPRET=1` it runs on a CPU
(`make test-triton`).

With splits of 64 tokens at least, a sequence of 150 tokens and 2 splits has the tokens 0..127 and 128..149.
"""

from contextlib import nullcontext

import torch
import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]
from torch import Tensor

_TILE = 64
"""Tokens read at a time."""
_PROGRAMS = 256
"""Wanted at least, about two for each multiprocessor of the largest GPUs."""
_MOST_SPLITS = 64
_LOG2_E = 1.4426950408889634


def paged_decode(q: Tensor, memory: Tensor, table: Tensor, lengths: Tensor, splits: int | None = None) -> Tensor:
    """Attention of each sequence's last token to all its tokens, (S, N, H), in the dtype of `q`.

    Args:
        q: queries (S, N, H); rows and heads may be strided. H is a multiple of 16, N of G.
        memory: keys and values, contiguous (2, G, blocks, block size, H).
        table: blocks of each sequence, integers (S, B), strided as it likes; what stands behind a sequence's last
            block is not read.
        lengths: tokens of each sequence, integers (S), contiguous, 1 at least.
        splits: of each sequence's keys, a power of two; by default enough to fill a GPU.
    """
    count, num_heads, dim = q.shape
    groups, size = memory.shape[1], memory.shape[3]
    assert memory.is_contiguous()
    assert q.stride(2) == lengths.stride(0) == 1
    wanted = splits or min(_MOST_SPLITS, triton.next_power_of_2(triton.cdiv(_PROGRAMS, count * groups)))
    parts = q.new_empty(count, num_heads, wanted, dim, dtype=torch.float32)
    sums = q.new_empty(count, num_heads, wanted, 2, dtype=torch.float32)
    out = q.new_empty(count, num_heads, dim)
    shape = {"DIM": dim, "DIM_PADDED": triton.next_power_of_2(dim), "SPLITS": wanted}
    heads = num_heads // groups
    strides = (q.stride(0), q.stride(1), memory.stride(0), memory.stride(1), table.stride(0), table.stride(1))
    # Triton starts on the current device, which need not be that of the tensors
    with torch.cuda.device(q.device) if q.is_cuda else nullcontext():
        _partials[count, groups, wanted](  # pyright: ignore[reportIndexIssue]
            *(q, memory, table, lengths, parts, sums, dim**-0.5 * _LOG2_E, *strides),
            **shape,
            SIZE=size,
            HEADS=heads,
            HEADS_PADDED=max(16, triton.next_power_of_2(heads)),  # the least that a product of matrices takes
            TILE=_TILE,
            WIDE=not q.is_cuda,
        )
        _merge[count, num_heads](parts, sums, out, **shape)  # pyright: ignore[reportIndexIssue]
    return out


@triton.jit(do_not_specialize=["table_row", "table_column"])
def _partials(
    q, memory, table, lengths, parts, sums, scale,
    q_row, q_head, memory_values, memory_group, table_row, table_column,
    DIM: tl.constexpr, DIM_PADDED: tl.constexpr, SPLITS: tl.constexpr, SIZE: tl.constexpr,
    HEADS: tl.constexpr, HEADS_PADDED: tl.constexpr, TILE: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """One split of one sequence for the heads that share its keys. Triton's interpreter multiplies the bits of bfloat16
    as if they were integers, so there operands are `WIDE`."""
    row, group, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    length = tl.load(lengths + row)
    each = tl.cdiv(tl.cdiv(length, TILE), SPLITS) * TILE
    start = split * each
    end = tl.minimum(start + each, length)
    heads, dims = tl.arange(0, HEADS_PADDED), tl.arange(0, DIM_PADDED)
    head, is_dim = group * HEADS + heads, dims[None, :] < DIM
    is_query = (heads[:, None] < HEADS) & is_dim
    queries = tl.load(q + row * q_row + head[:, None] * q_head + dims[None, :], mask=is_query, other=0.0)
    if WIDE:
        queries = queries.to(tl.float32)
    keys_at = memory + group.to(tl.int64) * memory_group  # a cache has more than 2**31 numbers
    largest = tl.full([HEADS_PADDED], float("-inf"), tl.float32)
    total = tl.zeros([HEADS_PADDED], tl.float32)
    seen = tl.zeros([HEADS_PADDED, DIM_PADDED], tl.float32)
    for at in range(start, end, TILE):
        tokens = at + tl.arange(0, TILE)
        block = tl.load(table + row * table_row + tokens // SIZE * table_column, mask=tokens < end, other=0)
        places = ((block.to(tl.int64) * SIZE + tokens % SIZE) * DIM)[:, None] + dims[None, :]
        is_there = (tokens[:, None] < end) & is_dim
        keys = tl.load(keys_at + places, mask=is_there, other=0.0)
        values = tl.load(keys_at + memory_values + places, mask=is_there, other=0.0)
        if WIDE:
            keys, values = keys.to(tl.float32), values.to(tl.float32)
        scores = tl.dot(queries, tl.trans(keys), input_precision="ieee") * scale
        scores = tl.where(tokens[None, :] < end, scores, float("-inf"))
        larger = tl.maximum(largest, tl.max(scores, 1))
        weights, shrink = tl.exp2(scores - larger[:, None]), tl.exp2(largest - larger)
        seen = seen * shrink[:, None] + tl.dot(weights.to(values.dtype), values, input_precision="ieee")
        total = total * shrink + tl.sum(weights, 1)
        largest = larger
    part = (row * tl.num_programs(1) * HEADS + head) * SPLITS + split
    tl.store(parts + part[:, None] * DIM + dims[None, :], seen, mask=is_query)
    tl.store(sums + 2 * part, largest, mask=heads < HEADS)
    tl.store(sums + 2 * part + 1, total, mask=heads < HEADS)


@triton.jit
def _merge(parts, sums, out, DIM: tl.constexpr, DIM_PADDED: tl.constexpr, SPLITS: tl.constexpr):
    """The splits of one head; those without a token have the largest score of minus infinity, and weight 0."""
    at = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    split, dims = at * SPLITS + tl.arange(0, SPLITS), tl.arange(0, DIM_PADDED)
    largest = tl.load(sums + 2 * split)
    weights = tl.exp2(largest - tl.max(largest, 0))
    seen = tl.load(parts + split[:, None] * DIM + dims[None, :], mask=dims[None, :] < DIM, other=0.0)
    found = tl.sum(seen * weights[:, None], 0) / tl.sum(tl.load(sums + 2 * split + 1) * weights, 0)
    tl.store(out + at * DIM + dims, found.to(out.dtype.element_ty), mask=dims < DIM)
