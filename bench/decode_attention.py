"""Attention of tokens that decode, over a paged cache, beside PyTorch's: `python bench/decode_attention.py`.

`gathered` is PyTorch's on keys copied out of the blocks, as a program without such a kernel has to; `in a row` is
PyTorch's on keys that stand in a row already. Quartiles of processor time, in turns; below 1 ours is quicker.
"""

import time
from collections.abc import Callable
from itertools import product

import torch
from torch.nn import functional as F

from viewfinder.model.decode_attention import PagedRows, decode_attention

SIZE = 16
MOST = 64 * 1000
"""Tokens of all sequences."""


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def compare(sequences: int, length: int, groups: int, heads: int, dim: int, dtype: torch.dtype) -> tuple[float, ...]:
    needed = -(-length // SIZE)
    memory = torch.randn(2, groups, sequences * needed, SIZE, dim).to(dtype)
    q = torch.randn(sequences, groups * heads, dim).to(dtype)
    tables, lengths = torch.randperm(sequences * needed).view(sequences, needed), torch.full((sequences,), length)
    rows, queries = PagedRows(tables, lengths, memory), q.view(sequences, groups, heads, dim)

    def gather() -> tuple[torch.Tensor, ...]:
        found = memory.index_select(2, tables.flatten()).unflatten(2, tables.shape).flatten(3, 4)
        return tuple(found[:, :, :, :length].transpose(1, 2))

    keys, values = (x.contiguous() for x in gather())
    sides: tuple[Callable[[], object], ...] = (
        lambda: decode_attention(q, memory, None, rows),
        lambda: F.scaled_dot_product_attention(queries, *gather()),
        lambda: F.scaled_dot_product_attention(queries, keys, values),
    )
    times = [[seconds(side) for side in sides] for _ in range(41 if sequences * length < 10000 else 9)]
    return tuple(sorted(column)[len(times) // 4] for column in zip(*times, strict=True))


@torch.inference_mode()
def main() -> None:
    print("dtype    sequences length groups heads  dim    us   / gathered  / in a row")
    for dtype, shape in product((torch.bfloat16, torch.float32), ((2, 8, 128), (2, 7, 64))):
        for sequences, length in product((1, 4, 16, 64), (100, 1000, 8192)):
            if sequences * length <= MOST:
                ours, gathered, in_row = compare(sequences, length, *shape, dtype)
                name, sizes = str(dtype)[6:], f"{sequences:6} {length:8} {shape[0]:6} {shape[1]:5} {shape[2]:5}"
                print(f"{name:8} {sizes} {ours * 1e6:8.0f} {ours / gathered:8.2f} {ours / in_row:8.2f}", flush=True)


if __name__ == "__main__":
    main()
