"""Classification heads on token states, thrown away after training, and their losses."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.inputs import IGNORE_INDEX

EMPTY_WEIGHT = 0.1


class LabelHeads(nn.Module):
    """A linear layer over normalized states for each of several labels.

    A label has a layer of its own: one whose size changes begins anew, the others are read from an earlier run.

    Args:
        width: of the states.
        sizes: per label, (questions per token, answers per question).
    """

    def __init__(self, width: int, sizes: Mapping[str, tuple[int, int]]) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.norm = nn.RMSNorm(width, elementwise_affine=False)
        self.out = nn.ModuleDict({name: nn.Linear(width, math.prod(size)) for name, size in self.sizes.items()})

    def forward(self, features: Float[Tensor, "M D"]) -> dict[str, Float[Tensor, "M Q A"]]:
        """Logits per label; M tokens, Q questions, A answers."""
        normed = self.norm(features)
        return {name: self.out[name](normed).unflatten(-1, size) for name, size in self.sizes.items()}


def label_losses(
    logits: Mapping[str, Float[Tensor, "M Q A"]], labels: Mapping[str, Tensor]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Per label the mean cross entropy and the accuracy.

    Where the answer 0 means "nothing" (at most tokens), it weighs `EMPTY_WEIGHT` and is left out of the accuracy.
    """
    result = {}
    for name, values in logits.items():
        flat, target = values.flatten(0, 1), labels[name].flatten()
        asked = target != IGNORE_INDEX
        can_be_empty = name in ("characters", "letters", "kinds", "changes")
        weight = torch.ones(flat.shape[-1], device=flat.device)
        weight[0] = EMPTY_WEIGHT if can_be_empty else 1.0
        loss = F.cross_entropy(flat, target, weight, ignore_index=IGNORE_INDEX, reduction="sum")
        loss = loss / weight[target[asked]].sum().clamp(min=1.0)
        with torch.no_grad():
            told = asked & (target > 0) if can_be_empty else asked
            right = (flat[told].argmax(-1) == target[told]).float().mean() if bool(told.any()) else torch.tensor(0.0)
        result[name] = (loss, right)
    return result
