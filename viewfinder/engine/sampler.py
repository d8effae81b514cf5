"""Choosing the next token from logits: greedy, temperature, top-k, top-p, repetition penalty.

Pure functions of one row of logits; the order of the steps is that of the reference implementation
(penalty, temperature, top-k, top-p), so equal settings mean equal distributions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from viewfinder.messages import Sampling

_GREEDY_BELOW = 1e-4
"""Temperatures under this choose the most likely token; the official setting of 1e-6 means just that."""


def choose(logits: Tensor, sampling: Sampling, history: Sequence[int], generator: torch.Generator | None) -> int:
    """The next token id.

    Args:
        logits: (V), already masked by a grammar where there is one.
        history: ids of the prompt and the answer so far, for the repetition penalty.
        generator: the source of chance; None for the global one.
    """
    if sampling.repetition_penalty != 1.0:
        logits = penalise_repetition(logits, history, sampling.repetition_penalty)
    if sampling.temperature < _GREEDY_BELOW:
        return int(logits.argmax())
    probabilities = distribution(logits, sampling)
    return int(torch.multinomial(probabilities, 1, generator=generator))


def penalise_repetition(logits: Tensor, history: Sequence[int], penalty: float) -> Tensor:
    """Divide positive logits of seen tokens by `penalty`, multiply negative ones (CTRL, arXiv 1909.05858)."""
    seen = torch.tensor(sorted(set(history)), device=logits.device)
    picked = logits[seen]
    return logits.index_put((seen,), torch.where(picked > 0, picked / penalty, picked * penalty))


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """Probabilities after temperature, top-k and top-p.

    With probabilities [0.5, 0.3, 0.15, 0.05], `top_p=0.7` keeps the first two: the smallest set whose sum
    reaches 0.7.
    """
    scaled = logits.float() / sampling.temperature
    if 0 < sampling.top_k < len(scaled):
        scaled = scaled.masked_fill(scaled < scaled.topk(sampling.top_k).values[-1], float("-inf"))
    probabilities = scaled.softmax(-1)
    if sampling.top_p < 1.0:
        ordered, order = probabilities.sort(descending=True)
        beyond = ordered.cumsum(-1) - ordered >= sampling.top_p
        probabilities[order[beyond]] = 0.0
        probabilities /= probabilities.sum()
    return probabilities
