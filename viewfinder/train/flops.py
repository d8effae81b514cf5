"""FLOPs of a batch, and the FLOP/s this device reaches in a matrix product: the two sides of MFU.

A multiply-add is two FLOPs. Passes: forward, gradients of activations (where a lower part is trained), gradients of
weights (of parts that are trained). Recomputation is not counted, as is usual.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from viewfinder.config import ModelConfig, TextConfig
from viewfinder.inputs import IGNORE_INDEX
from viewfinder.model.packed_attention import Continuations
from viewfinder.processor.cost import vision_flops
from viewfinder.train.batches import Batch, ContrastiveBatch, PolicyBatch, PreferenceBatch, next_labels
from viewfinder.train.config import TrainConfig


def text_flops(config: TextConfig, seqlens: Sequence[int], logits: int, past: Sequence[int] | None = None) -> int:
    """Forward FLOPs of packed sequences with `logits` tokens through the output projection; `past` are the tokens that
    each sequence attends to beside its own."""
    kv_width = config.num_key_value_heads * config.head_dim
    layer = 2 * config.hidden_size**2 + 2 * config.hidden_size * kv_width
    layer += 3 * config.hidden_size * config.intermediate_size
    pairs = sum(n * (n + 1) // 2 + n * p for n, p in zip(seqlens, past or [0] * len(seqlens), strict=True))
    inner = config.num_hidden_layers * (layer * sum(seqlens) + 2 * config.hidden_size * pairs)
    return 2 * (inner + config.hidden_size * config.vocab_size * logits)


@dataclass(frozen=True)
class Passes:
    """Multiples of the forward pass for each half: 1, 2 or 3."""

    vision: int
    text: int


def passes_of(config: TrainConfig) -> Passes:
    """What a config trains decides how often each half is run through."""
    scale = config.lr_scale
    tower = scale.tower > 0 and config.lora is None
    sees = (tower or scale.merger > 0) and config.lora is None
    vision = 3 if tower else 1
    if config.objective == "contrastive":
        return Passes(vision, 3)
    if not config.answer_weight:
        return Passes(vision, 0)
    learns = scale.language > 0 and config.lora is None
    text = 1 + int(sees or learns or config.lora is not None) + int(learns)
    if config.objective == "preference" and config.preference.reference == "copy":
        text += 1
    if config.objective == "policy" and config.grpo.kl:
        text += 1
    return Passes(vision, text)


def batch_flops(config: TrainConfig, batch: Batch) -> int:
    """Of one step on this batch."""
    passes = passes_of(config)
    if isinstance(batch, ContrastiveBatch):
        assert config.contrastive is not None
        caption = text_flops(config.contrastive.text, batch.seqlens, 0)
        return passes.vision * _vision(config.model, batch.grid_thw) + passes.text * caption
    grid = batch.grid_thw if isinstance(batch, PreferenceBatch) else batch.inputs.grid_thw
    if isinstance(batch, PolicyBatch):
        lengths = batch.inputs.seqlens
        past = Continuations(tuple(lengths), batch.before).past
        text = text_flops(config.model.text, lengths, len(batch.tokens), past)
    else:
        logits = int((next_labels(batch.inputs) != IGNORE_INDEX).sum())
        text = text_flops(config.model.text, batch.inputs.seqlens, logits)
    return passes.vision * _vision(config.model, grid) + passes.text * text


def _vision(config: ModelConfig, grid: torch.Tensor | None) -> int:
    rows: list[list[int]] = [] if grid is None else grid.tolist()
    return sum(vision_flops(config.vision, (t, h, w)) for t, h, w in rows)


def measure_peak(dtype: torch.dtype, device: str = "cpu", size: int | None = None) -> float:
    """FLOP/s of the best of a few square matrix products, about a third of a second.

    On a GPU the side is 8192, for a product of 1536 is over before its launch is: MFU would be told too high.
    """
    size = size or (8192 if device == "cuda" else 1536)
    a = torch.randn(size, size, device=device).to(dtype)
    b = torch.randn(size, size, device=device).to(dtype)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    best = 0.0
    for _ in range(4):
        wait()
        start = time.perf_counter()
        _ = a @ b
        wait()
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best
