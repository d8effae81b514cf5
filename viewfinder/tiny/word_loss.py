"""What is seen and what is asked for, said half way up the language model in its own words.

A question's "red" and a red thing meet only if both are written alike. So at tokens of a picture the state's logits for
kinds and colours are its products with the language model's embeddings of those words, and at tokens that are about
to place a thing likewise; then matching them is the same rule for every word. Nothing of this is needed afterwards.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from viewfinder.inputs import IGNORE_INDEX


class WordHeads(nn.Module):
    """Cosines between states and words, times one learnt scale.

    Args:
        words: per label the token ids of each answer's word; without any, the answer is not asked for.
    """

    def __init__(self, words: Mapping[str, Sequence[Sequence[int]]]) -> None:
        super().__init__()
        self.words = {name: [list(ids) for ids in answers] for name, answers in words.items()}
        self.scale = nn.Parameter(torch.tensor([2.5]))

    def forward(self, states: Float[Tensor, "T D"], embeddings: Float[Tensor, "V D"]) -> dict[str, Tensor]:
        """Logits per label, (T, answers). Embeddings get no gradient: the states go to the words."""
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
        """Labels, but -100 for answers without a word."""
        known = torch.tensor([bool(ids) for ids in self.words[name]], device=labels.device)
        told = labels != IGNORE_INDEX
        return torch.where(told & known[labels.clamp(min=0)], labels, IGNORE_INDEX)


def naming_loss(
    heads: WordHeads, states: Float[Tensor, "T D"], embeddings: Float[Tensor, "V D"], labels: Mapping[str, Tensor]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Sum over labels of the mean cross entropy, and the share that is named rightly."""
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
