"""One step as a paged cache sees it: where new tokens are written, and which sequences attend to what.

The same for all layers. Sequences that decode (one new token each) are attended together, in groups of similar length;
prompts one by one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from viewfinder.model.varlen import Pages, Segments, paged_attention

if TYPE_CHECKING:
    from viewfinder.model.attention import KVCache


@dataclass(frozen=True)
class Chunk:
    """New tokens of one sequence: `num_new_tokens` after the `num_computed_tokens` that the cache holds already.

    `block_table` has the blocks of both. With blocks of 4 tokens, a table [7, 2] and 3 computed tokens, two new ones
    are written to the last place of block 7 and the first of block 2.
    """

    block_table: Sequence[int]
    num_computed_tokens: int
    num_new_tokens: int

    @property
    def length(self) -> int:
        """Tokens that the sequence has with the new ones."""
        return self.num_computed_tokens + self.num_new_tokens


@dataclass(frozen=True)
class Single:
    """A sequence that is attended by itself: `count` rows from `start` on, `length` tokens in all.

    `blocks` are the places of its tokens when its blocks follow one another, else the numbers of its blocks.
    """

    start: int
    count: int
    length: int
    blocks: slice | Tensor


@dataclass(frozen=True)
class Group:
    """Decoding sequences of similar length: their rows among the new tokens, their blocks, which places are theirs."""

    rows: Tensor
    blocks: Tensor
    lengths: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Metadata:
    """One step for all layers: where new tokens are written, and who attends to what: singles and groups, or all in one
    launch that reads the blocks where they are, `in_place(queries, memory)`."""

    slots: slice | Tensor
    singles: list[Single]
    groups: list[Group]
    in_place: Callable[[Tensor, Tensor], Tensor] | None = None

    @property
    def alone(self) -> Single | None:
        return self.singles[0] if len(self.singles) == 1 and not self.groups else None

    @property
    def together(self) -> Group | None:
        """The group of all rows, in their order."""
        return self.groups[0] if len(self.groups) == 1 and not self.singles else None

    @classmethod
    def of(cls, chunks: Sequence[Chunk], cache: "KVCache") -> "Metadata":
        if cache.decode_kernel is not None and all(chunk.num_new_tokens == 1 for chunk in chunks):
            lengths = torch.tensor([chunk.length for chunk in chunks], dtype=torch.int32)
            tables = _tables(chunks, cache).int().to(cache.device)
            return cls.decoding(cache, _slots(chunks, cache), tables, lengths.to(cache.device))
        if cache.is_paged:
            pages = _pages(chunks, cache)
            return cls(_slots(chunks, cache), [], [], lambda q, memory: paged_attention(q, memory, pages))
        singles: list[Single] = []
        decoding: dict[int, list[tuple[int, Chunk]]] = {}  # no sequence is read at more than about twice its length
        start = 0
        for chunk in chunks:
            if chunk.num_new_tokens == 1 and (len(chunks) > 1 or cache.scales):  # the kernel for bytes reads tables
                blocks = -(-chunk.length // cache.block_size)
                decoding.setdefault(blocks.bit_length(), []).append((start, chunk))
            else:
                singles.append(_single(start, chunk, cache))
            start += chunk.num_new_tokens
        return cls(_slots(chunks, cache), singles, [_group(members, cache) for members in decoding.values()])

    @classmethod
    def decoding(cls, cache: "KVCache", slots: slice | Tensor, table: Tensor, lengths: Tensor) -> "Metadata":
        """One new token of each sequence, by the kernel for decoding; see `paged_decode` for table and lengths."""
        kernel = cache.decode_kernel
        assert kernel is not None, "this cache has no kernel for decoding"
        return cls(slots, [], [], lambda q, memory: kernel(q, memory, table, lengths))


def _slots(chunks: Sequence[Chunk], cache: "KVCache") -> slice | Tensor:
    """Places of the new tokens: token t of a sequence stands at `block_table[t // size] * size + t % size`."""
    size = cache.block_size
    slots = [
        chunk.block_table[at // size] * size + at % size
        for chunk in chunks
        for at in range(chunk.num_computed_tokens, chunk.length)
    ]
    first, end = slots[0], slots[-1] + 1
    in_row = slots == list(range(first, end))
    return slice(first, end) if in_row else torch.tensor(slots, device=cache.device)


def _pages(chunks: Sequence[Chunk], cache: "KVCache") -> Pages:
    device, lengths = cache.device, [chunk.length for chunk in chunks]
    return Pages(
        Segments.of([chunk.num_new_tokens for chunk in chunks], device),
        _tables(chunks, cache).int().to(device),
        torch.tensor(lengths, dtype=torch.int32).to(device),
        max(lengths),
    )


def _tables(chunks: Sequence[Chunk], cache: "KVCache") -> Tensor:
    """The blocks of each sequence, and the one that is always zero behind them."""
    size = cache.block_size
    tables = torch.full((len(chunks), max(-(-chunk.length // size) for chunk in chunks)), cache.num_blocks)
    for row, chunk in zip(tables, chunks, strict=True):
        needed = -(-chunk.length // size)
        row[:needed] = torch.tensor(chunk.block_table[:needed])
    return tables


def _single(start: int, chunk: Chunk, cache: "KVCache") -> Single:
    size = cache.block_size
    table = list(chunk.block_table[: -(-chunk.length // size)])
    in_row, start_slot = table == list(range(table[0], table[0] + len(table))), table[0] * size
    places = slice(start_slot, start_slot + chunk.length)
    blocks = places if in_row else torch.tensor(table, device=cache.device)
    return Single(start, chunk.num_new_tokens, chunk.length, blocks)


def _group(members: list[tuple[int, Chunk]], cache: "KVCache") -> Group:
    size, device = cache.block_size, cache.device
    tables = _tables([chunk for _, chunk in members], cache)
    lengths = torch.tensor([chunk.length for _, chunk in members])
    mask = torch.arange(tables.shape[1] * size)[None] < lengths[:, None]
    rows = torch.tensor([start for start, _ in members], device=device)
    return Group(rows, tables.to(device), lengths.to(device), mask[:, None, None].to(device))
