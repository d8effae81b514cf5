"""Choosing the next token from logits, and telling whether the answer ends with it.

`Sampler` belongs to one sequence; all paths of the engine and the oracle share it. The functions below it are pure
ones of a row of logits; the order of their steps is that of the reference implementation and of vLLM (bias, penalties,
temperature, min-p, top-k, top-p), so equal settings mean equal distributions.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from viewfinder.config import ModelConfig
from viewfinder.errors import CheckpointError, ContextLengthError, MessageError
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Sampling

_GREEDY_BELOW = 1e-4
"""Temperatures under this choose the most likely token; the official setting of 1e-6 means just that."""


@dataclass(frozen=True)
class Token:
    """One generated token. `logprob` is the model's own, before grammar, penalty and temperature; so is `top`,
    the likeliest (id, log probability) pairs, as many as were asked for. `is_end`: it ended the answer and is no part
    of its text."""

    id: int
    logprob: float
    finish_reason: Literal["stop", "length", "loop"] | None = None
    top: tuple[tuple[int, float], ...] = ()
    is_end: bool = False


class Constraint(Protocol):
    """A grammar at some state of its matching."""

    def mask(self, logits: Tensor) -> Tensor: ...
    def accept(self, token_id: int) -> None: ...
    def forced(self, most: int) -> list[int]: ...
    def copy(self) -> "Constraint": ...
    @property
    def is_finished(self) -> bool: ...


class LoopDetector(Protocol):
    """Watches tokens; a true value of `push` ends the answer."""

    def push(self, token_id: int) -> object | None: ...


class Sampler:
    """Turns the logits of one sequence into its tokens.

    Attributes:
        max_length: tokens of prompt and answer together.
    """

    def __init__(
        self,
        config: ModelConfig,
        inputs: ModelInputs,
        sampling: Sampling,
        eos_token_ids: Collection[int],
        constraint: Constraint | None = None,
        guard: LoopDetector | None = None,
        top_logprobs: int = 0,
    ) -> None:
        """`top_logprobs` likeliest tokens are told with each one chosen.

        Raises:
            ContextLengthError: the prompt leaves no room for an answer.
            MessageError: a token id of `sampling` is not in the vocabulary.
        """
        assert inputs.num_sequences == 1, "one sampler a sequence"
        prompt, limit = len(inputs.input_ids), config.text.max_position_embeddings
        if prompt >= limit:
            raise ContextLengthError(
                f"the request has {prompt} tokens and the model takes {limit}, so no answer fits; use fewer or smaller "
                "pictures (max_pixels), fewer frames (total_pixels), or less text"
            )
        _check_ids(sampling, config.text.vocab_size)
        self.max_length = min(limit, prompt + sampling.max_new_tokens)
        self._prompt, self._min_length = prompt, prompt + sampling.min_tokens
        self._sampling, self._constraint, self._guard = sampling, constraint, guard
        self._ends = {*sampling.stop_token_ids, *(() if sampling.ignore_eos else eos_token_ids)}
        self._unfinished = torch.tensor(sorted({*sampling.stop_token_ids, *eos_token_ids}))
        self._top_logprobs = top_logprobs
        self._placeholders = torch.tensor([config.image_token_id, config.video_token_id])
        self._generator = None if sampling.seed is None else torch.Generator().manual_seed(sampling.seed)

    def sample(self, logits: Tensor, token_ids: Sequence[int]) -> Token:
        """Choose after (V) logits; `token_ids` are prompt and answer so far.

        Raises:
            CheckpointError: the logits are no numbers.
        """
        # placeholders stand for pixels, and an answer has none
        logits = logits.float().cpu().index_fill(0, self._placeholders, float("-inf"))
        total = logits.logsumexp(-1)
        if bool(total.isnan()):  # token 0 without end would be the answer
            raise CheckpointError(
                "the model's output for this request is no number (NaN), so no token can be chosen; the weights "
                "may be broken or too large for their dtype: load them as float32"
            )
        allowed = logits if self._constraint is None else self._constraint.mask(logits)
        if len(token_ids) < self._min_length:
            going_on = allowed.index_fill(0, self._unfinished.to(allowed.device), float("-inf"))
            allowed = allowed if bool(going_on.isneginf().all()) else going_on  # a grammar may have come to its end
        token_id = choose(allowed, self._sampling, token_ids, self._prompt, self._generator)
        top = self._likeliest(logits - total) if self._top_logprobs else ()
        reason = self._finish(token_id, len(token_ids) + 1)
        return Token(token_id, float(logits[token_id] - total), reason, top, token_id in self._ends)

    def forced(self, length: int) -> list[int]:
        """Tokens that `sample` cannot but choose next, after `length` of prompt and answer. The last token that fits
        is never among them, for nothing needs to read it."""
        most = self.max_length - 1 - length
        return [] if self._constraint is None or most < 1 else self._constraint.forced(most)

    def _likeliest(self, logprobs: Tensor) -> tuple[tuple[int, float], ...]:
        values, ids = logprobs.topk(min(self._top_logprobs, len(logprobs)))
        return tuple(zip(ids.tolist(), values.tolist(), strict=True))

    def _finish(self, token_id: int, length: int) -> Literal["stop", "length", "loop"] | None:
        if token_id in self._ends:
            return "stop"
        if self._constraint is not None:
            self._constraint.accept(token_id)
            if self._constraint.is_finished:
                return "stop"
        if self._guard is not None and self._guard.push(token_id) and not self._must_go_on(length):
            return "loop"
        return "length" if length == self.max_length else None

    def _must_go_on(self, length: int) -> bool:
        """Its length was asked for, circles or not."""
        return self._sampling.ignore_eos or length < self._min_length


def _check_ids(sampling: Sampling, vocab_size: int) -> None:
    for name, ids in (("logit_bias", sampling.logit_bias), ("stop_token_ids", sampling.stop_token_ids)):
        if unknown := [i for i in ids if not 0 <= i < vocab_size]:
            raise MessageError(
                f"{name} names token {unknown[0]}, and the model's are 0 to {vocab_size - 1}; correct it"
            )


def choose(
    logits: Tensor, sampling: Sampling, history: Sequence[int], num_prompt: int, generator: torch.Generator | None
) -> int:
    """The next token id.

    Args:
        logits: (V), already masked by a grammar where there is one.
        history: ids of the prompt and the answer so far, for the penalties; the first `num_prompt` are the prompt's.
        generator: the source of chance; None for the global one.
    """
    logits = adjusted(logits, sampling, history, num_prompt)
    if sampling.temperature < _GREEDY_BELOW or sampling.top_p == 0:
        return int(logits.argmax())
    probabilities = distribution(logits, sampling)
    return int(torch.multinomial(probabilities, 1, generator=generator))


def adjusted(logits: Tensor, sampling: Sampling, history: Sequence[int], num_prompt: int) -> Tensor:
    """Logits after bias and penalties.

    With `presence_penalty=0.5`, `frequency_penalty=0.1` and an answer `a b a` so far, 0.7 is taken from the logit of a
    and 0.6 from that of b; the prompt counts for the repetition penalty only.
    """
    if sampling.logit_bias:
        ids = torch.tensor([*sampling.logit_bias], device=logits.device)
        bias = torch.tensor([*sampling.logit_bias.values()], device=logits.device)
        logits = logits.index_add(0, ids, bias.to(logits.dtype))
    if sampling.repetition_penalty != 1.0:
        logits = penalize_repetition(logits, history, sampling.repetition_penalty)
    if (sampling.presence_penalty or sampling.frequency_penalty) and len(history) > num_prompt:
        ids, counts = torch.tensor(history[num_prompt:], device=logits.device).unique(return_counts=True)
        taken = sampling.presence_penalty + sampling.frequency_penalty * counts
        logits = logits.index_add(0, ids, -taken.to(logits.dtype))
    return logits


def penalize_repetition(logits: Tensor, history: Sequence[int], penalty: float) -> Tensor:
    """Divide positive logits of seen tokens by `penalty`, multiply negative ones (CTRL, arXiv 1909.05858)."""
    seen = torch.tensor(sorted(set(history)), dtype=torch.long, device=logits.device)
    picked = logits[seen]
    return logits.index_put((seen,), torch.where(picked > 0, picked / penalty, picked * penalty))


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """Probabilities after temperature, min-p, top-k and top-p.

    With probabilities [0.5, 0.3, 0.15, 0.05], `top_p=0.7` keeps the first two: the smallest set whose sum
    reaches 0.7.
    """
    scaled = logits.float() / sampling.temperature
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
