"""One request, token by token: prefill with a cache, then decode. Works on ids alone.

`generate` equals `viewfinder.engine.reference.generate`, which recomputes everything at each step. Knows
constraints and loop guards only by their protocol; text, stop strings and media are not its business.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from viewfinder.engine.sampling import choose
from viewfinder.errors import ContextLengthError
from viewfinder.inputs import ModelInputs
from viewfinder.messages import Sampling
from viewfinder.model import KVCache, Qwen2_5_VL


@dataclass(frozen=True)
class Token:
    """One generated token. `logprob` is the model's own, before grammar, penalty and temperature; so is `top`,
    the likeliest (id, log probability) pairs, as many as were asked for."""

    id: int
    logprob: float
    finish_reason: Literal["stop", "length", "loop"] | None = None
    top: tuple[tuple[int, float], ...] = ()


class Constraint(Protocol):
    """A grammar at some state of its matching."""

    def mask(self, logits: Tensor) -> Tensor: ...
    def accept(self, token_id: int) -> None: ...
    @property
    def is_finished(self) -> bool: ...


class Guard(Protocol):
    """Watches tokens; a true value of `push` ends the answer."""

    def push(self, token_id: int) -> object | None: ...


@torch.inference_mode()
def generate(
    model: Qwen2_5_VL,
    inputs: ModelInputs,
    sampling: Sampling,
    *,
    eos_token_ids: Collection[int],
    constraint: Constraint | None = None,
    guard: Guard | None = None,
) -> Iterator[Token]:
    """Generate after one packed sequence; the last token yielded has a `finish_reason`.

    Raises:
        ContextLengthError: the prompt leaves no room for an answer.
    """
    cache = KVCache(
        model.config.text, capacity=room(model, inputs, sampling)[1], dtype=model.compute_dtype, device=model.device
    )
    step = inputs.to(model.device)
    picker = Picker(model, inputs, sampling, eos_token_ids, constraint, guard)
    while True:
        last = torch.tensor([len(step.input_ids) - 1], device=model.device)
        token = picker.pick(model(step, [cache], logits_at=last)[0])
        yield token
        if token.finish_reason is not None:
            return
        step = next_step(token.id, cache.length + inputs.rope_deltas[0], model.device)


def room(model: Qwen2_5_VL, inputs: ModelInputs, sampling: Sampling) -> tuple[int, int]:
    """How many tokens may be generated, and the length of prompt and answer together."""
    assert inputs.num_sequences == 1, "one request at a time; the scheduler batches several"
    prompt, limit = len(inputs.input_ids), model.config.text.max_position_embeddings
    if prompt >= limit:
        raise ContextLengthError(
            f"the request has {prompt} tokens and the model takes {limit}, so no answer fits; use fewer or smaller "
            "pictures (max_pixels), fewer frames (total_pixels), or less text"
        )
    total = min(limit, prompt + sampling.max_new_tokens)
    return total - prompt, total


def next_step(token_id: int, position: int, device: torch.device) -> ModelInputs:
    """Inputs of one decoding step: a single token whose three position ids are equal."""
    return ModelInputs(
        input_ids=torch.tensor([token_id], device=device),
        position_ids=torch.full((3, 1), position, device=device),
        cu_seqlens=torch.tensor([0, 1], dtype=torch.int32),
        rope_deltas=(0,),
        media_per_sequence=(0,),
    )


class Picker:
    """Turns logits into tokens and decides when to end; shared by the cached path and the oracle."""

    def __init__(
        self,
        model: Qwen2_5_VL,
        inputs: ModelInputs,
        sampling: Sampling,
        eos_token_ids: Collection[int],
        constraint: Constraint | None,
        guard: Guard | None,
        top: int = 0,
    ) -> None:
        """`top` likeliest tokens are told with each one chosen."""
        self._top = top
        self._sampling, self._eos, self._constraint, self._guard = sampling, set(eos_token_ids), constraint, guard
        self._history: list[int] = inputs.input_ids.tolist()
        self._left = room(model, inputs, sampling)[0]
        self._placeholders = torch.tensor([model.config.image_token_id, model.config.video_token_id])
        self._generator = None if sampling.seed is None else torch.Generator().manual_seed(sampling.seed)

    def pick(self, logits: Tensor) -> Token:
        """Choose after (V) logits, and tell whether the answer ends here."""
        # placeholders stand for pixels, and an answer has none
        logits = logits.float().cpu().index_fill(0, self._placeholders, float("-inf"))
        allowed = logits if self._constraint is None else self._constraint.mask(logits)
        token_id = choose(allowed, self._sampling, self._history, self._generator)
        total = logits.logsumexp(-1)
        logprob = float(logits[token_id] - total)
        top = self._likeliest(logits - total) if self._top else ()
        self._history.append(token_id)
        self._left -= 1
        return Token(token_id, logprob, self._finish(token_id), top)

    def _likeliest(self, logprobs: Tensor) -> tuple[tuple[int, float], ...]:
        values, ids = logprobs.topk(min(self._top, len(logprobs)))
        return tuple(zip(ids.tolist(), values.tolist(), strict=True))

    def _finish(self, token_id: int) -> Literal["stop", "length", "loop"] | None:
        if token_id in self._eos:
            return "stop"
        if self._constraint is not None:
            self._constraint.accept(token_id)
            if self._constraint.is_finished:
                return "stop"
        if self._guard is not None and self._guard.push(token_id):
            return "loop"
        return "length" if self._left == 0 else None
