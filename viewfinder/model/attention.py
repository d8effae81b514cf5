"""Causal attention of packed sequences with a paged cache of their earlier keys and values.

`KVCache` holds blocks of `block_size` tokens for every layer. `KVCache.view(chunks)` is what the layers of the model
get for one step: it writes the new keys and values and attends to all that each sequence has. Sequences that decode
(one new token each) are attended together; prompts one by one. Nothing is padded but the tables of a group.
`engine.block_manager` decides which blocks a sequence has.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from viewfinder.config import TextConfig
from viewfinder.model.attention_metadata import Chunk, Group, Metadata, Single
from viewfinder.model.byte_cache import to_bytes, widen_bytes
from viewfinder.model.decode_attention import PagedRows, decode_attention, serves
from viewfinder.model.packed_attention import attend_causal
from viewfinder.model.varlen import decode_kernel, takes_pages


class KVCache:
    """The memory of all blocks: per layer (2, G, blocks, block size, H), keys before values.

    With `dtype` int8, each head of each token has a scale beside its numbers (float32), and takes half the memory of
    bfloat16. Prompts are attended in full, as they came; what is read back later is rounded.

    One block more than asked for is always zero. It stands behind the last block of a sequence that is read together
    with longer ones. Such places have weight 0, but 0 x NaN is NaN, so none may hold what memory happened to hold:
    `clear` is called for each block that is given out. And one more, `spare_block`, takes what the padding of a batch
    writes (`engine.decode_graphs`).
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
        shape = (2, config.num_key_value_heads, num_blocks + 2, block_size, config.head_dim)
        self.num_blocks, self.block_size, self._num_heads = num_blocks, block_size, config.num_attention_heads
        made = range(config.num_hidden_layers)
        self.layers = [torch.empty(shape, dtype=dtype, device=device) for _ in made]
        self.scales = [torch.empty(shape[:-1], device=device) for _ in made] if dtype == torch.int8 else []
        self.device, self.spare_block = self.layers[0].device, num_blocks + 1
        self.clear([num_blocks, self.spare_block])
        self.is_paged = takes_pages(self.layers[0], self._num_heads)
        self.decode_kernel = decode_kernel(self.layers[0], self._num_heads)

    @property
    def reads_in_place(self) -> bool:
        """Whether a kernel on a CPU reads the blocks of tokens that decode where they stand."""
        return serves(self.layers[0], self._num_heads)

    @staticmethod
    def block_bytes(config: TextConfig, block_size: int, dtype: torch.dtype) -> int:
        """Memory of one block in all layers."""
        head = config.head_dim * dtype.itemsize + (4 if dtype == torch.int8 else 0)
        return 2 * config.num_key_value_heads * head * config.num_hidden_layers * block_size

    def clear(self, blocks: Sequence[int]) -> None:
        """Fill blocks with zeros."""
        if blocks:
            numbers = torch.tensor(blocks, device=self.device)
            for layer in (*self.layers, *self.scales):
                layer.index_fill_(2, numbers, 0)

    def free(self) -> None:
        """Give the memory back; the cache is used no more."""
        self.layers.clear()
        self.scales.clear()

    def view(self, chunks: Sequence[Chunk]) -> list["LayerView"]:
        """What each layer needs for one step, `chunks` in the order of the packed tokens."""
        return self.views(Metadata.of(chunks, self))

    def views(self, metadata: Metadata) -> list["LayerView"]:
        """As `view`, of a step that is described already."""
        scales = self.scales or [None] * len(self.layers)
        return [LayerView(metadata, *parts) for parts in zip(self.layers, scales, strict=True)]


