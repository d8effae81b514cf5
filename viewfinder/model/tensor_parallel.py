"""The part of a model that one of several processes has: tensor parallelism for inference, as Megatron cuts it.

Each process (a rank) has its share of the heads and of the feed-forward width of every layer. What `o_proj` and
`down_proj` make is summed over the ranks, so a layer has two all-reduces. The output projection is cut by tokens of the
vocabulary. Norms are whole on each rank.

Rank 0 alone has the tower and the embedding table, since it alone knows the request: it broadcasts the embedded tokens,
and the others have nothing to do with pictures, sampling or grammars. With 72B this costs it 3.8 GB more than the
others (tower 1.3, table 2.5), and spares seven others of eight the tower's 1.3 GB. A tower cut by heads would need 64
all-reduces a picture for 1.3 GB of weights.

The weights are plain tensors: native kernels, the paged cache and the joined projections take them as they are.
Before a collective, rank 0 tells the others what comes, by `Lead`; `viewfinder.engine.ranks` has the processes.
"""

import itertools
import math
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from viewfinder.config import Count, ModelConfig, TextConfig
from viewfinder.errors import SettingsError
from viewfinder.model.attention import Chunk, KVCache, LayerView
from viewfinder.model.parallel_linear import GatheredLinear, SummedLinear
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL, TextLayer, TextModel
from viewfinder.model.varlen import without_cudnn

Lead = Callable[..., AbstractContextManager[None]]
"""Tells the other ranks the name and the arguments of a method of `Follower` that they run during the context."""

HEAD, TABLE = "lm_head.weight", "model.embed_tokens.weight"
_ROWS, _COLUMNS = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"), ("o_proj", "down_proj")
_SHARED = ("num_attention_heads", "num_key_value_heads", "intermediate_size")
_NUMBERS = itertools.count()


class TextShard(TextConfig):
    """The language model as one of `ranks` processes has it: with its own heads and its own feed-forward width."""

    ranks: Count

    @property
    def head_dim(self) -> int:
        return self.hidden_size // (self.num_attention_heads * self.ranks)


