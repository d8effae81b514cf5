"""Keys and values in blocks, and attention over them for one step of many requests.

One tensor a layer, (blocks, block size, 2, G, H), keys and values side by side, so that a request's past is
one gather. Requests that decode (one new token each) are attended together, in groups of similar length;
prompts one by one. Knows block tables, not whose they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from viewfinder.config import TextConfig
from viewfinder.model.attention import causal_attention
from viewfinder.model.kv_cache import LayerCache


class PagedStore:
    """The memory of all blocks, and one more that is always zero, for places behind a request's last block.

    Masked places are read too (with weight 0), and 0 x NaN is NaN: so none may hold what memory happened to hold,
    nor what a broken request left there. `clear` is called for each block that is given out.
    """

    def __init__(
        self, config: TextConfig, num_blocks: int, block_size: int, dtype: torch.dtype, device: torch.device | str
    ) -> None:
        shape = (num_blocks + 1, block_size, 2, config.num_key_value_heads, config.head_dim)
        self.block_size = block_size
        self.zero_block = num_blocks
        self.layers = [torch.empty(shape, dtype=dtype, device=device) for _ in range(config.num_hidden_layers)]
        self.clear([self.zero_block])

    def clear(self, blocks: Sequence[int]) -> None:
        """Fill blocks with zeros."""
        numbers = torch.tensor(blocks, device=self.layers[0].device)
        for pool in self.layers:
            pool.index_fill_(0, numbers, 0.0)

    @staticmethod
    def block_bytes(config: TextConfig, block_size: int, dtype: torch.dtype) -> int:
        """Memory of one block in all layers."""
        values = 2 * config.num_key_value_heads * config.head_dim * config.num_hidden_layers
        return values * block_size * torch.empty(0, dtype=dtype).element_size()


@dataclass(frozen=True)
class Stretch:
    """`count` new tokens of one request after `past` cached ones; `table` has the blocks of both."""

    table: Sequence[int]
    past: int
    count: int

    @property
    def seen(self) -> int:
        return self.past + self.count


@dataclass(frozen=True)
class _Group:
    """Decoding requests of similar length: their rows among the new tokens, their blocks, what is not theirs."""

    rows: Tensor
    blocks: Tensor
    mask: Tensor


class StepCaches:
    """What the model's layers need to attend in one step; made anew for each."""

    def __init__(self, store: PagedStore, stretches: Sequence[Stretch]) -> None:
        """`stretches` stand in the order of the packed tokens."""
        device = store.layers[0].device
        size = store.block_size
        slots = [s.table[at // size] * size + at % size for s in stretches for at in range(s.past, s.seen)]
        self.slots = torch.tensor(slots, device=device)
        starts = [0]
        for stretch in stretches:
            starts.append(starts[-1] + stretch.count)
        decoding = [(start, s) for start, s in zip(starts, stretches, strict=False) if s.count == 1]
        self.prompts = [
            (start, s, torch.tensor(list(s.table[: -(-s.seen // size)]), device=device))
            for start, s in zip(starts, stretches, strict=False)
            if s.count > 1
        ]
        self.groups = [_group(members, store) for members in _by_length(decoding, size)]
        self.num_tokens = starts[-1]
        self.layers = [StepLayer(self, pool) for pool in store.layers]


def _by_length(decoding: list[tuple[int, Stretch]], size: int) -> list[list[tuple[int, Stretch]]]:
    """Groups in which no request is read at more than about twice its length."""
    groups: dict[int, list[tuple[int, Stretch]]] = {}
    for start, stretch in decoding:
        groups.setdefault((-(-stretch.seen // size)).bit_length(), []).append((start, stretch))
    return list(groups.values())


def _group(members: list[tuple[int, Stretch]], store: PagedStore) -> _Group:
    size, device = store.block_size, store.layers[0].device
    width = max(-(-s.seen // size) for _, s in members)
    tables = torch.full((len(members), width), store.zero_block)
    for i, (_, s) in enumerate(members):
        needed = -(-s.seen // size)
        tables[i, :needed] = torch.tensor(list(s.table[:needed]))
    seen = torch.tensor([s.seen for _, s in members])
    mask = torch.arange(width * size)[None] < seen[:, None]
    rows = torch.tensor([start for start, _ in members], device=device)
    return _Group(rows, tables.to(device), mask[:, None, None].to(device))


class StepLayer:
    """One layer's part of a step."""

    def __init__(self, step: StepCaches, pool: Tensor) -> None:
        self._step, self._pool = step, pool

    def attend(
        self, q: Float[Tensor, "T N H"], k: Float[Tensor, "T G H"], v: Float[Tensor, "T G H"]
    ) -> Float[Tensor, "T D"]:
        """Write the new keys and values, then attend to everything each request has."""
        step = self._step
        self._pool.flatten(0, 1).index_copy_(0, step.slots, torch.stack((k, v), dim=1).to(self._pool.dtype))
        out = q.new_empty(q.shape[0], q.shape[1] * q.shape[2])
        for group in step.groups:
            out[group.rows] = self._decode(q[group.rows], group)
        for start, stretch, blocks in step.prompts:
            part = slice(start, start + stretch.count)
            past = _Gathered(self._gather(blocks)[: stretch.seen])
            out[part] = causal_attention(q[part], k[part], v[part], [stretch.count], [past])
        return out

    def _gather(self, blocks: Tensor) -> Tensor:
        """(..., blocks) to (..., tokens, 2, G, H)."""
        return self._pool.index_select(0, blocks.flatten()).unflatten(0, blocks.shape).flatten(-5, -4)

    def _decode(self, q: Float[Tensor, "R N H"], group: _Group) -> Float[Tensor, "R D"]:
        """The heads of a group of heads stand as rows of one query matrix, so that keys are read once."""
        count, num_heads, head_dim = q.shape
        keys, values = self._gather(group.blocks).permute(2, 0, 3, 1, 4).unbind(0)  # (R, G, S, H) each
        rows = q.reshape(count, keys.shape[1], num_heads // keys.shape[1], head_dim)
        return F.scaled_dot_product_attention(rows, keys, values, attn_mask=group.mask).reshape(count, -1)


class _Gathered(LayerCache):
    """All keys and values of one request, in the form that `causal_attention` asks a cache for."""

    def __init__(self, both: Float[Tensor, "S 2 G H"]) -> None:
        self.keys, self.values = both.permute(1, 2, 0, 3).unbind(0)
        self.length = both.shape[0]

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """The new ones are written already."""
        return self.keys, self.values
