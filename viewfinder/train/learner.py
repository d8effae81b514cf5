"""`Learner`: the model with whatever is trained beside it; its forward pass is the loss of one batch.

Everything that uses a weight happens inside this one call, so that weights sharded over ranks are gathered
around it, and every rank runs the same modules whether its batch holds pictures or not.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from viewfinder.inputs import IGNORE_INDEX
from viewfinder.model.lora import adapters_disabled
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.train.aims import Caught, catching, name_things, point
from viewfinder.train.batches import (
    Batch,
    ContrastiveBatch,
    PairBatch,
    TrainBatch,
    batch_units,
    next_labels,
    sequence_sums,
)
from viewfinder.train.config import TrainConfig
from viewfinder.train.losses import dense_losses, preference_losses, summed_cross_entropy, token_log_probs
from viewfinder.train.pointing import NEEDED, ahead
from viewfinder.train.symbols import alignment

DENSE_HEADS = ("tower", "text", "answer", "naming")
"""Heads that name what is at each token of the tower, half way up the language model, and at what is read off next, and
that say it in words."""
Metrics = dict[str, tuple[Tensor, float]]
"""By name a sum and what it is a sum over; sums of several batches and ranks are added before dividing."""


@dataclass(frozen=True)
class Loss:
    """The loss summed over the units of a batch, and measurements."""

    total: Tensor
    metrics: Metrics


class Reference(nn.Module):
    """A frozen copy of a language model, for preference optimisation."""

    def __init__(self, model: Qwen2_5_VL) -> None:
        super().__init__()
        self.model: Qwen2_5_VL = copy.deepcopy(model, {id(model.visual): nn.Identity()}).requires_grad_(False)


class Learner(nn.Module):
    """Model, heads and reference.

    Args:
        heads: "tower" and "text" (`DenseHeads` with different questions), or "contrast" (`ContrastHead`); may be empty.
        reference: for the objective "preference"; None when adapters are turned off for it instead.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: Qwen2_5_VL,
        heads: Mapping[str, nn.Module] | None = None,
        reference: Reference | None = None,
    ) -> None:
        super().__init__()
        self.config, self.model = config, model
        self.heads = nn.ModuleDict(dict(heads or {}))
        self.reference = reference
        self.always_look = False  # set where several ranks run the tower in step
        freeze(self)

    def forward(self, batch: Batch, *, reference_only: bool = False, per_sequence: bool = False) -> Loss:
        """The loss. Instead, as `total`: with `reference_only` (B, 2) log-probabilities of the reference, with
        `per_sequence` (S, 2) losses and numbers of labelled tokens of each conversation."""
        if reference_only:
            assert isinstance(batch, PairBatch)
            return Loss(self.reference_log_probs(batch, self._pair_features(batch)[0]), {})
        if isinstance(batch, ContrastiveBatch):
            return self._contrast(batch)
        if isinstance(batch, PairBatch):
            return self._prefer(batch)
        return self._by_sequence(batch) if per_sequence else self._answer(batch)

    def features(self, pixels: Tensor | None, grid: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """The tower's features, or None; and a zero that keeps the tower in the step where it sees nothing."""
        if pixels is not None:
            assert grid is not None
            return self.model.visual(pixels, grid), None
        tower = self.model.visual
        if not (self.always_look or any(p.requires_grad for p in tower.parameters())):
            return None, None
        blank = torch.zeros(4, tower.config.patch_dim, device=self.model.device)
        return None, tower(blank, torch.tensor([[1, 2, 2]])).sum() * 0.0

    def _answer(self, batch: TrainBatch) -> Loss:
        config, units = self.config, batch_units(batch)
        features, zero = self._seen(batch)
        total = torch.zeros((), device=self.model.device) if zero is None else zero
        metrics: Metrics = {}
        caught = Caught()
        if config.answer_weight:
            with catching(self.model, caught):
                hidden = self.model.hidden_states(batch.inputs, features=features)
            answer = summed_cross_entropy(hidden, self.model.lm_head.weight, next_labels(batch.inputs))
            total = total + config.answer_weight * answer
            metrics["answer"] = (answer.detach(), units)
        if config.align_weight and features is not None and batch.dense:
            distance = alignment(features, self.heads["symbols"](batch.dense))
            total = total + config.align_weight * units * distance
            metrics["align"] = (distance.detach(), 1)
        aims = self._aims(batch, caught)
        for name, (weight, loss, accuracy) in aims.items():
            total = total + weight * units * loss
            metrics[name], metrics[f"accuracy/{name}"] = (loss.detach(), 1), (accuracy, 1)
        sheets = self._sheets(batch, features, caught.states) if config.dense_weight and features is not None else {}
        for head, (states, labels) in sheets.items():
            for name, (loss, accuracy) in dense_losses(self.heads[head](states), labels).items():
                total = total + config.dense_weight * units * loss
                if bool((labels[name] != IGNORE_INDEX).any()):
                    metrics[f"dense/{name}"], metrics[f"accuracy/{name}"] = (loss.detach(), 1), (accuracy, 1)
        return Loss(total + self._idle_heads({*sheets, *aims}), metrics)

    def _seen(self, batch: TrainBatch) -> tuple[Tensor | None, Tensor | None]:
        """As `features`; or the symbols of what is there, where the config lets the model see those."""
        if self.config.see == "symbols" and batch.dense:
            return self.heads["symbols"](batch.dense), None
        return self.features(batch.inputs.pixel_values, batch.inputs.grid_thw)

    def _aims(self, batch: TrainBatch, caught: Caught) -> dict[str, tuple[float, Tensor, Tensor]]:
        """Weight, loss and accuracy of where the language model looks, and of what it finds there."""
        config, inputs = self.config, batch.inputs
        aims: dict[str, tuple[float, Tensor, Tensor]] = {}
        wanted = config.pointing_weight or config.naming_weight
        if not wanted or inputs.grid_thw is None or not caught.states or not set(NEEDED) <= batch.dense.keys():
            return aims
        told = ahead(inputs, batch.dense)
        if config.pointing_weight:
            aims["pointing"] = (config.pointing_weight, *point(self.model, inputs, told, caught))
        if config.naming_weight and "naming" in self.heads:
            named = name_things(self.model, inputs, batch.dense, told, caught, self.heads["naming"])
            aims["naming"] = (config.naming_weight, *named)
        return aims

    def _sheets(
        self, batch: TrainBatch, features: Tensor, caught: list[Tensor]
    ) -> dict[str, tuple[Tensor, dict[str, Tensor]]]:
        """By dense head, the states it is asked about and the answers."""
        ids, config = batch.inputs.input_ids, self.model.config
        sheets: dict[str, tuple[Tensor, dict[str, Tensor]]] = {}
        if not batch.dense:
            return sheets
        if "tower" in self.heads and self.config.see == "pixels":
            sheets["tower"] = (features, batch.dense)
        if caught and "text" in self.heads:
            sheets["text"] = (caught[0][(ids == config.image_token_id) | (ids == config.video_token_id)], batch.dense)
        names: list[str] = list(self.heads["answer"].sizes) if "answer" in self.heads else []  # type: ignore[arg-type]
        if caught and names and names[0] in batch.dense:
            asked = torch.stack([batch.dense[name] for name in names]).ne(IGNORE_INDEX).any(dim=0).nonzero().flatten()
            if len(asked):
                sheets["answer"] = (caught[1][asked], {name: batch.dense[name][asked] for name in names})
        return sheets

    def _idle_heads(self, used: set[str]) -> Tensor:
        """A zero in which the other dense heads take part: sharded weights have gradients on all ranks or on none."""
        idle = [head for name, head in self.heads.items() if name in DENSE_HEADS and name not in used]
        sums = [p.sum() for head in idle for p in head.parameters() if p.requires_grad]
        return torch.stack(sums).sum() * 0.0 if sums else torch.zeros((), device=self.model.device)

    def _by_sequence(self, batch: TrainBatch) -> Loss:
        features, _ = self.features(batch.inputs.pixel_values, batch.inputs.grid_thw)
        labels = next_labels(batch.inputs)
        hidden = self.model.hidden_states(batch.inputs, features=features)
        values = -token_log_probs(hidden, self.model.lm_head.weight, labels)
        both = (values, (labels != IGNORE_INDEX).float())
        return Loss(torch.stack([sequence_sums(x, batch.inputs) for x in both], dim=-1), {})

    def _contrast(self, batch: ContrastiveBatch) -> Loss:
        features, _ = self.features(batch.pixel_values, batch.grid_thw)
        loss, right = self.heads["contrast"](features, batch)
        return Loss(loss, {"contrast": (loss.detach(), batch.pairs), "matched": (right, batch.pairs)})

    def _prefer(self, batch: PairBatch) -> Loss:
        features, zero = self._pair_features(batch)
        settings, pairs = self.config.preference, batch_units(batch)
        policy = pair_log_probs(self.model, batch, features)
        reference = batch.reference if batch.reference is not None else self.reference_log_probs(batch, features)
        losses, rewards = preference_losses(policy, reference, settings.beta, settings.label_smoothing)
        margin = rewards[:, 0] - rewards[:, 1]
        metrics: Metrics = {
            "preference": (losses.detach().sum(), pairs),
            "margin": (margin.sum(), pairs),
            "preferred": ((margin > 0).sum(), pairs),
            "chosen": (policy[:, 0].detach().sum(), pairs),
            "rejected": (policy[:, 1].detach().sum(), pairs),
        }
        if settings.chosen_weight:
            losses = losses - settings.chosen_weight * policy[:, 0] / answer_tokens(batch)[:, 0].clamp(min=1)
        return Loss(losses.sum() if zero is None else losses.sum() + zero, metrics)

    def _pair_features(self, batch: PairBatch) -> tuple[Tensor | None, Tensor | None]:
        """One pass of the tower for all that needs it: chosen and rejected, policy and reference."""
        features, zero = self.features(batch.pixel_values, batch.grid_thw)
        return (None if features is None else features[batch.feature_index.to(features.device)]), zero

    @torch.no_grad()
    def reference_log_probs(self, batch: PairBatch, features: Tensor | None) -> Tensor:
        """Under the reference: the frozen copy, else the model without its adapters, or as it stands."""
        if self.reference is not None:
            return pair_log_probs(self.reference.model, batch, features)
        with adapters_disabled(self.model):
            return pair_log_probs(self.model, batch, features)


def pair_log_probs(model: Qwen2_5_VL, batch: PairBatch, features: Tensor | None) -> Tensor:
    """Of the answers of each pair: (B, 2), chosen and rejected."""
    hidden = model.hidden_states(batch.inputs, features=features)
    values = token_log_probs(hidden, model.lm_head.weight, next_labels(batch.inputs))
    return sequence_sums(values, batch.inputs).view(-1, 2)


def answer_tokens(batch: PairBatch) -> Tensor:
    """How many tokens of each answer are learnt: (B, 2), chosen and rejected."""
    asked = next_labels(batch.inputs) != IGNORE_INDEX
    return sequence_sums(asked.float(), batch.inputs).view(-1, 2)


def freeze(learner: Learner) -> None:
    """Let only those parameters learn that the rates, the objective and the adapters name."""
    rates, model = learner.config.rates, learner.model
    if learner.config.lora is None:
        model.visual.requires_grad_(rates.tower > 0)
        model.visual.merger.requires_grad_(rates.merger > 0)
        speaks = rates.language > 0 and learner.config.objective != "contrastive" and learner.config.answer_weight > 0
        model.model.requires_grad_(speaks)
        model.lm_head.requires_grad_(speaks)
    learner.heads.requires_grad_(rates.heads > 0)
    if learner.reference is not None:
        learner.reference.requires_grad_(False)


@contextmanager
def evaluating(learner: nn.Module) -> Iterator[None]:
    """No gradients, and training mode restored at the end."""
    was = learner.training
    learner.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        learner.train(was)