@dataclass(frozen=True)
class Shard:
    """The place of a process: its rank among `size`, and on rank 0 how it leads the others."""

    rank: int
    size: int
    lead: Lead | None = None

    def config(self, config: ModelConfig) -> ModelConfig:
        """What this rank builds. Of 64 heads and 8 key heads, each of 4 ranks has 16 and 2.

        Raises:
            SettingsError: heads, key heads or feed-forward width cannot be shared equally.
        """
        text = config.text
        for name in _SHARED:
            if (count := getattr(text, name)) % self.size:
                most = math.gcd(*(getattr(text, name) for name in _SHARED))
                possible = ", ".join(str(n) for n in range(1, min(most, 64) + 1) if most % n == 0)
                raise SettingsError(
                    f"tensor_parallel is {self.size}, which does not divide {name} {count} of this model, and no head "
                    f"is held twice or cut; choose one of {possible}"
                )
        own = {name: getattr(text, name) // self.size for name in _SHARED}
        whole = text.model_dump() | {"tie_word_embeddings": False, "ranks": self.size}
        return config.model_copy(update={"text": TextShard.model_validate(whole | own)})

    def build(self, config: ModelConfig) -> Qwen2_5_VL:
        """The modules of this rank, of `self.config(...)`."""
        text = config.text
        assert isinstance(text, TextShard)
        model = Qwen2_5_VL(config)
        if self.lead is not None:
            model.model = LeadingText(text, self.lead)
        for layer in model.model.layers:
            assert isinstance(layer, TextLayer)
            heads = text.num_attention_heads * text.head_dim
            layer.self_attn.o_proj = SummedLinear(heads, text.hidden_size, bias=False)
            layer.mlp.down_proj = SummedLinear(text.intermediate_size, text.hidden_size, bias=False)
        head = (text.hidden_size, text.vocab_size, self.size)
        model.lm_head = GatheredLinear(*head) if self.lead is None else LeadingHead(*head, self.lead)
        if self.lead is None:
            del model.visual, model.model.embed_tokens
        return model

    def has(self, name: str) -> bool:
        return self.rank == 0 or not (name.startswith("visual.") or name == TABLE)

    def part(self, name: str, tensor: Tensor) -> Tensor:
        """This rank's part of a weight; of a vocabulary that cannot be shared equally, the last part ends in zeros."""
        if name == HEAD:
            rows = -(-len(tensor) // self.size)
            own = tensor[self.rank * rows : (self.rank + 1) * rows]
            return own if len(own) == rows else F.pad(own, (0, 0, 0, rows - len(own)))
        layer = name.split(".")[-2] if name.startswith("model.layers.") else ""
        if layer in _ROWS:
            return tensor.tensor_split(self.size)[self.rank]
        return tensor.tensor_split(self.size, dim=-1)[self.rank].contiguous() if layer in _COLUMNS else tensor


class Follower:
    """A rank that is led: rank 0 names these methods, one after another."""

    def __init__(self, model: Qwen2_5_VL) -> None:
        self._model, self._text, self._device = model, model.model, model.device
        self._caches: dict[int, KVCache] = {}

    def add_cache(self, number: int, given_up: list[int], num_blocks: int, size: int, dtype: torch.dtype) -> None:
        for old in given_up:
            self._caches.pop(old, None)
        self._caches[number] = KVCache(self._text.config, num_blocks, size, dtype=dtype, device=self._device)

    def clear_cache(self, number: int, blocks: Sequence[int]) -> None:
        self._caches[number].clear(blocks)

    def free_cache(self, number: int) -> None:
        self._caches[number].free()

    def run_layers(
        self,
        count: int,
        dtype: torch.dtype,
        num_rows: int | None,
        seqlens: list[int],
        number: int | None,
        chunks: Sequence[Chunk],
    ) -> None:
        embeddings = self._received((count, self._text.config.hidden_size), dtype)
        position_ids = self._received((3, count), torch.int64)
        rows = None if num_rows is None else self._received((num_rows,), torch.int64)
        views = None if number is None else self._caches[number].view(chunks)
        with without_cudnn(self._device):
            self._text(embeddings, position_ids, seqlens, views, rows)

    def run_head(self, count: int, dtype: torch.dtype) -> None:
        self._model.lm_head(self._received((count, self._text.config.hidden_size), dtype))

    def share_room(self) -> None:
        _least(_room(self._device), self._device)

    def _received(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        tensor = torch.empty(shape, dtype=dtype, device=self._device)
        dist.broadcast(tensor, src=0)
        return tensor


class LeadingText(TextModel):
    """The layers of rank 0, with which the others run theirs."""

    is_led = True

    def __init__(self, config: TextConfig, lead: Lead) -> None:
        super().__init__(config)
        self.lead = lead

    def make_cache(self, num_blocks: int, block_size: int, dtype: torch.dtype) -> KVCache:
        device = self.norm.weight.device
        return LeadingCache(self.lead, self.config, num_blocks, block_size, dtype=dtype, device=device)

    def forward(
        self,
        embeddings: Float[Tensor, "T D"],
        position_ids: Int[Tensor, "3 T"],
        seqlens: Any,
        cache: Sequence[LayerView] | None = None,
        rows: Int[Tensor, " K"] | None = None,
    ) -> Float[Tensor, "K D"]:
        assert cache is None or isinstance(cache, _LeadingViews), "the cache of this model is made by make_cache"
        place = (None, ()) if cache is None else (cache.number, cache.chunks)
        lengths = list(seqlens) if cache is None else []
        embeddings, position_ids = embeddings.contiguous(), position_ids.contiguous()
        rows = None if rows is None else rows.long().contiguous()
        num_rows = None if rows is None else len(rows)
        with self.lead("run_layers", len(embeddings), embeddings.dtype, num_rows, lengths, *place):
            for given in (embeddings, position_ids, rows):
                if given is not None:
                    dist.broadcast(given, src=0)
            return super().forward(embeddings, position_ids, seqlens, cache, rows)

    def least_room(self, num_bytes: int) -> int:
        with self.lead("share_room"):
            return _least(num_bytes, self.norm.weight.device)


class LeadingHead(GatheredLinear):
    """The output projection of rank 0."""

    def __init__(self, width: int, vocab_size: int, ranks: int, lead: Lead) -> None:
        super().__init__(width, vocab_size, ranks)
        self.lead = lead

    def forward(self, input: Float[Tensor, "K D"]) -> Float[Tensor, "K V"]:
        input = input.contiguous()
        with self.lead("run_head", len(input), input.dtype):
            dist.broadcast(input, src=0)
            return super().forward(input)


class _LeadingViews(list[LayerView]):
    def __init__(self, views: list[LayerView], number: int, chunks: Sequence[Chunk]) -> None:
        super().__init__(views)
        self.number, self.chunks = number, list(chunks)


class LeadingCache(KVCache):
    """Keys and values of rank 0's heads; the other ranks have one of the same number. What is collected as garbage
    frees the others' memory when the next cache is made."""

    _given_up: list[int] = []  # noqa: RUF012 - of the process, as the ranks are

    def __init__(self, lead: Lead, config: TextConfig, num_blocks: int, block_size: int, **options: Any) -> None:
        self.lead, self.number = lead, next(_NUMBERS)
        given_up, self._given_up[:] = list(self._given_up), []
        with lead("add_cache", self.number, given_up, num_blocks, block_size, options["dtype"]):
            super().__init__(config, num_blocks, block_size, **options)
        weakref.finalize(self, self._given_up.append, self.number)

    def clear(self, blocks: Sequence[int]) -> None:
        if blocks:
            with self.lead("clear_cache", self.number, list(blocks)):
                super().clear(blocks)

    def free(self) -> None:
        with self.lead("free_cache", self.number):
            super().free()

    def view(self, chunks: Sequence[Chunk]) -> list[LayerView]:
        return _LeadingViews(super().view(chunks), self.number, chunks)


def _room(device: torch.device) -> int:
    """As `engine.model_runner.free_bytes` counts, after the same step."""
    if device.type != "cuda":
        return 2**62
    peak = torch.cuda.max_memory_allocated(device) - torch.cuda.memory_allocated(device)
    torch.cuda.empty_cache()
    return int(0.9 * torch.cuda.mem_get_info(device)[0]) - peak


def _least(num_bytes: int, device: torch.device) -> int:
    found = torch.tensor(num_bytes, device=device)
    dist.all_reduce(found, dist.ReduceOp.MIN)
    return int(found)
