"""Losses: next-token cross entropy in chunks, and that of the dense heads.

The logits of all tokens (T x V, in float32) never exist at once: each chunk's are made from the hidden
states, turned into a loss, and made again in the backward pass.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from viewfinder.inputs import IGNORE_INDEX

EMPTY_WEIGHT = 0.1


def chunked_cross_entropy(
    hidden: Float[Tensor, "T D"], weight: Float[Tensor, "V D"], labels: Int[Tensor, " T"], chunk: int = 4096
) -> Float[Tensor, ""]:
    """Mean cross entropy over labelled tokens; `labels[i]` is what follows token i. Without labels, 0."""
    kept = labels != IGNORE_INDEX
    hidden, labels = hidden[kept], labels[kept]
    if not len(labels):
        return hidden.sum() * 0.0
    if len(labels) <= chunk:
        return _summed(hidden, weight, labels) / len(labels)
    parts = [
        checkpoint(_summed, h, weight, y, use_reentrant=False)
        for h, y in zip(hidden.split(chunk), labels.split(chunk), strict=True)
    ]
    return torch.stack(parts).sum() / len(labels)


def _summed(hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy((hidden @ weight.T).float(), labels, reduction="sum")


class DenseHeads(nn.Module):
    """One linear question sheet on the tower's output, thrown away after training.

    Args:
        width: of the tower's output.
        sizes: per label, (questions per token, answers per question).
    """

    def __init__(self, width: int, sizes: Mapping[str, tuple[int, int]]) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.norm = nn.RMSNorm(width, elementwise_affine=False)
        self.out = nn.Linear(width, sum(questions * answers for questions, answers in self.sizes.values()))

    def forward(self, features: Float[Tensor, "M D"]) -> dict[str, Float[Tensor, "M Q A"]]:
        """Logits per label; M tokens, Q questions, A answers."""
        parts = self.out(self.norm(features)).split([q * a for q, a in self.sizes.values()], dim=-1)
        return {name: part.unflatten(-1, size) for (name, size), part in zip(self.sizes.items(), parts, strict=True)}


def dense_losses(
    logits: Mapping[str, Float[Tensor, "M Q A"]], labels: Mapping[str, Tensor]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Per label the mean cross entropy and the accuracy.

    Where 0 means "nothing" (most places) it weighs `EMPTY_WEIGHT`, and accuracy is over the rest only.
    """
    result = {}
    for name, values in logits.items():
        flat, target = values.flatten(0, 1), labels[name].flatten()
        asked = target != IGNORE_INDEX
        can_be_empty = name in ("characters", "letters", "kinds")
        weight = torch.ones(flat.shape[-1], device=flat.device)
        weight[0] = EMPTY_WEIGHT if can_be_empty else 1.0
        loss = F.cross_entropy(flat, target, weight, ignore_index=IGNORE_INDEX, reduction="sum")
        loss = loss / weight[target[asked]].sum().clamp(min=1.0)
        with torch.no_grad():
            told = asked & (target > 0) if can_be_empty else asked
            right = (flat.argmax(-1) == target)[told].float().mean() if bool(told.any()) else torch.tensor(0.0)
        result[name] = (loss, right)
    return result