class LayerView:
    """One layer's keys and values as the tokens of one step see them."""

    def __init__(self, metadata: Metadata, memory: Tensor, scales: Tensor | None = None) -> None:
        self._metadata, self._memory, self._scales = metadata, memory, scales

    @property
    def paged(self) -> PagedRows | None:
        """All rows of the step for the kernels on a CPU; None where they do not serve."""
        group = self._metadata.together
        return None if group is None else group.paged

    @property
    def addresses(self) -> tuple[int, int | None]:
        """Of keys and values, and of their scales."""
        return self._memory.data_ptr(), None if self._scales is None else self._scales.data_ptr()

    def attend(
        self, q: Float[Tensor, "T N H"], k: Float[Tensor, "T G H"], v: Float[Tensor, "T G H"]
    ) -> Float[Tensor, "T D"]:
        """Write the new keys and values, then attend to everything that each sequence has."""
        self._write(k.transpose(0, 1), v.transpose(0, 1))
        return self.read(q, k, v)

    def write(self, kv: Float[Tensor, "T 2 G H"]) -> None:
        """Keys and values in one launch."""
        kv = kv.permute(1, 2, 0, 3)
        slots, memory = self._metadata.slots, self._memory.flatten(2, 3)
        if self._scales is not None:
            self._write(*kv)
        elif isinstance(slots, slice):
            memory[:, :, slots] = kv
        else:
            memory.index_copy_(2, slots, kv)

    def read(
        self, q: Float[Tensor, "T N H"], k: Float[Tensor, "T G H"], v: Float[Tensor, "T G H"]
    ) -> Float[Tensor, "T D"]:
        """Attend to everything that each sequence has; the new keys and values are written already."""
        metadata = self._metadata
        if metadata.in_place is not None:
            return metadata.in_place(q, self._memory).flatten(1)
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
        for i, x in enumerate((k, v)):
            parts = (x.to(self._memory.dtype),) if self._scales is None else to_bytes(x)
            for memory, part in zip((self._memory, self._scales), parts, strict=False):
                assert memory is not None
                places = memory[i].flatten(1, 2)
                if isinstance(slots, slice):
                    places[:, slots] = part
                else:
                    places.index_copy_(1, slots, part)

    def _attend(
        self, past: Single, q: Float[Tensor, "L N H"], k: Float[Tensor, "G L H"], v: Float[Tensor, "G L H"]
    ) -> Float[Tensor, "L D"]:
        """One sequence; its keys and values are read in place where its blocks are contiguous."""
        if past.length == past.count:
            return attend_causal(q, k, v)
        if isinstance(past.blocks, slice):
            places = past.blocks
            keys, values = self._wide(lambda memory: memory.flatten(2, 3)[:, :, places], q.dtype)
        else:
            keys, values = self._gather(past.blocks, q.dtype)[:, :, : past.length]
        return attend_causal(q, keys, values)

    def _decode(self, q: Float[Tensor, "R N H"], group: Group) -> Float[Tensor, "R D"]:
        """The heads of a group of heads stand as rows of one query matrix, so that keys are read once."""
        count, num_heads, head_dim = q.shape
        out = None if group.paged is None else decode_attention(q, self._memory, self._scales, group.paged)
        if out is not None:
            return out.flatten(1)
        keys, values = self._gather(group.blocks, q.dtype).transpose(1, 2)  # (R, G, S, H) each
        rows = q.reshape(count, keys.shape[1], num_heads // keys.shape[1], head_dim)
        return F.scaled_dot_product_attention(rows, keys, values, attn_mask=group.mask).reshape(count, -1)

    def _gather(self, blocks: Tensor, dtype: torch.dtype) -> Tensor:
        """Blocks (..., B) to keys and values (2, G, ..., tokens, H)."""
        found = self._wide(lambda memory: memory.index_select(2, blocks.flatten()), dtype)
        return found.unflatten(2, blocks.shape).flatten(-3, -2)

    def _wide(self, take: Callable[[Tensor], Tensor], dtype: torch.dtype) -> Tensor:
        scales = None if self._scales is None else take(self._scales)
        return widen_bytes(take(self._memory), scales, dtype)
