"""One step of the model for many sequences: features, one pass, and the next tokens of each that is read to its end.

Owns the memory of the caches. A sequence that cannot go on (no valid token, a broken input) fails alone: when a joint
pass fails, each sequence is tried by itself. Run by one thread.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from viewfinder.engine.batch_sampler import Turn, sample
from viewfinder.engine.decode_graphs import DecodeGraphs
from viewfinder.engine.device_errors import raise_if_lost
from viewfinder.engine.encoder import Encoder
from viewfinder.engine.sampler import Sampler, Token
from viewfinder.engine.scheduler import EngineConfig, Scheduled
from viewfinder.engine.sequence import Sequence, pieces_of
from viewfinder.errors import ContextLengthError
from viewfinder.inputs import ModelInputs
from viewfinder.model import Chunk, KVCache, Qwen2_5_VL


@dataclass(frozen=True)
class StepOutput:
    """What a step did for one sequence: tokens read, the tokens chosen after them (one, and those that were forced
    before it), and what went wrong then, if anything."""

    sequence: Sequence
    num_tokens: int = 0
    tokens: tuple[Token, ...] = ()
    error: Exception | None = None


class ModelRunner:
    """A model with its key-value cache and its cache of features."""

    def __init__(self, model: Qwen2_5_VL, config: EngineConfig) -> None:
        text, size = model.config.text, config.block_size
        useful = config.max_num_seqs * -(-text.max_position_embeddings // size)
        num_bytes = free_bytes(model, config) if config.cache_bytes is None else config.cache_bytes
        affordable = num_bytes // KVCache.block_bytes(text, size, model.cache_dtype)
        num_blocks = max(1, min(affordable, useful))
        self.model, self.config = model, config
        self.kv_cache = model.model.make_cache(num_blocks, size, model.cache_dtype)
        self.graphs = None if config.enforce_eager or model.model.is_led else DecodeGraphs(model, self.kv_cache)
        self.encoder = Encoder(model, config)

    def free(self) -> None:
        """Give back the memory of the caches, so that another runner has room; this one runs no more."""
        self.graphs = None
        self.kv_cache.free()
        self.encoder.close()
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()

    @property
    def capacity(self) -> int:
        """Tokens that the cache holds in all."""
        return self.kv_cache.num_blocks * self.kv_cache.block_size

    def make_sequence(self, inputs: ModelInputs, sampler: Sampler, tenant: str = "") -> Sequence:
        """What the scheduler takes. Any thread may call this.

        Raises:
            ContextLengthError: the cache cannot hold prompt and answer.
        """
        if sampler.max_length > self.capacity:
            raise ContextLengthError(
                f"prompt and answer may take {sampler.max_length} tokens and the cache holds {self.capacity}, so the "
                f"request cannot be served; ask for under {max(1, self.capacity - len(inputs.input_ids))} answer "
                "tokens or send less"
            )
        config = self.model.config
        merge = config.vision.spatial_merge_size
        pieces = pieces_of(inputs, tenant, merge, hashed=self.config.enable_prefix_caching)
        is_media = (inputs.input_ids == config.image_token_id) | (inputs.input_ids == config.video_token_id)
        sequence = Sequence(
            inputs=inputs,
            sampler=sampler,
            tenant=tenant,
            pieces=pieces,
            media_rows=torch.cat([torch.zeros(1, dtype=torch.int64), is_media.cumsum(0)]),
            token_ids=inputs.input_ids.tolist(),
        )
        sequence.look_ahead()
        return sequence

    @torch.inference_mode()
    def run(self, scheduled: list[Scheduled]) -> list[StepOutput]:
        """Read what was scheduled, and choose the next tokens of each sequence that is read to where they follow."""
        self.kv_cache.clear([block for part in scheduled for block in part.new_blocks])
        return list(self._run(scheduled))

    def _run(self, scheduled: list[Scheduled]) -> Iterator[StepOutput]:
        ready, errors = self.encoder.prepare(scheduled)
        yield from (StepOutput(sequence, error=error) for sequence, error in errors.items())
        try:
            logits = self._forward(ready)
        except Exception as error:
            raise_if_lost(error)
            if len(ready) > 1:
                for part in ready:  # one of them is broken, and the others must not pay for it
                    yield from self._run([part])
            else:
                yield StepOutput(ready[0].sequence, error=error)
            return
        yield from _sample(ready, logits)

    def _forward(self, ready: list[Scheduled]) -> Tensor:
        """Logits (tokens that the sampler needs, V)."""
        if not ready:
            return torch.empty(0)
        if self.graphs is not None and all(part.num_tokens == 1 and part.sequence.is_decoding for part in ready):
            logits = self.graphs.run([part.sequence for part in ready])
            if logits is not None:
                return logits
        device = self.model.device
        ids: list[int] = []
        positions, features, chunks, sampled = [], [], [], []
        bounds = [0]
        for part in ready:
            sequence, start = part.sequence, part.sequence.num_computed_tokens
            end = start + part.num_tokens
            ids += sequence.token_ids[start:end]
            positions.append(sequence.positions(start, end))
            features += sequence.features_at(start, end)
            chunks.append(Chunk(sequence.block_table, start, part.num_tokens))
            sampled += [bounds[-1] + i - start for i in _sampled(part)]
            bounds.append(len(ids))
        inputs = ModelInputs(
            input_ids=torch.tensor(ids),  # on the CPU, where their media are counted without waiting
            position_ids=torch.cat(positions, dim=1).to(device),
            cu_seqlens=torch.tensor(bounds, dtype=torch.int32),
            rope_deltas=(0,) * len(ready),
            media_per_sequence=(0,) * len(ready),
        )
        return self.model(
            inputs,
            self.kv_cache.view(chunks),
            features=torch.cat(features) if features else None,
            logits_at=torch.tensor(sampled, dtype=torch.int64, device=device),
        )


def _sample(ready: list[Scheduled], logits: Tensor) -> list[StepOutput]:
    turns: list[Turn] = []
    for part in ready:
        sequence = part.sequence
        turns.append(Turn(sequence.sampler, len(_sampled(part)), sequence.token_ids[sequence.num_chosen_tokens :]))
    try:
        return [
            StepOutput(part.sequence, part.num_tokens, sampled.tokens, sampled.error)
            for part, sampled in zip(ready, sample(turns, logits), strict=True)
        ]
    except Exception as error:  # out of memory, say
        raise_if_lost(error)
        return [StepOutput(part.sequence, part.num_tokens, error=error) for part in ready]


def _sampled(part: Scheduled) -> range:
    start = part.sequence.num_computed_tokens
    return part.sequence.sampled_at(start, start + part.num_tokens)


@torch.inference_mode()
def free_bytes(model: Qwen2_5_VL, config: EngineConfig) -> int:
    """Memory of the GPU that is left for keys and values: 90 % of what is free, less what the largest step takes above
    the weights (the tower on `max_num_patches`, a prompt of `max_num_batched_tokens` with logits of `max_num_seqs`),
    which is run and measured, and less the cache of features."""
    device, vision = model.device, model.config.vision
    if device.type != "cuda":
        return EngineConfig.cache_bytes or 0
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    side = int(config.max_num_patches**0.5) // 2 * 2
    pixels = torch.zeros(side * side, vision.patch_dim, dtype=model.compute_dtype, device=device)
    model.visual(pixels, torch.tensor([[1, side, side]]))
    length = min(config.max_num_batched_tokens, model.config.text.max_position_embeddings)
    ids = torch.zeros(length, dtype=torch.int64)
    bounds = torch.tensor([0, length], dtype=torch.int32)
    inputs = ModelInputs(ids, ids.expand(3, -1).to(device), bounds, (0,), media_per_sequence=(0,))
    rows = torch.arange(min(length, config.max_num_seqs), device=device)
    model(inputs, logits_at=rows).float().log_softmax(-1)
    torch.cuda.synchronize(device)
    peak = torch.cuda.max_memory_allocated(device) - before
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    return max(0, model.model.least_room(int(0.9 * free) - peak - config.encoder_cache_bytes))
