"""`Learner`: the model with all modules that are trained beside it. Its forward pass is the loss of one batch.

All weights are used inside this one call, so that weights sharded over ranks are gathered around it. Every rank runs
the same modules, whether its batch holds pictures or not.
"""

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from viewfinder.inputs import IGNORE_INDEX
from viewfinder.model.lora import adapters_disabled
from viewfinder.model.packed_attention import Continuations
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.vision import VisionTower
from viewfinder.train.batches import (
    AnswerBatch,
    Batch,
    ContrastiveBatch,
    PolicyBatch,
    PreferenceBatch,
    batch_units,
    next_labels,
    sequence_sums,
)
from viewfinder.train.config import TrainConfig
from viewfinder.train.extra_losses import ExtraLosses, ModelOutputs
from viewfinder.train.losses import next_token_loss, preference_losses, token_log_probs
from viewfinder.train.policy import by_kind, check_agreement, choice_log_probs, policy_loss

Metrics = dict[str, tuple[Tensor, float]]
"""By name a sum and the number that it is a sum over. Sums of several batches and ranks are added before dividing."""


@dataclass(frozen=True)
class Loss:
    """The loss summed over the units of a batch, measurements, and those of which the largest value is told."""

    total: Tensor
    metrics: Metrics
    peaks: dict[str, Tensor] = field(default_factory=dict)


class Reference(nn.Module):
    """A frozen copy of a language model, for preference optimisation."""

    def __init__(self, model: Qwen2_5_VL) -> None:
        super().__init__()
        self.model: Qwen2_5_VL = copy.deepcopy(model, {id(model.visual): nn.Identity()}).requires_grad_(False)


