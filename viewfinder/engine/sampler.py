"""How the next token of one sequence is chosen, and whether the answer ends with it.

A `Sampler` belongs to one sequence and holds no tensors of the device. `batch_sampler` chooses for many sequences at
once on the device of the logits; `reference` chooses for one, by the definition.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch

from viewfinder.config import ModelConfig
from viewfinder.errors import ContextLengthError, MessageError
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Sampling

GREEDY_BELOW = 1e-4
"""Temperatures under this choose the most likely token; the official setting of 1e-6 means just that."""
FinishReason = Literal["stop", "length", "loop"]


@dataclass(frozen=True)
class Token:
    """One generated token. `logprob` is the model's own, before grammar, penalty and temperature; so is `top`,
    the likeliest (id, log probability) pairs, as many as were asked for. `is_end`: it ended the answer and is no part
    of its text."""

    id: int
    logprob: float
    finish_reason: FinishReason | None = None
    top: tuple[tuple[int, float], ...] = ()
    is_end: bool = False


class Constraint(Protocol):
    """A grammar at some state of its matching.

    `bits` are uint8, one bit for each token id, the lowest bit first: whether the token may come next. Ids beyond them
    may not. `mask` says the same on a row of logits.
    """

    def bits(self) -> np.ndarray: ...
    def mask(self, logits: torch.Tensor) -> torch.Tensor: ...
    def accept(self, token_id: int) -> None: ...
    def forced(self, most: int) -> list[int]: ...
    def copy(self) -> "Constraint": ...
    @property
    def is_finished(self) -> bool: ...


class LoopDetector(Protocol):
    """Watches tokens; a true value of `push` ends the answer."""

    def push(self, token_id: int) -> object | None: ...


class Sampler:
    """The rules by which the tokens of one sequence are chosen, and what they have seen so far.

    Attributes:
        length: tokens of prompt and answer so far; `max_length` at most.
        ends: tokens that end the answer.
        held_back: tokens that are not allowed before the answer has its minimum length.
        placeholders: tokens that stand for pixels, and that an answer never has.
        top_logprobs: how many of the likeliest tokens are reported with each chosen one.
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
        """
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
        self.length, self.max_length = prompt, min(limit, prompt + sampling.max_new_tokens)
        self.sampling, self.constraint, self.top_logprobs = sampling, constraint, top_logprobs
        self.ends = {*sampling.stop_token_ids, *(() if sampling.ignore_eos else eos_token_ids)}
        self.held_back = sorted({*sampling.stop_token_ids, *eos_token_ids})
        self.placeholders = [config.image_token_id, config.video_token_id]
        self._min_length, self._vocab_size = prompt + sampling.min_tokens, config.text.vocab_size
        self._guard = guard
        self._mask_seconds = 0.0
        self._generator = None if sampling.seed is None else torch.Generator().manual_seed(sampling.seed)
        self.adjustments = Adjustments(sampling, inputs.input_ids.tolist())

    @property
    def is_greedy(self) -> bool:
        return self.sampling.temperature < GREEDY_BELOW or self.sampling.top_p == 0

    @property
    def must_go_on(self) -> bool:
        """Whether the answer is shorter than its minimum length."""
        return self.length < self._min_length

    def draw(self) -> float:
        """A random number in [0, 1) for the next token: from the sequence's seed, else from PyTorch's generator."""
        return 0.0 if self.is_greedy else float(torch.rand((), generator=self._generator))

    def bits(self) -> np.ndarray | None:
        """Which tokens may come next, as `Constraint.bits`; None where all may."""
        if self.constraint is None and not self.must_go_on:
            return None
        start = time.thread_time()
        bits = np.full(-(-self._vocab_size // 8), 255, np.uint8) if self.constraint is None else self.constraint.bits()
        self._mask_seconds += time.thread_time() - start
        if self.must_go_on:
            going_on = bits.copy()
            for i in self.held_back:
                if i < 8 * len(bits):
                    going_on[i // 8] &= 255 ^ (1 << i % 8)
            bits = going_on if going_on.any() else bits  # a grammar may have come to its end
        return bits

    def take_mask_seconds(self) -> float:
        """Processor time that masks took since the last call."""
        taken, self._mask_seconds = self._mask_seconds, 0.0
        return taken

    def accept(self, token_id: int) -> FinishReason | None:
        """Record the chosen token. Returns the reason if the answer ends with it.

        Raises:
            GrammarError: the grammar does not allow it.
        """
        self.length += 1
        self.adjustments.count(token_id)
        if token_id in self.ends:
            return "stop"
        if self.constraint is not None:
            self.constraint.accept(token_id)
            if self.constraint.is_finished:
                return "stop"
        is_loop = self._guard is not None and self._guard.push(token_id)
        if is_loop and not self.sampling.ignore_eos and not self.must_go_on:  # the caller set the length
            return "loop"
        return "length" if self.length == self.max_length else None

    def forced(self, length: int) -> list[int]:
        """Tokens that must come next, because the grammar allows no others, after `length` tokens of prompt and answer.
        The last token that fits is never among them: no pass has to read it."""
        most = self.max_length - 1 - length
        return [] if self.constraint is None or most < 1 else self.constraint.forced(most)


class Adjustments:
    """Data for bias and penalties of one sequence: a row (id, 1 if the token is in the prompt or the answer, count in
    the answer, bias) for each token that any of them changes."""

    def __init__(self, sampling: Sampling, prompt: Collection[int]) -> None:
        wanted = (sampling.repetition_penalty != 1, sampling.presence_penalty != 0, sampling.frequency_penalty != 0)
        self._counts_answer, seen = any(wanted), set(prompt) if wanted[0] else set[int]()
        ids = sorted({*seen, *sampling.logit_bias})
        self._place = {i: at for at, i in enumerate(ids)}
        self._rows = np.array([(i, i in seen, 0, sampling.logit_bias.get(i, 0)) for i in ids], np.float32).reshape(
            -1, 4
        )

    @property
    def rows(self) -> np.ndarray:
        """(N, 4) float32."""
        return self._rows[: len(self._place)]

    def count(self, token_id: int) -> None:
        """Record one more token of the answer."""
        if not self._counts_answer:
            return
        at = self._place.setdefault(token_id, len(self._place))
        if at == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros((at + 64, 4), np.float32)])
        self._rows[at, :3] = token_id, 1, self._rows[at, 2] + 1


def _check_ids(sampling: Sampling, vocab_size: int) -> None:
    for name, ids in (("logit_bias", sampling.logit_bias), ("stop_token_ids", sampling.stop_token_ids)):
        if unknown := [i for i in ids if not 0 <= i < vocab_size]:
            raise MessageError(
                f"{name} names token {unknown[0]}, and the model's are 0 to {vocab_size - 1}; correct it"
            )
