"""Answers written by the model that is trained: several to each prompt, with the probabilities that they were drawn by.

Prompts are generated together (continuous batching). Of each group one answer is begun first; the others find its
prompt in the cache, so a group takes one pass of the tower and one of the prompt.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from viewfinder.data.sample import Sample
from viewfinder.engine.engine import EngineCore
from viewfinder.engine.loop_guard import LoopGuard
from viewfinder.engine.model_runner import ModelRunner
from viewfinder.engine.reference import distribution
from viewfinder.engine.sampler import Constraint, FinishReason, Sampler
from viewfinder.engine.scheduler import EngineConfig, Scheduled
from viewfinder.engine.sequence import Sequence as EngineSequence
from viewfinder.errors import CheckpointError
from viewfinder.messages import Sampling
from viewfinder.model import KVCache, Qwen2_5_VL
from viewfinder.processor.processor import Prepared
from viewfinder.processor.tokenizer import Tokenizer
from viewfinder.train.grpo_config import GrpoConfig


@dataclass(frozen=True, eq=False)
class Prompt:
    """What is asked: a sample up to its last answer.

    Attributes:
        number: of the row in its source; `name` for reports.
        case: what the scorer needs to know of the truth.
        constraint: makes the grammar of one answer, at its beginning.
    """

    number: int
    name: str
    sample: Sample
    prepared: Prepared
    case: Any = None
    constraint: Callable[[], Constraint] | None = None


@dataclass(frozen=True)
class Rollout:
    """One answer.

    Attributes:
        tokens: its end token included, where it ended by itself.
        log_probs: of each token under the distribution that it was drawn from.
        kept: for each token the ids that could be drawn, as `PolicyBatch.kept`; () where all could.
        finish: "stop", "length" or "loop".
        reward: None where it could not be scored.
        old_log_probs: of a training pass with the same weights; () where none was made.
        turns: of an episode, which has no tokens of its own; episode_tokens: of all turns, where this is one of them.
    """

    index: int
    tokens: tuple[int, ...]
    log_probs: tuple[float, ...]
    kept: tuple[bytes, ...]
    finish: str
    text: str
    reward: float | None = None
    advantage: float = 0.0
    old_log_probs: tuple[float, ...] = ()
    turns: tuple["Turn", ...] = ()
    episode_tokens: int = 0

    @property
    def num_tokens(self) -> int:
        """Of the answer, or of all answers of the episode."""
        return len(self.tokens) + sum(len(turn.rollout.tokens) for turn in self.turns)


@dataclass(frozen=True)
class Turn:
    """One answer of an episode, and what it answers."""

    prompt: Prompt
    rollout: Rollout


class RecordingSampler(Sampler):
    """Keeps the probability of each token under the distribution it was drawn from, and which tokens that had.

    `rows` are the logits of the step that chooses its next tokens, one row a token. `accept` comes once a token, in
    their order; `bits` comes before it where the grammar left a choice.
    """

    def __init__(self, *arguments: Any, filtered: bool) -> None:
        super().__init__(*arguments)
        self.filtered = filtered
        self.rows: Iterator[Tensor] = iter(())
        self.log_probs: list[float] = []
        self.kept: list[bytes] = []
        self._has_choice = False
        self._allowed: np.ndarray | None = None

    def bits(self) -> np.ndarray | None:
        self._has_choice, self._allowed = True, super().bits()
        return self._allowed

    def accept(self, token_id: int) -> FinishReason | None:
        logits = next(self.rows).float().cpu()
        if self._has_choice:
            probabilities = self._distribution(logits)
            self.log_probs.append(float(probabilities[token_id].log()))
            possible = (probabilities > 0).numpy()
        else:
            self.log_probs.append(0.0)
            possible = np.arange(len(logits)) == token_id
        if self.filtered:
            self.kept.append(np.packbits(possible, bitorder="little").tobytes())
        self._has_choice = False
        return super().accept(token_id)

    def _distribution(self, logits: Tensor) -> Tensor:
        allowed = torch.ones(len(logits), dtype=torch.bool)
        if self._allowed is not None:
            known = torch.from_numpy(np.unpackbits(self._allowed, bitorder="little").astype(np.bool_))[: len(logits)]
            allowed[: len(known)], allowed[len(known) :] = known, False
        allowed[self.placeholders] = False
        return distribution(logits.masked_fill(~allowed, float("-inf")), self.sampling)


class RecordingRunner(ModelRunner):
    """Shows each `RecordingSampler` the logits that its tokens are chosen from."""

    def _forward(self, ready: list[Scheduled]) -> Tensor:
        logits, at = super()._forward(ready), 0
        for part in ready:
            start = part.sequence.num_computed_tokens
            count = len(part.sequence.sampled_at(start, start + part.num_tokens))
            if count:
                assert isinstance(part.sequence.sampler, RecordingSampler)
                part.sequence.sampler.rows = iter(logits[at : at + count])
            at += count
        return logits


@dataclass(frozen=True)
class Writer:
    """Writes rollouts.

    Attributes:
        ends: tokens that end an answer.
        seed: of the run. Chance depends on it, the prompt's number and the answer's index alone.
    """

    config: GrpoConfig
    tokenizer: Tokenizer
    ends: tuple[int, ...]
    seed: int = 0

    def write(self, model: Qwen2_5_VL, prompts: Sequence[Prompt]) -> list[list[Rollout]]:
        """A group of answers to each prompt. An answer whose grammar could not be followed is missing.

        Raises:
            CheckpointError: the model's output is no number.
            ContextLengthError: a prompt is too long for the model or the cache.
        """
        if not prompts:
            return []
        core = EngineCore(model, self._engine_config(model, prompts), runner=RecordingRunner)
        owner: dict[EngineSequence, tuple[int, int]] = {}
        started: set[int] = set()
        groups: list[dict[int, Rollout]] = [{} for _ in prompts]

        def begin(at: int, index: int) -> None:
            sampler = self._sampler(model, prompts[at], index)
            sequence = core.runner.make_sequence(prompts[at].prepared.inputs, sampler)
            owner[sequence] = at, index
            core.scheduler.add(sequence)

        for at in range(len(prompts)):
            begin(at, 0)
        while not core.scheduler.is_idle:
            for output in core.step():
                at, index = owner[output.sequence]
                if (output.tokens or output.error) and at not in started:
                    started.add(at)  # its prompt is in the cache
                    for other in range(1, self.config.group):
                        begin(at, other)
                if isinstance(output.error, CheckpointError):
                    raise output.error
                if output.tokens and output.error is None and (finish := output.tokens[-1].finish_reason):
                    groups[at][index] = self._rollout(output.sequence, index, finish)
        core.runner.free()
        return [[group[index] for index in sorted(group)] for group in groups]

    def _rollout(self, sequence: EngineSequence, index: int, finish: str) -> Rollout:
        sampler = sequence.sampler
        assert isinstance(sampler, RecordingSampler)
        tokens = tuple(sequence.token_ids[sequence.num_prompt_tokens :][: len(sampler.log_probs)])
        text = self.tokenizer.decode([token for token in tokens if token not in self.ends])
        return Rollout(index, tokens, tuple(sampler.log_probs), tuple(sampler.kept), finish, text)

    def _sampler(self, model: Qwen2_5_VL, prompt: Prompt, index: int) -> RecordingSampler:
        chance = int(np.random.SeedSequence((self.seed, prompt.number, index)).generate_state(1)[0])
        config, constraint = self.config, prompt.constraint() if prompt.constraint else None
        sampling = Sampling(
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            top_k=config.top_k,
            top_p=config.top_p,
            min_p=config.min_p,
            seed=chance,
        )
        guard = LoopGuard(self.tokenizer.token_bytes)
        filtered = constraint is not None or config.top_k > 0 or config.top_p < 1 or config.min_p > 0
        inputs = prompt.prepared.inputs
        return RecordingSampler(model.config, inputs, sampling, self.ends, constraint, guard, filtered=filtered)

    def _engine_config(self, model: Qwen2_5_VL, prompts: Sequence[Prompt]) -> EngineConfig:
        base = EngineConfig()
        longest = max(len(prompt.prepared.inputs.input_ids) for prompt in prompts) + self.config.max_new_tokens
        at_once = min(self.config.max_num_seqs, len(prompts) * self.config.group)
        block = KVCache.block_bytes(model.config.text, base.block_size, model.cache_dtype)
        needed = (at_once + len(prompts)) * -(-longest // base.block_size) * block
        return replace(
            base,
            max_num_seqs=at_once,
            max_num_batched_tokens=max(2048, at_once),
            max_num_patches=16384,
            cache_bytes=min(self.config.cache_bytes, needed),
        )
