"""Decoding on a GPU without Python between the kernels: steps of one token a sequence, replayed as CUDA graphs.

A step starts 14 kernels a layer, some 500 in all, and a host needs longer to start them than a GPU to run them. A graph
starts all of them at once, on fixed tensors. So there is one graph for 1, 2, 4, 8 ... 256 sequences, captured when that
many first decode; what a step lacks to the next size is padding, which reads and writes a block of the cache that
belongs to nobody. All graphs share one pool of memory, since only one runs at a time. Choosing tokens is not in them.

Numbers go to the device in one copy a step, one column a sequence. With blocks of 4 tokens, a sequence that holds 5
tokens in blocks 7 and 2, and whose next token 42 stands at position 3, gives

    [42, 3, 9, 6, 7, 2, ...]      token id, position, place 2 * 4 + 1, length with the new token, blocks
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from viewfinder.engine.sequence import Sequence
from viewfinder.model import KVCache, Qwen2_5_VL
from viewfinder.model.attention_metadata import Metadata

_MOST = 256
_FIRST_BLOCK = 4
_LOG = logging.getLogger(__name__)


class DecodeGraphs:
    """The graphs of one model and cache; `run` gives logits, or None where the plain way has to."""

    def __init__(self, model: Qwen2_5_VL, cache: KVCache) -> None:
        most = -(-model.config.text.max_position_embeddings // cache.block_size)
        self._model, self._cache, self._width = model, cache, min(cache.num_blocks, most)
        self._inputs: dict[int, FixedInputs] = {}
        self._replays: dict[int, Callable[[], Tensor]] = {}
        self._pool: Any = None
        self.num_replays = 0
        self._is_on = cache.decode_kernel is not None

    def run(self, sequences: list[Sequence]) -> Tensor | None:
        """Logits (sequences, V) after the next token of each, valid until the next call. All must be decoding."""
        size = 1 << (len(sequences) - 1).bit_length()
        if not self._is_on or size > _MOST or not self._model.model.is_fused:  # an adapter, or weights of few bits
            return None
        if size not in self._inputs:
            self._inputs[size] = FixedInputs(size, self._width, self._cache)
        inputs = self._inputs[size]
        inputs.fill(sequences)
        if size in self._replays:
            self.num_replays += 1
            return self._replays[size]()[: len(sequences)]
        logits = self._step(inputs.columns)  # what a kernel prepares when it first runs cannot be captured
        try:
            self._pool = self._pool or torch.cuda.graph_pool_handle()
            self._replays[size] = captured(partial(self._step, inputs.columns), self._cache.device, self._pool)
        except RuntimeError as error:
            self._is_on = False
            _LOG.warning("decoding goes on without CUDA graphs, more slowly: capture failed (%s)", str(error)[:200])
        return logits[: len(sequences)]

    def _step(self, columns: Tensor) -> Tensor:
        ids, positions, places, lengths = columns[:_FIRST_BLOCK].unbind()
        metadata = Metadata.decoding(self._cache, places.long(), columns[_FIRST_BLOCK:].T, lengths)
        return self._model.decode(ids, positions, self._cache.views(metadata))


def captured(step: Callable[[], Tensor], device: torch.device, pool: Any) -> Callable[[], Tensor]:
    """What runs the kernels of `step` again, and gives the same tensor each time, with new numbers."""
    graph = torch.cuda.CUDAGraph()
    with (
        torch.cuda.device(device),
        torch.cuda.stream(torch.cuda.current_stream(device)),  # to come back to, when a capture fails too
        torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"),  # other threads may allocate meanwhile
    ):
        logits = step()

    def replay() -> Tensor:
        graph.replay()
        return logits

    return replay


class FixedInputs:
    """The numbers of a step of `size` sequences: `columns` on the device, and what they are copied from."""

    def __init__(self, size: int, width: int, cache: KVCache) -> None:
        self._block_size, self._used = cache.block_size, 0
        spare = cache.spare_block
        idle = torch.tensor([0, 0, spare * cache.block_size, 1, *[spare] * width], dtype=torch.int32)
        self._idle = idle.numpy()
        host = idle[:, None].repeat(1, size)
        self._host = host.pin_memory() if torch.cuda.is_available() else host  # a copy from other memory waits
        self.columns = self._host.to(cache.device)

    def fill(self, sequences: list[Sequence]) -> None:
        """Copy to the device what the next token of each sequence needs; the copy before it must have ended."""
        columns, size = self._host.numpy(), self._block_size
        for i, sequence in enumerate(sequences):
            at, blocks = sequence.num_computed_tokens, sequence.block_table
            place = blocks[at // size] * size + at % size
            columns[:_FIRST_BLOCK, i] = sequence.token_ids[at], at + sequence.inputs.rope_deltas[0], place, at + 1
            columns[_FIRST_BLOCK : _FIRST_BLOCK + len(blocks), i] = blocks
        columns[:, len(sequences) : self._used] = self._idle[:, None]
        self._used = len(sequences)
        rows = _FIRST_BLOCK + max(len(sequence.block_table) for sequence in sequences)
        self.columns[:rows].copy_(self._host[:rows], non_blocking=True)