class Learner(nn.Module):
    """Model, heads and reference.

    Args:
        reference: for the objectives "preference" and "policy"; None when adapters are turned off instead.
        contrast: the `ContrastHead` of the objective "contrastive".
        extra: losses beside the next-token loss, and their heads.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: Qwen2_5_VL,
        reference: Reference | None = None,
        *,
        contrast: nn.Module | None = None,
        extra: ExtraLosses | None = None,
    ) -> None:
        super().__init__()
        self.config, self.model = config, model
        self.extra = extra or ExtraLosses()
        self.heads = nn.ModuleDict({"contrast": contrast} if contrast is not None else dict(self.extra.heads))
        self.reference = reference
        self._narrow_tower: list[VisionTower] = []  # in a list, so that it is no module of its own
        self.always_look = False  # True where several ranks run the vision tower in step
        freeze(self)

    def forward(
        self, batch: Batch, *, reference_only: bool = False, per_sequence: bool = False, per_token: bool = False
    ) -> Loss:
        """The loss of a batch.

        Args:
            reference_only: `total` is instead (B, 2), the log-probabilities under the reference.
            per_sequence: `total` is instead (S, 2), loss and number of labelled tokens of each conversation.
            per_token: `total` is instead (N,), the log-probability of each token of a `PolicyBatch`.
        """
        if reference_only:
            assert isinstance(batch, PreferenceBatch)
            return Loss(self.reference_log_probs(batch, self._pair_features(batch)[0]), {})
        if isinstance(batch, ContrastiveBatch):
            return self._contrast(batch)
        if isinstance(batch, PreferenceBatch):
            return self._prefer(batch)
        if isinstance(batch, PolicyBatch):
            return self._policy_log_probs(batch) if per_token else self._improve(batch)
        return self._by_sequence(batch) if per_sequence else self._next_token(batch)

    def features(self, pixels: Tensor | None, grid: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Features of the vision tower, or None without media; then also a zero that keeps the tower in the graph."""
        tower, learns = self.model.visual, any(p.requires_grad for p in self.model.visual.parameters())
        if pixels is not None:
            assert grid is not None
            with torch.set_grad_enabled(learns and torch.is_grad_enabled()):  # a frozen tower uses the quick kernels
                return (tower if learns else self._frozen_tower())(pixels, grid), None
        if not (self.always_look or learns):
            return None, None
        blank = torch.zeros(4, tower.config.patch_dim, device=self.model.device)
        return None, tower(blank, torch.tensor([[1, 2, 2]])).sum() * 0.0

    def _frozen_tower(self) -> VisionTower:
        """The tower; on a CPU under autocast a copy in its dtype, made once. Autocast keeps the cast weights only of
        what learns, and would cast these at each use, which on a GPU costs less than the copy's memory."""
        tower, device = self.model.visual, self.model.device.type
        is_cast = device == "cpu" and torch.is_autocast_enabled(device)
        if not is_cast or type(tower) is not VisionTower or tower.dtype == torch.get_autocast_dtype(device):
            return tower  # other types: shards of several processes
        if not self._narrow_tower:
            self._narrow_tower.append(copy.deepcopy(tower).to(torch.get_autocast_dtype(device)))
        return self._narrow_tower[0]

    def media_features(self, batch: AnswerBatch) -> tuple[Tensor | None, Tensor | None]:
        """As `features`, for a batch of conversations. A subclass may put something else in their place."""
        return self.features(batch.inputs.pixel_values, batch.inputs.grid_thw)

    def _next_token(self, batch: AnswerBatch) -> Loss:
        units, hidden = batch_units(batch), None
        features, zero = self.media_features(batch)
        total = torch.zeros((), device=self.model.device) if zero is None else zero
        metrics: Metrics = {}
        if self.config.answer_weight:
            with ExitStack() as recordings:
                for loss in self.extra.losses:
                    recordings.enter_context(loss.recording(self.model))
                hidden = self.model.hidden_states(batch.inputs, features=features)
            answer = next_token_loss(hidden, head_weight(self.model), next_labels(batch.inputs))
            total = total + self.config.answer_weight * answer
            metrics["answer"] = (answer.detach(), units)
        outputs = ModelOutputs(self.model, batch, features, hidden)
        for loss in self.extra.losses:
            weight = self.config.extra_losses.get(loss.name, 0.0)
            for name, term in loss(outputs).items():
                total = total + weight * units * term.loss
                if term.report:
                    metrics[name] = (term.loss.detach(), 1)
                    if term.accuracy is not None:
                        metrics[f"accuracy/{name.rpartition('/')[2]}"] = (term.accuracy, 1)
        return Loss(total, metrics)

    def _by_sequence(self, batch: AnswerBatch) -> Loss:
        features, _ = self.features(batch.inputs.pixel_values, batch.inputs.grid_thw)
        labels = next_labels(batch.inputs)
        hidden = self.model.hidden_states(batch.inputs, features=features)
        values = -token_log_probs(hidden, head_weight(self.model), labels)
        both = (values, (labels != IGNORE_INDEX).float())
        return Loss(torch.stack([sequence_sums(x, batch.inputs) for x in both], dim=-1), {})

    def _contrast(self, batch: ContrastiveBatch) -> Loss:
        features, _ = self.features(batch.pixel_values, batch.grid_thw)
        loss, right = self.heads["contrast"](features, batch)
        return Loss(loss, {"contrast": (loss.detach(), batch.pairs), "matched": (right, batch.pairs)})

    def _prefer(self, batch: PreferenceBatch) -> Loss:
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

    def _policy_log_probs(self, batch: PolicyBatch) -> Loss:
        features, _ = self.features(batch.inputs.pixel_values, batch.inputs.grid_thw)
        return Loss(policy_log_probs(self.model, batch, features, self.config.grpo.temperature), {})

    def _improve(self, batch: PolicyBatch) -> Loss:
        features, zero = self.features(batch.inputs.pixel_values, batch.inputs.grid_thw)
        settings, tokens = self.config.grpo.resolved(self.config.bf16), float(len(batch.weights))
        policy = policy_log_probs(self.model, batch, features, settings.temperature)
        reference = None
        if settings.kl:
            with torch.no_grad(), self._as_reference() as model:
                reference = policy_log_probs(model, batch, features, settings.temperature)
        losses, clipped, divergence = policy_loss(policy, batch.old_log_probs, reference, batch.advantages, settings)
        behind = (policy.detach() if batch.old_log_probs is None else batch.old_log_probs) - batch.rollout_log_probs
        mean, largest = check_agreement(behind, settings)
        metrics: Metrics = {name: (torch.tensor(value), weight) for name, (value, weight) in batch.figures.items()}
        metrics |= {"log_ratio/mean": (torch.tensor(mean * tokens), tokens), "clipped": (clipped.sum(), tokens)}
        metrics |= {f"log_ratio/{kind}": told for kind, told in by_kind(behind.abs(), batch.kinds).items()}
        metrics["surprise"] = (-batch.rollout_log_probs.sum(), tokens)
        if reference is not None:
            metrics["kl"] = (divergence.sum(), tokens)
        total = (losses * batch.weights).sum()
        return Loss(total if zero is None else total + zero, metrics, {"log_ratio/max": torch.tensor(largest)})

    @contextmanager
    def _as_reference(self) -> Iterator[Qwen2_5_VL]:
        """The frozen copy, else the model without its adapters, else the model as it is."""
        if self.reference is not None:
            yield self.reference.model
        else:
            with adapters_disabled(self.model):
                yield self.model

    def _pair_features(self, batch: PreferenceBatch) -> tuple[Tensor | None, Tensor | None]:
        """One pass of the vision tower for all answers, policy and reference."""
        features, zero = self.features(batch.pixel_values, batch.grid_thw)
        return (None if features is None else features[batch.feature_index.to(features.device)]), zero

    @torch.no_grad()
    def reference_log_probs(self, batch: PreferenceBatch, features: Tensor | None) -> Tensor:
        with self._as_reference() as model:
            return pair_log_probs(model, batch, features)


