"""Episodes in the offline worlds as rollouts: the model plays a task several times, and success is the reward.

A row is a task: a world and its seed, which all episodes of a group share. An episode is several turns, each a prompt
(the screen, and what was done so far) and an answer; only answers are learned from. Every turn counts as much as its
tokens, and has the advantage of its episode. Episodes are played one after another.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from viewfinder.agent.episodes import Played, play
from viewfinder.agent.settings import Settings
from viewfinder.agent.worlds import APPS, make_world
from viewfinder.data.sample import Sample, say
from viewfinder.engine.grammar import GrammarCompiler
from viewfinder.messages import ChatModel, Message, Reply, Usage
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.processor.processor import Processor
from viewfinder.train.checks import check_length
from viewfinder.train.config import ConfigError, TrainConfig
from viewfinder.train.dataloader import Row
from viewfinder.train.grpo_config import GrpoConfig
from viewfinder.train.learner import Learner
from viewfinder.train.rollout_loader import RolloutLoader, Score
from viewfinder.train.rollouts import Prompt, Rollout, Turn, Writer

_SMALL = 10_000
"""Vocabularies below have no room for the official prompts."""


@dataclass(frozen=True)
class PlayedRollout(Rollout):
    """An episode and how it ended."""

    played: Played | None = None


def task_rows(worlds: Sequence[str], start: int) -> Iterator[Row]:
    """Row n is seed n // w of world n % w; for two worlds mail/0, shop/0, mail/1, shop/1 ..."""
    while True:
        name = f"{worlds[start % len(worlds)]}/{start // len(worlds)}"
        yield Row(name, lambda name=name: Sample((say("user", name),), "agent"))
        start += 1


def task_prompt(number: int, row: Row, processor: Processor) -> Prompt:
    """What stands for a task before it is played; the prompts of its turns are made from its screens."""
    sample = row.make()
    world, _, seed = row.name.partition("/")
    return Prompt(number, row.name, sample, processor.prepare(sample.messages), (world, int(seed)))


def episode_scores(step_cost: float, prompt: Prompt, rollouts: Sequence[Rollout]) -> list[Score]:
    """Success, less `step_cost` for each step: 1 - 5 x 0.01 = 0.95 for a success in five."""
    found: list[Score] = []
    for one in rollouts:
        assert isinstance(one, PlayedRollout)
        assert one.played is not None
        success, steps = float(one.played.success), float(len(one.turns))
        found.append(Score(success - step_cost * steps, {"success": success, "steps": steps}))
    return found


@dataclass(frozen=True)
class EpisodeWriter:
    """Writes episodes where `Writer` writes answers; chance depends on the run, the task, the episode and the turn.

    Attributes:
        writer: of single answers.
        seq_len: tokens that a turn may have with its prompt.
        settings: limits and forms of an episode.
        make: a world of a name, whose `reset` makes the task of a seed.
    """

    writer: Writer
    processor: Processor
    seq_len: int
    compiler: GrammarCompiler | None
    settings: Settings
    make: Callable[[str], Any] = make_world

    @property
    def config(self) -> GrpoConfig:
        return self.writer.config

    def write(self, model: Qwen2_5_VL, prompts: Sequence[Prompt]) -> list[list[Rollout]]:
        """A group of episodes of each task; one without an answer (a prompt that is too long, say) is missing."""
        episodes = [[self._episode(model, task, index) for index in range(self.config.group)] for task in prompts]
        return [[one for one in played if one.turns] for played in episodes]

    def _episode(self, model: Qwen2_5_VL, task: Prompt, index: int) -> Rollout:
        name, seed = task.case
        world, recorded = self.make(name), _RolloutModel(self, model, task, index)
        try:
            world.reset(seed)
            played = play(recorded, world, seed, self.settings)
        finally:
            world.close()
        length = sum(len(turn.rollout.tokens) for turn in recorded.turns)
        turns = tuple(Turn(t.prompt, replace(t.rollout, episode_tokens=length)) for t in recorded.turns)
        ended = played.success or played.reason in ("success", "failure")
        finish = "stop" if ended else played.reason
        return PlayedRollout(index, (), (), (), finish, played.reason, turns=turns, played=played)


def episode_settings(config: TrainConfig, processor: Processor) -> Settings:
    """Screens of the processor's own sizes; no clock, with which a resumed run would be another."""
    return Settings(
        steps=config.grpo.episode_steps,
        seconds=float("inf"),
        tokens=2**62,
        min_pixels=processor.settings.min_pixels,
        max_pixels=processor.settings.max_pixels,
        form="compact" if processor.tokenizer.vocab_size < _SMALL else "official",
        grammar=config.grpo.grammar,
    )


class _RolloutModel(ChatModel):
    """The model that is trained, at one task; keeps its turns."""

    def __init__(self, writer: EpisodeWriter, model: Qwen2_5_VL, task: Prompt, index: int) -> None:
        self._writer, self._model, self._task, self._index = writer, model, task, index
        self.turns: list[Turn] = []

    def stream(self, messages: Sequence[Message], **options: Any) -> Iterator[str | Reply]:
        writer, place, compiler = self._writer, (self._index, len(self.turns)), self._writer.compiler
        prepared = writer.processor.prepare(messages, tools=options.get("tools", ()))
        prompt_tokens = len(prepared.inputs.input_ids)
        check_length(prompt_tokens + writer.config.max_new_tokens, writer.seq_len)
        grammar = options.get("grammar")
        constraint = compiler.lark(grammar).copy if compiler is not None and grammar else None
        prompt = replace(self._task, prepared=prepared, constraint=constraint)
        single = replace(
            writer.writer,
            config=writer.writer.config.model_copy(update={"group": 1}),
            seed=int(np.random.SeedSequence((writer.writer.seed, *place)).generate_state(1)[0]),
        )
        ((rollout,),) = single.write(self._model, [prompt])
        self.turns.append(Turn(prompt, rollout))
        usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=len(rollout.tokens))
        yield rollout.text
        yield Reply(text=rollout.text, usage=usage, media=prepared.media)


def episode_loader(
    config: TrainConfig,
    learner: Learner,
    processor: Processor,
    writer: Writer,
    compiler: GrammarCompiler | None,
    place: tuple[int, int],
) -> RolloutLoader:
    """The dataloader of a run whose prompts are tasks of the worlds.

    Raises:
        ConfigError: no such world, or settings that do not go together.
    """
    settings = writer.config
    if unknown := set(settings.worlds) - set(APPS):
        raise ConfigError(f"grpo.worlds has {', '.join(sorted(unknown))}; the worlds are {', '.join(APPS)}")
    if settings.iterations > 1 or settings.delay:
        raise ConfigError(
            "grpo.iterations and grpo.delay keep answers in the state of a run and episodes are not kept there, so the "
            "run could not be resumed; leave both out with grpo.worlds"
        )
    episodes = EpisodeWriter(writer, processor, config.seq_len, compiler, episode_settings(config, processor))
    make, score = partial(task_prompt, processor=processor), partial(episode_scores, settings.step_cost)
    return RolloutLoader(learner, partial(task_rows, settings.worlds), processor, make, episodes, score, *place)
