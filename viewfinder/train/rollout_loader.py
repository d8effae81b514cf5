"""Steps of training on rewards: prompts are read, answered by the weights of now, scored, and packed.

It is a dataloader like the others: a state of the run holds its position, from which the identical run goes on. Where
answers outlive the weights that wrote them (`iterations`, `delay`), the position holds the answers.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
import torch.distributed as dist

from viewfinder.errors import DataError, ViewfinderError
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.processor.processor import Processor
from viewfinder.train.batches import Batch, PolicyBatch, Position, Step
from viewfinder.train.checkpoint import plain_model
from viewfinder.train.config import ConfigError
from viewfinder.train.dataloader import Row, RowSource
from viewfinder.train.distributed import full_tensor
from viewfinder.train.grpo_config import GrpoConfig
from viewfinder.train.learner import Learner, evaluating
from viewfinder.train.policy import group_advantages, is_informative, overlong_penalty
from viewfinder.train.policy_batches import (
    Generation,
    Group,
    blank_batch,
    generation_from_json,
    generation_to_json,
    pack_groups,
    policy_batch,
    turn_groups,
    units_of,
    with_old_log_probs,
)
from viewfinder.train.rollouts import Prompt, Rollout

BARREN = 50
"""Steps in a row without any difference of reward that stop a run."""


@dataclass(frozen=True)
class Score:
    """What an answer is worth; None with the reason where that could not be found out. `parts` are for the report."""

    value: float | None
    parts: dict[str, float]
    reason: str = ""


class Scorer(Protocol):
    def __call__(self, prompt: Prompt, rollouts: Sequence[Rollout]) -> list[Score]: ...


class RolloutWriter(Protocol):
    """Writes a group of answers, or of episodes, to each prompt."""

    @property
    def config(self) -> GrpoConfig: ...

    def write(self, model: Qwen2_5_VL, prompts: Sequence[Prompt]) -> list[list[Rollout]]: ...


class RolloutLoader:
    """Steps of groups of answers.

    Args:
        learner: whose model answers; its config is the run's.
        source: rows by number. Rank r of R takes rows r, R + r, ...
        make_prompt: a prompt of a numbered row; raises an error of the `ViewfinderError` family for one of no use.
        writer: writes the answers; score: what they are worth.
    """

    def __init__(
        self,
        learner: Learner,
        source: RowSource,
        processor: Processor,
        make_prompt: Callable[[int, Row], Prompt],
        writer: RolloutWriter,
        score: Scorer,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.learner, self.source, self.processor, self.make_prompt = learner, source, processor, make_prompt
        self.writer, self.config, self.score, self.rank, self.ranks = writer, writer.config, score, rank, ranks
        if self.config.prompts % ranks:
            raise ConfigError(
                f"grpo.prompts is {self.config.prompts}, which {ranks} ranks do not share; use a multiple"
            )
        self._taken = 0  # rows of the source, of all ranks
        self._now, self._left = Generation((), 0.0, {}), 0  # what is trained on, `_left` times more
        self._ahead: Future[Generation] | None = None
        self._thread = ThreadPoolExecutor(1) if self.config.delay else None

    def __call__(self, position: Position | None) -> Iterator[Step]:
        """Steps from `position` on, to the end of the source.

        Raises:
            DataError: no answer of the first step has a reward, or none was better than another of its group in 50.
            ConfigError: the position is of another number of ranks.
        """
        self._restore(position)
        barren, is_first = 0, True
        while True:
            fresh = not self._left
            if fresh:
                self._now, self._left = self._take(), self.config.iterations
            if not any(self._gathered(self._now.answered)):
                self._left = 0
                if self._now.refused:
                    yield Step((), self.position, self._now.refused)
                return
            if is_first and fresh:
                self._check_scored(self._now)
            is_first = False
            self._left -= 1
            barren = 0 if any(self._gathered(len(self._now.groups))) else barren + 1
            if barren > BARREN:
                raise DataError(
                    f"in {BARREN} steps no answer was worth more than another to the same prompt, so there is nothing "
                    "to learn from; look at the rewards, take easier or harder rows, or a higher grpo.temperature"
                )
            yield Step(self._batches(self._now, fresh), self.position, self._now.refused if fresh else ())

    def _check_scored(self, generation: Generation) -> None:
        """A reward that fails for every answer is mistyped; one that fails for some, or at times, costs these alone."""
        unscored, answers = generation.figures.get("unscored", (0.0, 0.0))
        if all(self._gathered(unscored == answers)):
            reason = generation.refused[-1]["reason"] if generation.refused else "on this rank there was none"
            raise DataError(f"no answer of the first step has a reward ({reason}); correct grpo.rewards")

    def position(self) -> Position:
        """Where to go on; called by all ranks."""
        state: dict[str, Any] = {"left": self._left}
        if self._left:
            state["now"] = generation_to_json(self._now)
        if self._ahead is not None:
            state["ahead"] = generation_to_json(self._ahead.result())
        return {"ranks": self._gathered({**state, "taken": self._taken})}

    def _restore(self, position: Position | None) -> None:
        states: list[dict[str, Any]] = position["ranks"] if position else []
        if states:
            world = dist.get_world_size() if dist.is_initialized() else 1
            if len(states) != world:
                raise ConfigError(f"the run began on {len(states)} processes and cannot go on on {world}; use as many")
            state = states[dist.get_rank() if dist.is_initialized() else 0]
            self._taken, self._left = state["taken"], state["left"]
            if "now" in state:
                self._now = self._read(state["now"])
            if "ahead" in state:
                self._ahead = Future()
                self._ahead.set_result(self._read(state["ahead"]))
        self._rows = enumerate(self.source(self._taken), self._taken)

    def _read(self, stored: dict[str, Any]) -> Generation:
        numbers = [group["row"] for group in stored["groups"]]
        return generation_from_json(stored, {n: self.make_prompt(n, next(self.source(n))) for n in numbers})

    def _take(self) -> Generation:
        """The answers of the next step, and in another thread the beginning of those after it."""
        if self._thread is None:
            generation = self._generate(self._policy())
            return self._with_old(generation, self.learner) if self.config.iterations > 1 else generation
        now = self._ahead.result() if self._ahead is not None else self._ahead_with(self._policy())
        self._ahead = self._thread.submit(self._ahead_with, self._policy())
        return now

    def _ahead_with(self, model: Qwen2_5_VL) -> Generation:
        return self._with_old(self._generate(model), Learner(self.learner.config, model))

    def _policy(self) -> Qwen2_5_VL:
        """The model itself; a plain copy where its weights are sharded, wider than its products, or about to change."""
        model = self.learner.model
        dtype = torch.bfloat16 if self.learner.config.bf16 else torch.float32
        if model.dtype == dtype and not (self.config.delay or self.learner.always_look):
            return model
        state = {name: full_tensor(p.detach()) for name, p in model.named_parameters()}
        copy = plain_model(model, {name: whole.to(dtype, copy=True) for name, whole in state.items()})
        return copy.requires_grad_(False)

    @torch.no_grad()
    def _with_old(self, generation: Generation, learner: Learner) -> Generation:
        """The same with log-probabilities of a training pass by the weights that wrote it."""
        packs = pack_groups(generation.groups, self.learner.config.seq_len)
        most = len(packs) if learner is not self.learner else max(self._gathered(len(packs)))
        found: list[Group] = []
        device = self.learner.model.device
        with evaluating(learner), torch.autocast(device.type, torch.bfloat16, enabled=self.learner.config.bf16):
            for number in range(most):
                pack = packs[number] if number < len(packs) else []
                batch = policy_batch(pack, self.config) if pack else blank_batch(self.processor)
                found += with_old_log_probs(pack, learner(batch.to(device), per_token=True).total.cpu())
        return replace(generation, groups=tuple(found))

    def _batches(self, generation: Generation, fresh: bool) -> list[Batch]:
        """As many on every rank; the first one carries what the step has beside answers."""
        packs = pack_groups(generation.groups, self.learner.config.seq_len)
        most = max(1, *self._gathered(len(packs)))
        batches: list[PolicyBatch] = [policy_batch(groups, self.config) for groups in packs]
        batches += [blank_batch(self.processor) for _ in range(most - len(packs))]
        figures = generation.figures if fresh else {}
        return [replace(batches[0], units=batches[0].units + generation.units, figures=figures), *batches[1:]]

    def _generate(self, model: Qwen2_5_VL) -> Generation:
        config, wanted = self.config, self.config.prompts // self.ranks
        limit = wanted * (config.tries if config.dynamic_sampling else 1)
        groups: list[Group] = []
        units, answered, used, tally = 0.0, 0, 0, _Tally()
        while used < wanted and answered < limit:
            prompts = self._prompts(min(wanted - used, limit - answered), tally)
            if not prompts:
                break
            answered += len(prompts)
            start = time.perf_counter()
            written = self.writer.write(model, prompts)
            tally.add("seconds/rollout", time.perf_counter() - start, 0.0)
            start = time.perf_counter()
            for prompt, rollouts in zip(prompts, written, strict=True):
                kept = self._scored(prompt, rollouts, tally)
                informative = is_informative([one.reward for one in kept if one.reward is not None])
                tally.add("skipped_groups", float(not informative), 1.0)
                made = turn_groups(prompt, kept)
                if informative or (config.kl and kept and not config.dynamic_sampling):
                    groups, used = [*groups, *made], used + 1
                elif not config.dynamic_sampling:
                    units += sum(units_of(config, group.rollouts) for group in made)
            tally.add("seconds/reward", time.perf_counter() - start, 0.0)
        return Generation(tuple(groups), units, tally.figures(), tuple(tally.refused), answered)

    def _prompts(self, count: int, tally: "_Tally") -> list[Prompt]:
        found: list[Prompt] = []
        while len(found) < count and (numbered := next(self._rows, None)) is not None:
            number, row = numbered
            self._taken = number + 1
            if number % self.ranks != self.rank:
                continue
            try:
                found.append(self.make_prompt(number, row))
            except (ViewfinderError, OSError) as error:
                tally.refuse(row.name, str(error))
        return found

    def _scored(self, prompt: Prompt, rollouts: Sequence[Rollout], tally: "_Tally") -> tuple[Rollout, ...]:
        """Answers with reward and advantage; those without a reward are left out and told."""
        config, kept = self.config, list[Rollout]()
        for one, score in zip(rollouts, self.score(prompt, rollouts), strict=True):
            usable = score.value is not None and math.isfinite(score.value)
            tally.add("unscored", float(not usable), 1.0)
            if score.value is None or not usable:
                tally.refuse(f"{prompt.name} answer {one.index + 1}", score.reason or f"its reward is {score.value}")
                continue
            penalty = overlong_penalty(len(one.tokens), config.max_new_tokens, config.overlong_buffer or 0)
            kept.append(replace(one, reward=score.value + penalty))
            for name, value in {"reward": score.value + penalty, **score.parts}.items():
                tally.add(name, value, 1.0)
            tally.add("answer_tokens", float(one.num_tokens), 1.0)
            tally.add("truncated", float(one.finish != "stop"), 1.0)
        rewards = [one.reward for one in kept if one.reward is not None]
        advantages = group_advantages(rewards, bool(config.scale_by_deviation))
        return tuple(replace(one, advantage=a) for one, a in zip(kept, advantages, strict=True))

    def _gathered(self, value: Any) -> list[Any]:
        """The values of all ranks."""
        if not dist.is_initialized() or dist.get_world_size() == 1:
            return [value]
        found: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(found, value)
        return found


class _Tally:
    """Sums with the numbers that they are sums over, and what was refused. A sum over 0 is one of the whole step."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, float]] = {}
        self.refused: list[dict[str, str]] = []

    def add(self, name: str, value: float, weight: float) -> None:
        total, weights = self._sums.get(name, (0.0, 0.0))
        self._sums[name] = total + value, weights + weight

    def refuse(self, row: str, reason: str) -> None:
        self.refused.append({"row": row, "reason": " ".join(reason.split())})

    def figures(self) -> dict[str, tuple[float, float]]:
        return {name: (total, weight or 1.0) for name, (total, weight) in self._sums.items()}
