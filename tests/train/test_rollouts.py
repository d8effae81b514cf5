"""Rollouts: the probabilities that the trainer computes, the tokens of `generate`, one pass for a group."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.train.making import MADE, fresh_model, sample, train_config
from viewfinder.engine import encoder, model_runner
from viewfinder.engine.engine import generate
from viewfinder.engine.grammar import GrammarCompiler
from viewfinder.messages import Sampling
from viewfinder.train.config import TrainConfig
from viewfinder.train.learner import Learner
from viewfinder.train.policy_batches import (
    Generation,
    Group,
    generation_from_json,
    generation_to_json,
    pack_groups,
    policy_batch,
)
from viewfinder.train.rollouts import Prompt, Writer

END = MADE.tokenizer.token_id("<|im_end|>")
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "warm": {"temperature": 1.7},
    "filtered": {"top_p": 0.8, "top_k": 12, "temperature": 0.7},
    "min_p": {"min_p": 0.2},
    "grammar": {"grammar": True},
}


def config_of(**changes: Any) -> TrainConfig:
    grpo = {"group": 3, "max_new_tokens": 9, **changes}
    return train_config(MADE, objective="policy", grpo=grpo, seq_len=512)


def prompts(kinds: tuple[str, ...], grammar: bool = False) -> list[Prompt]:
    made: list[Prompt] = []
    constraint = None
    if grammar:
        compiler = GrammarCompiler(MADE.tokenizer.backend, [END])
        constraint = compiler.lark('start: "one two " ("three" | "one")+').copy
    for number, kind in enumerate(kinds):
        one = sample(kind, number)
        made.append(Prompt(number, kind, one, MADE.prepare(one.messages[:-1]), constraint=constraint))
    return made


def write(config: TrainConfig, asked: list[Prompt], seed: int = 0) -> tuple[Any, list[Group]]:
    model = fresh_model(config)
    rolled = Writer(config.grpo.resolved(), MADE.tokenizer, (END,), seed).write(model, asked)
    return model, [Group(prompt, tuple(rollouts)) for prompt, rollouts in zip(asked, rolled, strict=True)]


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_the_trainer_gives_rollouts_the_probabilities_they_were_drawn_with(settings: dict[str, Any]) -> None:
    """One picture, several, a clip, and text; packed together, each behind its own prompt."""
    config = config_of(**settings)
    model, groups = write(config, prompts(("text", "image", "images", "video"), settings.get("grammar", False)))
    batch = policy_batch(groups, config.grpo.resolved())
    with torch.no_grad():
        found = Learner(config, model)(batch, per_token=True).total
    assert len(found) == sum(len(one.tokens) for group in groups for one in group.rollouts) > 12
    assert (found - batch.rollout_log_probs).abs().max() < 1e-4
    assert {kind for kind, _ in batch.kinds} == {"text", "picture", "several", "clip"}
    if settings.get("grammar"):
        assert all(one.text.startswith("one two ") for group in groups for one in group.rollouts)
        assert (batch.rollout_log_probs == 0).any()  # tokens that the grammar forced


def test_greedy_rollouts_are_what_generate_writes() -> None:
    config, kinds = config_of(top_k=1), ("text", "image", "images", "video")
    model, groups = write(config, prompts(kinds))
    for group in groups:
        inputs = group.prompt.prepared.inputs
        expected = [t.id for t in generate(model, inputs, Sampling(max_new_tokens=9), eos_token_ids=(END,))]
        assert [list(one.tokens) for one in group.rollouts] == [expected] * 3


def test_chance_depends_on_run_row_and_answer_alone() -> None:
    config = config_of()
    together = write(config, prompts(("image", "text")))[1]
    alone = write(config, prompts(("image",)))[1]
    other = write(config, prompts(("image",)), seed=1)[1]
    tokens = [[one.tokens for one in groups[0].rollouts] for groups in (together, alone, other)]
    assert tokens[0] == tokens[1] != tokens[2]
    assert len(set(tokens[0])) > 1


def test_a_group_takes_one_pass_of_the_tower_and_one_of_its_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    towers: list[int] = []
    read: list[int] = []
    run_tower, forward = encoder.Encoder._features, model_runner.ModelRunner._forward
    monkeypatch.setattr(
        encoder.Encoder,
        "_features",
        lambda self, wanted: (towers.append(len({self._key(one) for one in wanted})), run_tower(self, wanted))[1],
    )
    monkeypatch.setattr(
        model_runner.ModelRunner,
        "_forward",
        lambda self, ready: (read.append(sum(part.num_tokens for part in ready)), forward(self, ready))[1],
    )
    asked = prompts(("image",))
    _, groups = write(config_of(group=6), asked)
    prompt, answers = len(asked[0].prepared.inputs.input_ids), sum(len(one.tokens) for one in groups[0].rollouts)
    assert sum(towers) == 1
    assert sum(read) < prompt + answers + 5 * 16  # each of the others reads less than a block of the prompt again


def test_packs_hold_whole_groups_where_they_fit_and_each_prompt_once() -> None:
    config = config_of()
    _, groups = write(config, prompts(("image", "text", "images")))
    lengths = [len(g.prompt.prepared.inputs.input_ids) for g in groups]
    sizes = [n + sum(len(one.tokens) for one in g.rollouts) for n, g in zip(lengths, groups, strict=True)]
    batch = policy_batch(groups, config.grpo.resolved())
    assert len(batch.inputs.input_ids) == sum(sizes)
    assert batch.before == (-1, 0, 0, 0, -1, 4, 4, 4, -1, 8, 8, 8)
    first, second = len(groups[0].rollouts[0].tokens), len(groups[0].rollouts[1].tokens)
    start, expected = lengths[0], [lengths[0] - 1, *range(lengths[0], lengths[0] + first - 1), lengths[0] - 1]
    assert batch.predicted_at[: first + 1].tolist() == expected
    assert (
        batch.inputs.position_ids[0, start + first] == batch.inputs.position_ids[0, start]
    )  # both answers begin there
    assert second > 0
    assert pack_groups(groups, sum(sizes)) == [groups]
    for room in (max(sizes), max(sizes) - 5, max(lengths) + 9):
        packs = pack_groups(groups, room)
        assert [one for pack in packs for g in pack for one in g.rollouts] == [o for g in groups for o in g.rollouts]
        assert all(len(policy_batch(pack, config.grpo.resolved()).inputs.input_ids) <= room for pack in packs)


def test_answers_come_back_from_the_state_of_a_run_as_they_were() -> None:
    asked = prompts(("image", "text"))
    _, groups = write(config_of(top_k=5), asked)
    scored = tuple(
        Group(g.prompt, tuple(replace(one, reward=0.5, old_log_probs=one.log_probs) for one in g.rollouts))
        for g in groups
    )
    generation = Generation(scored, 2.0, {"reward": (1.0, 2.0)}, (), 3)
    again = generation_from_json(generation_to_json(generation), {prompt.number: prompt for prompt in asked})
    assert again == generation