def head_weight(model: Qwen2_5_VL) -> Tensor:
    """The output projection, (V, D); training has no quantized one."""
    weight = model.lm_head.weight
    assert isinstance(weight, Tensor)
    return weight


def pair_log_probs(model: Qwen2_5_VL, batch: PreferenceBatch, features: Tensor | None) -> Tensor:
    """Log-probabilities of the answers of each pair: (B, 2), chosen and rejected."""
    hidden = model.hidden_states(batch.inputs, features=features)
    values = token_log_probs(hidden, head_weight(model), next_labels(batch.inputs))
    return sequence_sums(values, batch.inputs).view(-1, 2)


def policy_log_probs(model: Qwen2_5_VL, batch: PolicyBatch, features: Tensor | None, temperature: float) -> Tensor:
    """(N,) log-probabilities of the tokens of answers, under the distribution that they were drawn from."""
    packs = Continuations(tuple(batch.inputs.seqlens), batch.before)
    hidden = model.hidden_states(batch.inputs, features=features, continuations=packs)
    return choice_log_probs(
        hidden[batch.predicted_at],
        head_weight(model),
        batch.tokens,
        temperature=temperature,
        excluded=undrawable_ids(model).to(hidden.device),
        kept=batch.kept,
    )


def undrawable_ids(model: Qwen2_5_VL) -> Tensor:
    """Placeholders stand for pixels; `engine.sampler` never draws them."""
    return torch.tensor([model.config.image_token_id, model.config.video_token_id])


def answer_tokens(batch: PreferenceBatch) -> Tensor:
    """Number of labelled tokens of each answer: (B, 2), chosen and rejected."""
    asked = next_labels(batch.inputs) != IGNORE_INDEX
    return sequence_sums(asked.float(), batch.inputs).view(-1, 2)


def freeze(learner: Learner) -> None:
    """Freeze the parameters that learning-rate scale, objective or adapters leave out."""
    scale, model = learner.config.lr_scale, learner.model
    if learner.config.lora is None:
        model.visual.requires_grad_(scale.tower > 0)
        model.visual.merger.requires_grad_(scale.merger > 0)
        speaks = scale.language > 0 and learner.config.objective != "contrastive" and learner.config.answer_weight > 0
        model.model.requires_grad_(speaks)
        model.lm_head.requires_grad_(speaks)
    learner.heads.requires_grad_(scale.heads > 0)
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
