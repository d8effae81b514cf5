"""The oracle: generation without a cache, recomputing the whole sequence at each step, and choosing from one row.

Slow and plain on purpose. Every faster path is tested to give the same tokens.
"""

import dataclasses
import math
from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor

from viewfinder.engine.sampler import GREEDY_BELOW, Constraint, LoopDetector, Sampler, Token
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Sampling
from viewfinder.model import Qwen2_5_VL


@torch.inference_mode()
def generate(
    model: Qwen2_5_VL,
    inputs: ModelInputs,
    sampling: Sampling,
    *,
    eos_token_ids: Collection[int],
    constraint: Constraint | None = None,
    guard: LoopDetector | None = None,
) -> Iterator[Token]:
    """As `viewfinder.engine.engine.generate`, by the definition."""
    sampler = Sampler(model.config, inputs, sampling, eos_token_ids, constraint, guard)
    num_prompt = len(inputs.input_ids)
    while True:
        token = sample(sampler, model(inputs)[-1], inputs.input_ids.tolist(), num_prompt)
        yield token
        if token.finish_reason is not None:
            return
        inputs = _appended(inputs, token.id)


def sample(sampler: Sampler, logits: Tensor, history: Sequence[int], num_prompt: int) -> Token:
    """Choose after one row of logits (V); the first `num_prompt` of `history` are the prompt's."""
    logits = logits.float().cpu().index_fill(0, torch.tensor(sampler.placeholders), float("-inf"))
    allowed = logits if sampler.constraint is None else sampler.constraint.mask(logits)
    if sampler.must_go_on:
        going_on = allowed.index_fill(0, torch.tensor(sampler.held_back, dtype=torch.int64), float("-inf"))
        allowed = allowed if bool(going_on.isneginf().all()) else going_on  # a grammar may have come to its end
    token_id = choose(allowed, sampler.sampling, history, num_prompt, sampler.draw())
    logprob = float(logits[token_id] - logits.logsumexp(-1))
    return Token(token_id, logprob, sampler.accept(token_id), (), token_id in sampler.ends)


def choose(logits: Tensor, sampling: Sampling, history: Sequence[int], num_prompt: int, draw: float) -> int:
    """The next token id.

    Args:
        logits: (V), already masked by a grammar where there is one.
        history: ids of the prompt and the answer so far, for the penalties; the first `num_prompt` are the prompt's.
        draw: in [0, 1).
    """
    logits = adjusted(logits, sampling, history, num_prompt)
    if sampling.temperature < GREEDY_BELOW or sampling.top_p == 0:
        return int(logits.argmax())
    ordered, order = distribution(logits, sampling).sort(descending=True, stable=True)
    mass = ordered.cumsum(-1)
    place = int((mass <= draw * mass[-1]).sum())
    return int(order[min(place, int((ordered > 0).sum()) - 1)])


def adjusted(logits: Tensor, sampling: Sampling, history: Sequence[int], num_prompt: int) -> Tensor:
    """Logits after bias and penalties."""
    if sampling.logit_bias:
        ids = torch.tensor([*sampling.logit_bias])
        logits = logits.index_add(0, ids, torch.tensor([*sampling.logit_bias.values()]).to(logits.dtype))
    if sampling.repetition_penalty != 1.0:
        logits = penalize_repetition(logits, history, sampling.repetition_penalty)
    if (sampling.presence_penalty or sampling.frequency_penalty) and len(history) > num_prompt:
        ids, counts = torch.tensor(history[num_prompt:]).unique(return_counts=True)
        taken = sampling.presence_penalty + sampling.frequency_penalty * counts
        logits = logits.index_add(0, ids, -taken.to(logits.dtype))
    return logits


def penalize_repetition(logits: Tensor, history: Sequence[int], penalty: float) -> Tensor:
    """Divide positive logits of seen tokens by `penalty`, multiply negative ones (CTRL, arXiv 1909.05858)."""
    seen = torch.tensor(sorted(set(history)), dtype=torch.long)
    picked = logits[seen]
    return logits.index_put((seen,), torch.where(picked > 0, picked / penalty, picked * penalty))


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """Probabilities after temperature, min-p, top-k and top-p.

    With probabilities [0.5, 0.3, 0.15, 0.05], `top_p=0.7` keeps the first two: the smallest set whose sum
    reaches 0.7.
    """
    scaled = (logits.float() / sampling.temperature).double()
    if sampling.min_p > 0:
        scaled = scaled.masked_fill(scaled < scaled.max() + math.log(sampling.min_p), float("-inf"))
    if 0 < sampling.top_k < len(scaled):
        scaled = scaled.masked_fill(scaled < scaled.topk(sampling.top_k).values[-1], float("-inf"))
    probabilities = scaled.softmax(-1)
    if sampling.top_p < 1.0:
        ordered, order = probabilities.sort(descending=True)
        beyond = ordered.cumsum(-1) - ordered >= sampling.top_p
        probabilities[order[beyond]] = 0.0
        probabilities /= probabilities.sum()
    return probabilities


def _appended(inputs: ModelInputs, token_id: int) -> ModelInputs:
    length = len(inputs.input_ids)
    position = torch.full((3, 1), length + inputs.rope_deltas[0])
    return dataclasses.replace(
        inputs,
        input_ids=torch.cat([inputs.input_ids, torch.tensor([token_id])]),
        position_ids=torch.cat([inputs.position_ids, position], dim=1),
        cu_seqlens=torch.tensor([0, length + 1], dtype=torch.int32),
    )
