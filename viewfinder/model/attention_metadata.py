"""One step as a paged cache sees it: where new tokens are written, and which sequences attend to what.

The same for all layers. Sequences that decode (one new token each) are attended together; prompts one by one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from viewfinder.model.decode_attention import PagedRows
from viewfinder.model.varlen import Pages, Segments, paged_attention

if TYPE_CHECKING:
    from viewfinder.model.attention import KVCache


_FEW_TOKENS = 4
"""So many new tokens after a past are attended to as if each decoded, where a kernel does that."""


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
    """Tokens that decode: their rows among the new tokens, the blocks of their sequences, of which each sees `lengths`
    tokens; `paged` is for the kernel on a CPU."""

    rows: Tensor
    blocks: Tensor
    lengths: Tensor
    block_size: int
    paged: PagedRows | None = None

    @cached_property
    def mask(self) -> Tensor:
        """Which places are theirs, (R, 1, 1, tokens)."""
        places = torch.arange(self.blocks.shape[1] * self.block_size, device=self.blocks.device)
        return (places < self.lengths[:, None])[:, None, None]


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
        return cls(_slots(chunks, cache), *(_in_place if cache.reads_in_place else _gathered)(chunks, cache))

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


def _in_place(chunks: Sequence[Chunk], cache: "KVCache") -> tuple[list[Single], list[Group]]:
    """For the kernel on a CPU. Of a few tokens after a past, each is a row with the same blocks and its own length."""
    singles: list[Single] = []
    decoding: list[tuple[int, Chunk]] = []
    start = 0
    for chunk in chunks:
        past, count = chunk.num_computed_tokens, chunk.num_new_tokens
        if count == 1 or (past and count <= _FEW_TOKENS):
            decoding += [(start + i, Chunk(chunk.block_table, past + i, 1)) for i in range(count)]
        else:
            singles.append(_single(start, chunk, cache))
        start += count
    return singles, [_group(decoding, cache)] if decoding else []


def _gathered(chunks: Sequence[Chunk], cache: "KVCache") -> tuple[list[Single], list[Group]]:
    """For PyTorch: groups of similar length, so that no sequence is read at more than about twice its length."""
    singles: list[Single] = []
    decoding: dict[int, list[tuple[int, Chunk]]] = {}
    start = 0
    for chunk in chunks:
        if chunk.num_new_tokens == 1 and len(chunks) > 1:
            blocks = -(-chunk.length // cache.block_size)
            decoding.setdefault(blocks.bit_length(), []).append((start, chunk))
        else:
            singles.append(_single(start, chunk, cache))
        start += chunk.num_new_tokens
    return singles, [_group(members, cache) for members in decoding.values()]


def _single(start: int, chunk: Chunk, cache: "KVCache") -> Single:
    size = cache.block_size
    table = list(chunk.block_table[: -(-chunk.length // size)])
    in_row, start_slot = table == list(range(table[0], table[0] + len(table))), table[0] * size
    places = slice(start_slot, start_slot + chunk.length)
    blocks = places if in_row else torch.tensor(table, device=cache.device)
    return Single(start, chunk.num_new_tokens, chunk.length, blocks)


def _group(members: list[tuple[int, Chunk]], cache: "KVCache") -> Group:
    device = cache.device
    tables = _tables([chunk for _, chunk in members], cache).to(device)
    lengths = torch.tensor([chunk.length for _, chunk in members], device=device)
    rows = torch.tensor([start for start, _ in members], device=device)
    paged = PagedRows(tables, lengths, cache.layers[0]) if cache.reads_in_place else None
    return Group(rows, tables, lengths, cache.block_size, paged)
