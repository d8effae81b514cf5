"""Embeddings of the labels of media tokens, which can stand in for the features of the vision tower.

Each label of a token (a character in a cell, a kind, a color, an edge) has a vector, and the feature of the token is
their sum. With them a language model learns to read, to place and to answer before the vision tower can see, at a third
of the cost. Then the tower learns to give the same sums (`alignment_loss`), and both are trained on from pixels. The
embeddings are thrown away at the end.

Two questions with three answers have six vectors: labels [2, 0] of a token give row 2 plus row 3.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from viewfinder.data.synth.words import CHARACTERS
from viewfinder.inputs import IGNORE_INDEX
from viewfinder.processor.processor import Processor


class LabelEmbeddings(nn.Module):
    """One vector for each answer to each question about a token.

    Args:
        width: of the features.
        sizes: per label, (questions per token, answers per question), as in `LabelHeads`.
    """

    def __init__(self, width: int, sizes: Mapping[str, tuple[int, int]]) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.table = nn.Embedding(sum(q * a for q, a in self.sizes.values()) + 1, width, padding_idx=0)
        nn.init.normal_(self.table.weight, std=0.15)

    def forward(self, labels: Mapping[str, Tensor]) -> Float[Tensor, "M D"]:
        """The sum of the vectors of the labels of each token; -100 adds nothing."""
        rows, first = [], 1
        for name, (questions, answers) in self.sizes.items():
            label = labels[name].reshape(-1, questions)
            start = first + answers * torch.arange(questions, device=label.device)
            rows.append(torch.where(label == IGNORE_INDEX, 0, label + start))
            first += questions * answers
        return nn.functional.embedding_bag(torch.cat(rows, dim=1), self.table.weight, mode="sum", padding_idx=0)


def alignment_loss(features: Float[Tensor, "M D"], wanted: Float[Tensor, "M D"]) -> Float[Tensor, ""]:
    """Mean squared distance of features from label embeddings, as a share of the variance of the latter."""
    target = wanted.detach().float()
    spread = (target - target.mean(dim=0)).square().mean().clamp(min=1e-6)
    return (features.float() - target).square().mean() / spread


def add_letters(
    label_embeddings: LabelEmbeddings, embeddings: Tensor, processor: Processor, strength: float = 2.0
) -> None:
    """Add to the vector of each character the language model's own embedding of it, so that a letter at a media token
    is close to the token that says it, in every cell."""
    questions, answers = label_embeddings.sizes["characters"]
    with torch.no_grad():
        for i, character in enumerate(CHARACTERS + " ", 1):
            (token,) = processor.tokenizer.encode(character)
            own = embeddings[token] / embeddings[token].norm() * strength
            label_embeddings.table.weight[1 + i : 1 + questions * answers : answers] += own
