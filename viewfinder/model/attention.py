"""Causal attention of packed sequences with a paged cache of their earlier keys and values.

`KVCache` holds blocks of `block_size` tokens for every layer. `KVCache.view(chunks)` is what the layers of the model
get for one step: it writes the new keys and values and attends to all that each sequence has. Sequences that decode
(one new token each) are attended together, in groups of similar length; prompts one by one. Nothing is padded but
the tables of a group. `engine.block_manager` decides which blocks a sequence has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from viewfinder.config import TextConfig
from viewfinder.model.packed_attention import attend_causal
from viewfinder.model.varlen import Pages, Segments, paged_attention, takes_pages


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


class KVCache:
    """The memory of all blocks: per layer (2, G, blocks, block size, H), keys before values.

    One extra block is always zero. It pads the block table of a sequence that is read together with longer ones. Such
    places have weight 0, but 0 x NaN is NaN, so no block may contain uninitialized memory: `clear` is called for each
    block that is allocated.
    """

    def __init__(
        self,
        config: TextConfig,
        num_blocks: int,
        block_size: int = 16,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        shape = (2, config.num_key_value_heads, num_blocks + 1, block_size, config.head_dim)
        self.num_blocks, self.block_size, self._num_heads = num_blocks, block_size, config.num_attention_heads
        self.layers = [torch.empty(shape, dtype=dtype, device=device) for _ in range(config.num_hidden_layers)]
        self.clear([num_blocks])
        self.is_paged = takes_pages(self.layers[0], self._num_heads)

    @staticmethod
    def block_bytes(config: TextConfig, block_size: int, dtype: torch.dtype) -> int:
        """Memory of one block in all layers."""
        values = 2 * config.num_key_value_heads * config.head_dim * config.num_hidden_layers
        return values * block_size * dtype.itemsize

    def clear(self, blocks: Sequence[int]) -> None:
        """Fill blocks with zeros."""
        if blocks:
            numbers = torch.tensor(blocks, device=self.layers[0].device)
            for layer in self.layers:
                layer.index_fill_(2, numbers, 0.0)

    def view(self, chunks: Sequence[Chunk]) -> list["LayerView"]:
        """What each layer needs for one step, `chunks` in the order of the packed tokens."""
        metadata = _Metadata.of(chunks, self)
        return [LayerView(metadata, layer) for layer in self.layers]


class LayerView:
    """One layer's keys and values as the tokens of one step see them."""

    def __init__(self, metadata: "_Metadata", memory: Tensor) -> None:
        self._metadata, self._memory = metadata, memory

    def attend(
        self, q: Float[Tensor, "T N H"], k: Float[Tensor, "T G H"], v: Float[Tensor, "T G H"]
    ) -> Float[Tensor, "T D"]:
        """Write the new keys and values, then attend to everything that each sequence has."""
        self._write(k.transpose(0, 1).to(self._memory.dtype), v.transpose(0, 1).to(self._memory.dtype))
        return self.read(q, k, v)

    def write(self, kv: Float[Tensor, "T 2 G H"]) -> None:
        """Keys and values in one launch."""
        slots, memory = self._metadata.slots, self._memory.flatten(2, 3)
        kv = kv.permute(1, 2, 0, 3)
        if isinstance(slots, slice):
            memory[:, :, slots] = kv
        else:
            memory.index_copy_(2, slots, kv)

    def read(
        self, q: Float[Tensor, "T N H"], k: Float[Tensor, "T G H"], v: Float[Tensor, "T G H"]
    ) -> Float[Tensor, "T D"]:
        """Attend to everything that each sequence has; the new keys and values are written already."""
        metadata = self._metadata
        if metadata.pages is not None:
            return paged_attention(q, self._memory, metadata.pages).flatten(1)
        if metadata.together is not None:
            return self._decode(q, metadata.together)
        k, v = k.transpose(0, 1), v.transpose(0, 1)
        if metadata.alone is not None:  # one sequence: nothing to gather and scatter among the rows
            return self._attend(metadata.alone, q, k, v)
        out = q.new_empty(q.shape[0], q.shape[1] * q.shape[2])
        for group in metadata.groups:
            out[group.rows] = self._decode(q[group.rows], group)
        for past in metadata.singles:
            rows = slice(past.start, past.start + past.count)
            out[rows] = self._attend(past, q[rows], k[:, rows], v[:, rows])
        return out

    def _write(self, k: Float[Tensor, "G T H"], v: Float[Tensor, "G T H"]) -> None:
        slots = self._metadata.slots
        keys, values = self._memory.flatten(2, 3)
        if isinstance(slots, slice):
            keys[:, slots], values[:, slots] = k, v
        else:
            keys.index_copy_(1, slots, k)
            values.index_copy_(1, slots, v)

    def _attend(
        self, past: "_Single", q: Float[Tensor, "L N H"], k: Float[Tensor, "G L H"], v: Float[Tensor, "G L H"]
    ) -> Float[Tensor, "L D"]:
        """One sequence; its keys and values are read in place where its blocks are contiguous."""
        if past.length == past.count:
            return attend_causal(q, k, v)
        if isinstance(past.blocks, slice):
            keys, values = self._memory.flatten(2, 3)[:, :, past.blocks]
        else:
            keys, values = self._gather(past.blocks)[:, :, : past.length]
        return attend_causal(q, keys, values)

    def _decode(self, q: Float[Tensor, "R N H"], group: "_Group") -> Float[Tensor, "R D"]:
        """The heads of a group of heads stand as rows of one query matrix, so that keys are read once."""
        count, num_heads, head_dim = q.shape
        keys, values = self._gather(group.blocks).transpose(1, 2)  # (R, G, S, H) each
        rows = q.reshape(count, keys.shape[1], num_heads // keys.shape[1], head_dim)
        return F.scaled_dot_product_attention(rows, keys, values, attn_mask=group.mask).reshape(count, -1)

    def _gather(self, blocks: Tensor) -> Tensor:
        """Blocks (..., B) to keys and values (2, G, ..., tokens, H)."""
        found = self._memory.index_select(2, blocks.flatten())
        return found.unflatten(2, blocks.shape).flatten(-3, -2)


@dataclass(frozen=True)
class _Single:
    """A sequence that is attended to by itself: `count` rows from `start` on, `length` tokens in all.

    `blocks` is the slice of its tokens where its blocks are contiguous, else the numbers of its blocks.
    """

    start: int
    count: int
    length: int
    blocks: slice | Tensor


@dataclass(frozen=True)
class _Group:
    """Decoding sequences of similar length: their rows among the new tokens, their blocks, which places are theirs."""

    rows: Tensor
    blocks: Tensor
    mask: Tensor


@dataclass(frozen=True)
class _Metadata:
    """One step for all layers: where new tokens are written, and which keys each of them attends to."""

    slots: slice | Tensor
    singles: list[_Single]
    groups: list[_Group]
    pages: Pages | None = None

    @property
    def alone(self) -> _Single | None:
        return self.singles[0] if len(self.singles) == 1 and not self.groups else None

    @property
    def together(self) -> _Group | None:
        """The group of all rows, in their order."""
        return self.groups[0] if len(self.groups) == 1 and not self.singles else None

    @classmethod
    def of(cls, chunks: Sequence[Chunk], cache: KVCache) -> "_Metadata":
        if cache.is_paged:
            return cls(_slots(chunks, cache), [], [], _pages(chunks, cache))
        singles: list[_Single] = []
        decoding: dict[int, list[tuple[int, Chunk]]] = {}  # no sequence is read at more than about twice its length
        start = 0
        for chunk in chunks:
            if chunk.num_new_tokens == 1 and len(chunks) > 1:
                blocks = -(-chunk.length // cache.block_size)
                decoding.setdefault(blocks.bit_length(), []).append((start, chunk))
            else:
                singles.append(_single(start, chunk, cache))
            start += chunk.num_new_tokens
        return cls(_slots(chunks, cache), singles, [_group(members, cache) for members in decoding.values()])


def _slots(chunks: Sequence[Chunk], cache: KVCache) -> slice | Tensor:
    """Places of the new tokens: token t of a sequence stands at `block_table[t // size] * size + t % size`."""
    size = cache.block_size
    slots = [
        chunk.block_table[at // size] * size + at % size
        for chunk in chunks
        for at in range(chunk.num_computed_tokens, chunk.length)
    ]
    first, end = slots[0], slots[-1] + 1
    in_row = slots == list(range(first, end))
    return slice(first, end) if in_row else torch.tensor(slots, device=cache.layers[0].device)


def _pages(chunks: Sequence[Chunk], cache: KVCache) -> Pages:
    device, lengths = cache.layers[0].device, [chunk.length for chunk in chunks]
    return Pages(
        Segments.of([chunk.num_new_tokens for chunk in chunks], device),
        _tables(chunks, cache).int().to(device),
        torch.tensor(lengths, dtype=torch.int32).to(device),
        max(lengths),
    )


def _tables(chunks: Sequence[Chunk], cache: KVCache) -> Tensor:
    """The blocks of each sequence, and the one that is always zero behind them."""
    size = cache.block_size
    tables = torch.full((len(chunks), max(-(-chunk.length // size) for chunk in chunks)), cache.num_blocks)
    for row, chunk in zip(tables, chunks, strict=True):
        needed = -(-chunk.length // size)
        row[:needed] = torch.tensor(chunk.block_table[:needed])
    return tables


def _single(start: int, chunk: Chunk, cache: KVCache) -> _Single:
    size = cache.block_size
    table = list(chunk.block_table[: -(-chunk.length // size)])
    in_row, start_slot = table == list(range(table[0], table[0] + len(table))), table[0] * size
    places = slice(start_slot, start_slot + chunk.length)
    blocks = places if in_row else torch.tensor(table, device=cache.layers[0].device)
    return _Single(start, chunk.num_new_tokens, chunk.length, blocks)


def _group(members: list[tuple[int, Chunk]], cache: KVCache) -> _Group:
    size, device = cache.block_size, cache.layers[0].device
    tables = _tables([chunk for _, chunk in members], cache)
    lengths = torch.tensor([chunk.length for _, chunk in members])
    mask = torch.arange(tables.shape[1] * size)[None] < lengths[:, None]
    rows = torch.tensor([start for start, _ in members], device=device)
    return _Group(rows, tables.to(device), mask[:, None, None].to(device))
