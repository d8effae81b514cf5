"""A loss on states half way up the language model: they should be close to the embedding of the word for what is there.

A question's "red" and a red thing match only if both are represented alike. So at media tokens, and at tokens of an
answer that is about to place a thing, the logits for kinds and colors are products of the state with the embeddings of
their words. Then matching follows the same rule for every word. The heads are thrown away after training.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.inputs import IGNORE_INDEX


class WordHeads(nn.Module):
    """Cosines between states and embeddings of words, times one learned scale.

    Args:
        words: per label the token ids of the word of each answer; an answer without ids is not asked for.
    """

    def __init__(self, words: Mapping[str, Sequence[Sequence[int]]]) -> None:
        super().__init__()
        self.words = {name: [list(ids) for ids in answers] for name, answers in words.items()}
        self.scale = nn.Parameter(torch.tensor([2.5]))

    def forward(self, states: Float[Tensor, "T D"], embeddings: Float[Tensor, "V D"]) -> dict[str, Tensor]:
        """Logits per label, (T, answers). Embeddings get no gradient, only the states."""
        seen = F.normalize(states.float(), dim=-1)
        return {name: self.scale.exp() * seen @ self._vectors(name, embeddings).T for name in self.words}

    def _vectors(self, name: str, embeddings: Tensor) -> Tensor:
        table = embeddings.detach().float()
        named = [i for i, ids in enumerate(self.words[name]) if ids]
        spoken = torch.stack([table[self.words[name][i]].mean(dim=0) for i in named])
        vectors = torch.zeros(len(self.words[name]), table.shape[1], device=table.device)
        vectors[named] = F.normalize(spoken - spoken.mean(dim=0), dim=-1)
        return vectors

    def answers(self, name: str, labels: Int[Tensor, " T"]) -> Int[Tensor, " T"]:
        """The labels, with -100 for answers without a word."""
        known = torch.tensor([bool(ids) for ids in self.words[name]], device=labels.device)
        told = labels != IGNORE_INDEX
        return torch.where(told & known[labels.clamp(min=0)], labels, IGNORE_INDEX)


def word_loss(
    heads: WordHeads, states: Float[Tensor, "T D"], embeddings: Float[Tensor, "V D"], labels: Mapping[str, Tensor]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Sum over labels of the mean cross entropy, and the accuracy."""
    total = (states[:1].sum() + heads.scale.sum()) * 0.0
    right, asked = torch.zeros((), device=states.device), 0
    for name, logits in heads(states, embeddings).items():
        target = heads.answers(name, labels[name])
        known = target != IGNORE_INDEX
        if bool(known.any()):
            total = total + F.cross_entropy(logits[known], target[known])
            right = right + (logits[known].argmax(dim=-1) == target[known]).sum()
            asked += int(known.sum())
    return total, right.detach() / max(1, asked)
