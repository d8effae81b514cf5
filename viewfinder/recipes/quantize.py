"""A checkpoint to fewer bits: calibrated, written, loaded again, and refused where it strays too far.

The loss is measured in nats a token, on answers about generated pictures and on a fixed text: the Kullback-Leibler
divergence of the original's next-token probabilities from the result's, and how much less likely the true tokens are.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from viewfinder.data.places import prepare
from viewfinder.data.sample import say
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.engine.gguf_checkpoint import gguf_vocabulary
from viewfinder.errors import CheckpointError
from viewfinder.inputs import ModelInputs
from viewfinder.model import Qwen2_5_VL, load_model
from viewfinder.model.gguf_export import write_pair
from viewfinder.model.quantize import is_quantized, layout_of, quantize_state
from viewfinder.model.weights import save_state
from viewfinder.processor.processor import Processor
from viewfinder.recipes.activation_scales import scale_by_activations
from viewfinder.recipes.synthetic import synthetic_source
from viewfinder.storage.atomic import partial_of, publish_folder, write_whole
from viewfinder.train.batches import next_labels

KINDS = {
    "int8": "8 bits, a scale for each output (compressed-tensors)",
    "int4": "4 bits, a scale for each 32 inputs (compressed-tensors)",
    "awq": "4 bits with zero points, activation-aware (AutoAWQ's files)",
    "fp8": "FP8 (e4m3), a scale for each output (compressed-tensors)",
    "gguf": "a GGUF pair, Q8_0",
    "gguf-q4_0": "a GGUF pair, Q4_0",
    "gguf-bf16": "a GGUF pair, BF16",
}
MAX_LOSS = {"int8": 0.02, "fp8": 0.03, "gguf": 0.02, "gguf-bf16": 0.002}
"""Most divergence in nats a token; 0.15 for four bits."""
_MOST_OF_FOUR_BITS = 0.15
_SHARES = {"answers": 0.6, "caption": 0.2, "text": 0.2}
_TEXT = (
    "The harbor opens at six in the morning. Ships from the north bring timber and paper; those from the south bring "
    "fruit, coffee and 1,200 tons of rice a week. A clerk writes each cargo into a list: the name of the ship, its "
    "flag, the day it came, what it carries and its weight. At noon the list is compared with what stands on the quay."
)
_POSITIONS = 64
"""Tokens of each sample whose probabilities are compared."""


@dataclass(frozen=True)
class Loss:
    """How far a result is from its original.

    Attributes:
        divergence: nats a token.
        likelihood: log probability of the true tokens, original less result, nats a token.
        agreement: share of tokens whose likeliest next one is the same.
        tokens: how many were compared.
    """

    divergence: float
    likelihood: float
    agreement: float
    tokens: int

    def __str__(self) -> str:
        return (
            f"{self.divergence:.4f} nats a token of divergence, {self.likelihood:+.4f} of the true tokens' likelihood, "
            f"{self.agreement:.1%} of {self.tokens} likeliest tokens equal"
        )


def quantize(
    source: str,
    directory: Path,
    kind: str,
    *,
    max_loss: float | None = None,
    samples: int = 32,
    progress: Callable[[str], None] = lambda line: None,
) -> Loss | None:
    """Write `directory`; with `max_loss`, only where the result's divergence is at most that many nats a token.

    Raises:
        CheckpointError: the model cannot be loaded or held by this kind, or the loss is greater.
    """
    origin = find_checkpoint(source)
    processor = Processor.from_pretrained(origin)
    model = load_model(origin, dtype=torch.float32 if kind == "awq" else None)
    before = None if max_loss is None else reference(model, processor)
    partial = partial_of(directory)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        progress(f"writing {kind}")
        _write(model, processor, partial, kind, samples)
        _copy_beside(origin, partial)
        loss = None
        if before is not None and max_loss is not None:
            progress("loading what was written")
            del model
            loss = compare(load_model(partial), before)
            if loss.divergence > max_loss:
                raise CheckpointError(
                    f"{kind} strays from {source} by {loss}, more than the {max_loss} nats asked for; nothing was "
                    "written: take more bits, or allow more with --max-loss"
                )
        publish_folder(partial, directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return loss


def _write(model: Qwen2_5_VL, processor: Processor, directory: Path, kind: str, samples: int) -> None:
    if kind.startswith("gguf"):
        vocabulary = gguf_vocabulary(processor.tokenizer, model.config.text.vocab_size)
        colors = {name: list(getattr(processor.settings, name)) for name in ("image_mean", "image_std")}
        write_pair(model, directory, kind.partition("-")[2].upper() or "Q8_0", vocabulary, colors)
        config = model.config.to_dict() | {"torch_dtype": "bfloat16"}
        write_whole(directory / "config.json", json.dumps(config, indent=2) + "\n")
        return
    state = {name: p.detach().cpu() for name, p in model.named_parameters()}
    widths = {tensor.shape[1] for name, tensor in state.items() if is_quantized(name)}
    layout = layout_of(kind, widths, model.dtype if model.dtype != torch.float32 else torch.bfloat16)
    if kind == "awq":
        scale_by_activations(model, examples(processor, samples, seed=1), layout.group)
    config = model.config.to_dict() | {
        "torch_dtype": str(layout.dtype).removeprefix("torch."),
        "quantization_config": layout.config(),
    }
    save_state(quantize_state(state, layout), config, directory)


def _copy_beside(origin: Path, directory: Path) -> None:
    """Vocabulary, template, budgets and sampling, as they are."""
    for pattern in ("*.json", "*.jinja", "merges.txt"):
        for path in origin.glob(pattern):
            weights = path.name.endswith(".index.json") or path.name in ("config.json", "measured.json")
            if not weights:
                shutil.copyfile(path, directory / path.name)


def examples(processor: Processor, count: int, seed: int) -> list[ModelInputs]:
    """Answers about generated pictures, and text, from our data engine."""
    rows = synthetic_source(_SHARES, seed)(0)
    return [prepare(next(rows).make(), processor).inputs for _ in range(count)]


def reference(model: Qwen2_5_VL, processor: Processor) -> list[tuple[ModelInputs, Tensor, Tensor]]:
    """What a result is compared with: inputs, places in them, and the original's logits there."""
    text = processor.prepare([say("user", "Copy the text."), say("assistant", _TEXT)], train=True).inputs
    found = []
    for inputs in [text, *examples(processor, 12, seed=2)]:
        places = (next_labels(inputs) >= 0).nonzero()[:, 0][:_POSITIONS]
        with torch.inference_mode():
            found.append((inputs, places, model(inputs, logits_at=places).float()))
    return found


@torch.inference_mode()
def compare(model: Qwen2_5_VL, before: list[tuple[ModelInputs, Tensor, Tensor]]) -> Loss:
    """The loss of `model` against the original that `before` was made with."""
    divergence, likelihood, equal, count = 0.0, 0.0, 0, 0
    for inputs, places, logits in before:
        old = logits.log_softmax(-1)
        new = model(inputs, logits_at=places).float().log_softmax(-1)
        targets = next_labels(inputs)[places][:, None]
        divergence += float((old.exp() * (old - new)).sum())
        likelihood += float((old.gather(1, targets) - new.gather(1, targets)).sum())
        equal += int((old.argmax(-1) == new.argmax(-1)).sum())
        count += len(places)
    return Loss(divergence / count, likelihood / count, equal / count, count)


def max_loss_of(kind: str) -> float:
    """The most divergence that `--check` allows for a kind."""
    return MAX_LOSS.get(kind, _MOST_OF_FOUR_BITS)
