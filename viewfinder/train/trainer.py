"""The one trainer: takes batches by number, so a resumed run sees what an uninterrupted one would have.

Two losses: the next token of answers, and the dense heads on the tower's output. A recipe gives the config,
the processor and the batches. Knows no recipe, no file of data.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from viewfinder.inputs import IGNORE_INDEX, ModelInputs
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import save_pretrained
from viewfinder.train.checkpoint import load_state, save_state
from viewfinder.train.config import ConfigError, TrainConfig
from viewfinder.train.losses import DenseHeads, chunked_cross_entropy, dense_losses
from viewfinder.train.optim import AveragedWeights, build_optimizers, rate_at


@runtime_checkable
class TrainBatch(Protocol):
    """What a stream yields: packed inputs with labels, and labels of the dense heads (may be empty)."""

    @property
    def inputs(self) -> ModelInputs: ...
    @property
    def dense(self) -> dict[str, Tensor]: ...


def batch_loss(
    model: Qwen2_5_VL, heads: Mapping[str, DenseHeads], batch: TrainBatch, config: TrainConfig
) -> tuple[Tensor, dict[str, float]]:
    """The weighted loss of one batch, and its parts as numbers.

    Heads called "tower" see the tower's output, those called "text" the media tokens half way up the
    language model.
    """
    inputs, parts, features = batch.inputs, {}, None
    logits: dict[str, Tensor] = {}
    if inputs.pixel_values is not None:
        assert inputs.grid_thw is not None
        features = model.visual(inputs.pixel_values, inputs.grid_thw)
        if "tower" in heads and config.dense_weight and batch.dense:
            logits |= heads["tower"](features)
    total = torch.zeros((), device=model.device)
    if config.answer_weight:
        assert inputs.labels is not None
        hidden, middle = _hidden_states(model, inputs, features)
        if "text" in heads and config.dense_weight and batch.dense and features is not None:
            logits |= heads["text"](middle[inputs.input_ids == model.config.image_token_id])
        answer = chunked_cross_entropy(hidden, model.lm_head.weight, next_labels(inputs.labels))
        total = total + config.answer_weight * answer
        parts["answer"] = answer.item()
    for name, (loss, accuracy) in dense_losses(logits, batch.dense).items():
        total = total + config.dense_weight * loss
        parts[f"dense/{name}"], parts[f"accuracy/{name}"] = loss.item(), accuracy.item()
    return total, {"loss": total.item(), **parts}


def _hidden_states(model: Qwen2_5_VL, inputs: ModelInputs, features: Tensor | None) -> tuple[Tensor, Tensor]:
    """The last hidden states, and those after half of the layers."""
    caught: list[Tensor] = []
    layers = model.model.layers
    hook = layers[(len(layers) - 1) // 2].register_forward_hook(lambda _module, _inputs, output: caught.append(output))
    try:
        return model.hidden_states(inputs, features=features), caught[0]
    finally:
        hook.remove()


def next_labels(labels: Tensor) -> Tensor:
    """What follows each token: labels `[-, -, 5, 6]` become `[-, 5, 6, -]`.

    Sequences of a pack need no seam here, for the first token of a conversation is never trained on.
    """
    return torch.cat([labels[1:], labels.new_full((1,), IGNORE_INDEX)])


class Trainer:
    """Runs a config to its end, from the start or from where `out` stands.

    Args:
        config: the run.
        model: with its starting weights.
        heads: dense heads, "tower" and "text", or none.
        stream: gives the batches from a number on.
        out: directory for state, metrics and exports.
        export: called with the export directory after the weights are written (tokenizer, settings).
    """

    def __init__(
        self,
        config: TrainConfig,
        model: Qwen2_5_VL,
        heads: Mapping[str, DenseHeads],
        stream: Callable[[int], Iterator[TrainBatch]],
        out: Path,
        export: Callable[[Path], None] | None = None,
    ) -> None:
        self.config, self.model, self.heads, self.out = config, model, heads, out
        self.modules = nn.ModuleDict({"model": model, "heads": nn.ModuleDict(heads)})
        self._freeze()
        self.optimizers = build_optimizers(self.modules, config.optimizer)
        self.average = AveragedWeights(model, config.optimizer.ema)
        self.stream, self.export = stream, export
        self.step = self.bad_steps = 0
        out.mkdir(parents=True, exist_ok=True)
        self._resume()
        config.save(out / "config.json")

    def run(self) -> dict[str, float]:
        """Train to `config.steps`; returns the last averaged metrics."""
        torch.set_num_threads(self.config.threads)
        self.modules.train()
        window: list[dict[str, float]] = []
        latest: dict[str, float] = {}
        since = time.perf_counter()
        source = self.stream(self.step)
        while self.step < self.config.steps:
            batch = next(source)
            window.append({**self.train_step(batch), "tokens": float(len(batch.inputs.input_ids))})
            self.step += 1
            if self.step % self.config.log_every == 0 or self.step == self.config.steps:
                latest = self._log(window, time.perf_counter() - since)
                window, since = [], time.perf_counter()
            if self.step % self.config.save_every == 0 or self.step == self.config.steps:
                self.save()
        return latest

    def train_step(self, batch: TrainBatch) -> dict[str, float]:
        """One update; a loss that is not finite changes nothing and is counted.

        Raises:
            ConfigError: more such losses than the config allows.
        """
        rate = rate_at(self.step, self.config.steps, self.config.optimizer)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
        loss, parts = batch_loss(self.model, self.heads, batch, self.config)
        self.modules.zero_grad(set_to_none=True)
        if not torch.isfinite(loss):
            return self._skip()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.modules.parameters(), self.config.optimizer.clip)
        if not torch.isfinite(norm):
            return self._skip()
        for optimizer in self.optimizers:
            optimizer.step()
        self.average.update(self.model, self.step)
        return {**parts, "grad_norm": norm.item(), "rate": rate}

    def _skip(self) -> dict[str, float]:
        self.bad_steps += 1
        if self.bad_steps > self.config.max_bad_steps:
            raise ConfigError(
                f"{self.bad_steps} losses up to step {self.step} were not finite, more than max_bad_steps allows; "
                "lower the learning rates and run again, which resumes from the last saved state"
            )
        return {"skipped": 1.0}

    def save(self) -> None:
        """The state to resume from, and the averaged weights as a checkpoint directory `export`."""
        state: dict[str, Any] = {
            "step": self.step,
            "bad_steps": self.bad_steps,
            "modules": self.modules.state_dict(),
            "average": self.average.values,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        save_state(self.out, state)
        directory = self.out / "export"
        kept = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.average.copy_to(self.model)
        save_pretrained(self.model, directory)
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(kept[name])
        if self.export is not None:
            self.export(directory)

    def _resume(self) -> None:
        state = load_state(self.out)
        if state is None:
            return
        self.step, self.bad_steps = state["step"], state["bad_steps"]
        self.modules.load_state_dict(state["modules"])
        self.average.values = state["average"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            peaks = [group["peak"] for group in optimizer.param_groups]
            optimizer.load_state_dict(saved)
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["peak"] = peak

    def _freeze(self) -> None:
        """Without an answer loss the language model takes no part; a rate of 0 freezes the tower."""
        self.model.visual.requires_grad_(self.config.optimizer.tower_scale > 0)
        self.model.model.requires_grad_(self.config.answer_weight > 0)
        self.model.lm_head.requires_grad_(self.config.answer_weight > 0)

    def _log(self, window: list[dict[str, float]], seconds: float) -> dict[str, float]:
        names = dict.fromkeys(name for row in window for name in row)
        mean = {n: sum(r.get(n, 0.0) for r in window) / max(1, sum(n in r for r in window)) for n in names}
        tokens = mean.pop("tokens", 0.0) * len(window)
        row = {"step": self.step, **mean, "tokens_per_second": tokens / seconds, "seconds": seconds / len(window)}
        with (self.out / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({k: round(v, 5) for k, v in row.items()}) + "\n")
        shown = "  ".join(f"{k.removeprefix('accuracy/')} {v:.3g}" for k, v in row.items() if "dense/" not in k)
        print(shown, flush=True)
        return row
