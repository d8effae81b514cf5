"""Episodes as rollouts: a scripted world of one button, and answers that press left or right by the seed of a turn."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.recipes.making import QUICK, start
from tests.scripted_screen import ScriptedScreen
from tests.train.making import MADE
from viewfinder.media.transform import Box, Transform
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import load_model
from viewfinder.outputs.actions import Action, format_action
from viewfinder.recipes.episodes import EpisodeWriter, episode_scores, task_prompt, task_rows
from viewfinder.recipes.grpo import rollout_loader
from viewfinder.recipes.run import build_learner, build_trainer, resolve
from viewfinder.train.batches import PolicyBatch
from viewfinder.train.config import ConfigError
from viewfinder.train.distributed import ParallelDims
from viewfinder.train.learner import Learner
from viewfinder.train.policy_batches import turn_groups
from viewfinder.train.rollout_loader import RolloutLoader
from viewfinder.train.rollouts import Prompt, Rollout, Writer

SETTINGS = [*QUICK, "grpo.prompts=1", "grpo.group=4", "grpo.max_new_tokens=160", "seq_len=2048"]


class LeftHalf(ScriptedScreen):
    """Done after a press anywhere in the left half."""

    name, task = "left", "press left"

    def target_box(self) -> Box:
        return 0, 0, 56, 112


def left_half(name: str) -> LeftHalf:
    pictures = {"start": Image.new("RGB", (112, 112), "white"), "goal": Image.new("RGB", (112, 112), "green")}
    return LeftHalf(pictures, {"start": [((0, 0, 56, 112), "goal")]})


class Presses(Writer):
    """Presses left or right by the seed."""

    def write(self, model: Qwen2_5_VL, prompts: Sequence[Prompt]) -> list[list[Rollout]]:
        action = Action("computer", "left_click", coordinate=(20 + 60 * (self.seed % 2), 50))
        text = f"I press.\n{format_action(action, Transform.identity((112, 112)))}"
        tokens = tuple(self.tokenizer.encode(text))
        return [[Rollout(0, tokens, (-1.0,) * len(tokens), (), "stop", text)] for _ in prompts]


def loader(changes: Sequence[str] = ()) -> tuple[RolloutLoader, EpisodeWriter, Learner]:
    begin = start()
    config = resolve(begin, "grpo", [*SETTINGS, 'grpo.worlds=["mail"]', "grpo.episode_steps=3", *changes])
    learner = build_learner(begin, config)
    made = rollout_loader(config, learner, MADE, lambda start: iter(()), ParallelDims())
    assert isinstance(made.writer, EpisodeWriter)
    presses = Presses(made.writer.config, MADE.tokenizer, made.writer.writer.ends)
    made.writer = replace(made.writer, writer=presses, make=left_half)
    return made, made.writer, learner


def task() -> Prompt:
    return task_prompt(0, next(task_rows(["mail"], 0)), MADE)


def test_episodes_are_learned_from_by_their_answers_alone() -> None:
    made, writer, learner = loader()
    (batch,) = next(made(None)).batches
    assert isinstance(batch, PolicyBatch)
    (episodes,) = writer.write(learner.model, [task()])
    turns = [turn for one in episodes for turn in one.turns]
    assert len(turns) > len(episodes), "some did not press left at once"
    assert sorted(batch.tokens.tolist()) == sorted(token for turn in turns for token in turn.rollout.tokens)
    prompts = [n for n, before in zip(batch.inputs.seqlens, batch.before, strict=True) if before < 0]
    screens = {turn.prompt.prepared.inputs.input_ids.numpy().tobytes() for turn in turns}
    assert len(prompts) == len(screens) < len(turns), "what several saw is read once"
    assert batch.units == pytest.approx(len(episodes)), "an episode counts as one answer"
    assert float(batch.weights.sum()) == pytest.approx(len(episodes))


def test_success_less_steps_is_the_reward_of_each_turn() -> None:
    _, writer, learner = loader()
    (episodes,) = writer.write(learner.model, [task()])
    scores = episode_scores(0.1, task(), episodes)
    for one, score in zip(episodes, scores, strict=True):
        assert score.parts["steps"] == len(one.turns)
        assert score.value == pytest.approx(score.parts["success"] - 0.1 * len(one.turns))
        assert (one.finish == "stop") == bool(score.parts["success"])
    assert {score.parts["success"] for score in scores} == {0.0, 1.0}
    scored = [
        replace(one, reward=s.value, advantage=float(i))
        for i, (one, s) in enumerate(zip(episodes, scores, strict=True))
    ]
    learned = [one for group in turn_groups(task(), scored) for one in group.rollouts]
    assert sorted(one.advantage for one in learned) == sorted(e.advantage for e in scored for _ in e.turns)
    assert {one.episode_tokens for one in learned} == {e.num_tokens for e in scored}


def test_rows_are_tasks_in_turn() -> None:
    assert [row.name for row in islice(task_rows(["mail", "shop"], 1), 3)] == ["shop/0", "mail/1", "shop/1"]


@pytest.mark.parametrize("wrong", ['grpo.worlds=["nowhere"]', "grpo.iterations=2", "grpo.delay=1"])
def test_what_cannot_be_played_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError):
        loader([wrong])


@pytest.mark.slow
def test_a_run_in_a_drawn_world_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Random weights do no task; what they say goes through the trainer, where probabilities must agree."""
    begin, short = start(), [setting.replace("max_new_tokens=160", "max_new_tokens=12") for setting in SETTINGS]
    settings = [*short, 'grpo.worlds=["map", "settings"]', "grpo.episode_steps=2", "save_every=1", "grpo.kl=0.1"]
    for out, steps in (("run", 1), ("run", 2), ("whole", 2)):
        build_trainer(begin, resolve(begin, "grpo", [*settings, f"steps={steps}"]), tmp_path / out).run()
    one, other = (load_model(tmp_path / name / "export").state_dict() for name in ("run", "whole"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert all({"success", "steps", "kl"} <= row.keys() and row["log_ratio/max"] < 1e-4 for row in rows)
