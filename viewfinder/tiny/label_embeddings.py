"""Symbols in the place of sight: features of media tokens made from what is known to be there.

Each label of a token (a character in a cell, a kind, a colour, an edge) has a vector of its own, and a token's
feature is their sum. A language model that sees symbols learns to read, to place and to answer before any
tower can see, and at a third of the cost; then the tower learns to say the same sums (`alignment`), and both go on
together from pixels. The tables are thrown away at the end, like the dense heads.

Two questions with three answers have six vectors: labels [2, 0] of a token give row 2 plus row 3.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from viewfinder.inputs import IGNORE_INDEX


class SymbolTables(nn.Module):
    """One vector for each answer to each question about a token.

    Args:
        width: of the features.
        sizes: per label, (questions per token, answers per question), as for `DenseHeads`.
    """

    def __init__(self, width: int, sizes: Mapping[str, tuple[int, int]]) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.table = nn.Embedding(sum(q * a for q, a in self.sizes.values()) + 1, width, padding_idx=0)
        nn.init.normal_(self.table.weight, std=0.15)

    def forward(self, labels: Mapping[str, Tensor]) -> Float[Tensor, "M D"]:
        """The sum of the vectors of all labels of each token; what was not asked adds nothing."""
        rows, first = [], 1
        for name, (questions, answers) in self.sizes.items():
            label = labels[name].reshape(-1, questions)
            start = first + answers * torch.arange(questions, device=label.device)
            rows.append(torch.where(label == IGNORE_INDEX, 0, label + start))
            first += questions * answers
        return nn.functional.embedding_bag(torch.cat(rows, dim=1), self.table.weight, mode="sum", padding_idx=0)


def alignment(features: Float[Tensor, "M D"], symbols: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
    """Mean squared distance of features from symbols, as a share of the symbols' variance."""
    target = symbols.detach().float()
    spread = (target - target.mean(dim=0)).square().mean().clamp(min=1e-6)
    return (features.float() - target).square().mean() / spread
