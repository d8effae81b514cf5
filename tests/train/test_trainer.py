"""The trainer on a model of a few thousand parameters: learns, goes on exactly, refuses what leaps, exports."""

import itertools
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import viewfinder.train.trainer as trainer_module
from tests.train.making import (
    MADE,
    contrastive,
    fresh_model,
    losses,
    make_trainer,
    pair_rows,
    rows,
    sample,
    train_config,
)
from viewfinder.errors import StampError
from viewfinder.model.weights import load_model
from viewfinder.storage.lock import OutputInUse
from viewfinder.train.batches import batch_units
from viewfinder.train.collators import AnswerCollator, PreferenceCollator, load_sample
from viewfinder.train.config import ConfigError, LoraConfig, LrScaleConfig, StepGuardConfig
from viewfinder.train.dataloader import PackedLoader
from viewfinder.train.learner import Learner
from viewfinder.train.trainer import Trainer


@pytest.mark.parametrize("objective", ["answer", "contrastive", "preference"])
def test_learns(objective: str, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"objective": objective, "steps": 12, "log_every": 1}
    if objective == "contrastive":
        changes["contrastive"] = contrastive(MADE)
    trainer = make_trainer(train_config(MADE, **changes), tmp_path)
    trainer.run()
    found = losses(tmp_path)
    assert found[-1] < 0.9 * found[0]


def test_the_chosen_answers_can_be_learnt_beside_the_preference(tmp_path: Path) -> None:
    config = train_config(MADE, objective="preference", preference={"chosen_weight": 0.25})
    trainer = make_trainer(config, tmp_path)
    pairs = next(trainer.dataloader(None)).batches[0]
    loss = trainer.learner(pairs).total.item() / batch_units(pairs)

    collator, learner = (
        AnswerCollator(MADE, config.model, config.seq_len),
        Learner(train_config(MADE), fresh_model(config)),
    )
    chosen = [replace(next(pair_rows(number)).make(), rejected=None) for number in pairs.numbers]
    answers = [collator.collate([load_sample(collator, one)], [0]) for one in chosen]
    apart = [learner(one).total.item() / batch_units(one) for one in answers]
    assert loss == pytest.approx(math.log(2) + 0.25 * sum(apart) / len(apart), rel=1e-4)
    nothing = PreferenceCollator(
        MADE, config.model, config.seq_len
    ).empty()  # what a rank without a pair left runs along
    assert trainer.learner(nothing).total.isfinite()


def test_going_on_equals_not_having_stopped_bit_for_bit(tmp_path: Path) -> None:
    config = train_config(MADE, log_every=1, save_every=3)
    whole = make_trainer(config, tmp_path / "whole")
    whole.run()
    first = make_trainer(config, tmp_path / "half")
    steps = first.dataloader(None)
    for _ in range(3):
        first.take(next(steps))
    first.save()
    next(steps)  # read ahead and lost
    first.close()
    resumed = make_trainer(config, tmp_path / "half")
    assert resumed.step == 3
    assert resumed.position == first.position
    resumed.run()
    assert losses(tmp_path / "half") == losses(tmp_path / "whole")[3:]
    for (name, a), (_, b) in zip(whole.tensors().items(), resumed.tensors().items(), strict=True):
        assert torch.equal(a, b), name


def test_the_order_of_rows_does_not_depend_on_stopping() -> None:
    loader = PackedLoader(rows, AnswerCollator(MADE, train_config(MADE).model, 256), 256, 2)
    steps = list(itertools.islice(loader(None), 6))
    assert any(step.position["left"] for step in steps)
    for stop in (1, 3):
        again = list(itertools.islice(loader(steps[stop - 1].position), 6 - stop))
        assert [s.position for s in again] == [s.position for s in steps[stop:]]
        for mine, theirs in zip(again, steps[stop:], strict=True):
            for a, b in zip(mine.batches, theirs.batches, strict=True):
                assert torch.equal(a.inputs.input_ids, b.inputs.input_ids)


def test_exports_the_averaged_weights(tmp_path: Path) -> None:
    trainer = make_trainer(train_config(MADE, steps=2), tmp_path)
    trainer.run()
    name, value = next(iter(load_model(tmp_path / "export").visual.named_parameters()))
    assert torch.equal(value, trainer.average.values[f"model.visual.{name}"])
    assert not torch.equal(value, dict(trainer.learner.model.visual.named_parameters())[name])
    assert "<svg" in (tmp_path / "report.html").read_text()


def test_adapters_alone_learn_and_are_merged_into_the_export(tmp_path: Path) -> None:
    from viewfinder.model.lora import add_adapters, load_adapter

    config = train_config(MADE, steps=4, lora=LoraConfig(rank=2, alpha=4.0), optimizer={"ema": 0, "warmup": 0})
    model = fresh_model(config)
    add_adapters(model, 2, 4.0, ("q_proj", "down_proj"))
    before = model.model.layers[0].mlp.down_proj.weight.clone()
    loader = PackedLoader(
        rows, AnswerCollator(MADE, config.model, config.seq_len), config.seq_len, config.global_batch_size
    )
    Trainer(config, Learner(config, model), loader, tmp_path).run()
    assert torch.equal(before, model.model.layers[0].mlp.down_proj.weight)
    merged = load_model(tmp_path / "export")
    assert not torch.equal(before, merged.model.layers[0].mlp.down_proj.weight)
    again = fresh_model(config)
    load_adapter(again, tmp_path / "adapter")
    inputs = load_sample(AnswerCollator(MADE, config.model, 256), sample("image")).inputs
    with torch.no_grad():
        torch.testing.assert_close(again(inputs), merged(inputs), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(model(inputs), merged(inputs), atol=1e-5, rtol=1e-4)


def test_frozen_parts_stay(tmp_path: Path) -> None:
    config = train_config(MADE, lr_scale=LrScaleConfig(tower=0), steps=2)
    trainer = make_trainer(config, tmp_path)
    model = trainer.learner.model
    kept = {n: p.clone() for n, p in model.named_parameters()}
    trainer.run()
    for name, parameter in model.named_parameters():
        frozen = name.startswith("visual.") and ".merger." not in name
        assert torch.equal(parameter, kept[name]) == frozen, name


@pytest.mark.parametrize(("tower", "merger"), [(0.0, 0.0), (0.0, 1.0)])
def test_nothing_of_a_frozen_tower_is_kept_for_a_backward_pass(tmp_path: Path, tower: float, merger: float) -> None:
    config = train_config(MADE, lr_scale=LrScaleConfig(tower=tower, merger=merger), steps=1)
    trainer, graphs = make_trainer(config, tmp_path), []
    for module in (trainer.learner.model.visual.blocks[0], trainer.learner.model.visual.merger):
        module.register_forward_hook(
            lambda _module, _inputs, output: graphs.append((torch.is_grad_enabled(), output.requires_grad))
        )
    trainer.train_step(next(trainer.dataloader(None)).batches)
    blocks, mergers = graphs[::2], graphs[1::2]
    assert set(mergers) == {(bool(merger), bool(merger))}
    assert {kept for _, kept in blocks} == {False}


def test_a_run_ends_after_its_minutes_cooled_down_and_has_them_again_when_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(0, 10)  # seconds: one reading a step and one at the start
    own = SimpleNamespace(monotonic=lambda: next(clock), perf_counter=time.perf_counter)
    monkeypatch.setattr(trainer_module, "time", own)  # other threads read the clock too
    config = train_config(
        MADE, steps=1000, minutes=1.0, log_every=1, optimizer={"warmup": 0, "cooldown": 0.5, "final": 0.0}
    )
    for steps in (6, 12):
        trainer = make_trainer(config, tmp_path)
        trainer.run()
        assert trainer.step == steps
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    rates = [json.loads(line)["rate"] for line in lines]
    assert rates == pytest.approx([1, 1, 1, 2 / 3, 1 / 3, 0] * 2, abs=0.003)


def test_a_loss_that_is_not_finite_changes_nothing_and_stops_at_last(tmp_path: Path) -> None:
    trainer = make_trainer(train_config(MADE, guard=StepGuardConfig(max_bad_steps=1)), tmp_path)
    with torch.no_grad():
        trainer.learner.model.model.norm.weight[0] = float("nan")
    before = trainer.learner.model.visual.patch_embed.proj.weight.detach().clone()
    packs = next(trainer.dataloader(None)).batches
    assert trainer.train_step(packs) == {"skipped": 1.0}
    assert torch.equal(before, trainer.learner.model.visual.patch_embed.proj.weight)
    with pytest.raises(ConfigError, match="not finite"):
        trainer.train_step(packs)


def test_a_spike_is_skipped(tmp_path: Path) -> None:
    guard = StepGuardConfig(spike=5.0, window=4)
    trainer = make_trainer(train_config(MADE, guard=guard), tmp_path)
    packs = next(trainer.dataloader(None)).batches
    for _ in range(2):
        assert "loss" in trainer.train_step(packs)
    trainer.guard.norms.extend([1e-6] * 4)
    assert trainer.train_step(packs) == {"skipped": 1.0}


def test_another_processor_or_other_frozen_weights_do_not_go_on(tmp_path: Path) -> None:
    config = train_config(MADE, lr_scale=LrScaleConfig(tower=0), steps=1)
    make_trainer(config, tmp_path, stamp="a").run()
    with pytest.raises(StampError, match="stamp a"):
        make_trainer(config, tmp_path, stamp="b")
    learner = Learner(config, fresh_model(config, seed=5))
    with pytest.raises(ConfigError, match="same --init"):
        Trainer(config, learner, lambda _: iter(()), tmp_path, stamp="a")


def test_packs_are_shared_evenly_or_refused(tmp_path: Path) -> None:
    from viewfinder.train.distributed import ParallelDims

    config = train_config(MADE, global_batch_size=3)
    with pytest.raises(ConfigError, match="global_batch_size is 3"):
        Trainer(
            config, Learner(config, fresh_model(config)), lambda _: iter(()), tmp_path, parallel=ParallelDims(world=2)
        )


def _weights(out: Path) -> list[torch.Tensor]:
    return list(load_model(out / "export").parameters())


def test_a_stop_between_state_and_export_is_made_good(tmp_path: Path) -> None:
    config = train_config(MADE, save_every=2)
    make_trainer(config, tmp_path / "whole").run()
    stopped = make_trainer(config, tmp_path / "stopped")

    def stop(directory: Path) -> None:
        if stopped.step == config.steps:
            raise KeyboardInterrupt

    stopped.export = stop
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    old = _weights(tmp_path / "stopped")
    make_trainer(config, tmp_path / "stopped").run()
    whole, new = _weights(tmp_path / "whole"), _weights(tmp_path / "stopped")
    assert all(map(torch.equal, whole, new))
    assert not all(map(torch.equal, whole, old))
    file = tmp_path / "stopped/export/model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")  # a damaged export is written again too
    make_trainer(config, tmp_path / "stopped").run()
    assert all(map(torch.equal, whole, _weights(tmp_path / "stopped")))


def test_a_wild_learning_rate_leaves_the_last_sound_state_and_export(tmp_path: Path) -> None:
    make_trainer(train_config(MADE, steps=3, save_every=1), tmp_path).run()
    sound = _weights(tmp_path)
    wild = {"warmup": 0, "cooldown": 0.0, "muon_lr": 1e25, "adamw_lr": 1e25, "ema": 0.5}
    trainer = make_trainer(train_config(MADE, steps=9, save_every=1, optimizer=wild), tmp_path)
    with pytest.raises(ConfigError, match="not finite, so nothing of it is saved"):
        trainer.run()
    assert trainer.step == 3
    assert all(map(torch.equal, sound, _weights(tmp_path)))
    again = make_trainer(train_config(MADE, steps=5), tmp_path)
    assert again.step == 3
    again.run()


def test_skipped_steps_count_in_a_row(tmp_path: Path) -> None:
    trainer = make_trainer(train_config(MADE, guard=StepGuardConfig(max_bad_steps=1)), tmp_path)
    for step in range(6):
        reason = trainer.guard.allows(step, math.nan if step % 2 else 1.0, 1.0)
        assert bool(reason) == bool(step % 2)


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    trainer = make_trainer(train_config(MADE, steps=1), tmp_path)
    with pytest.raises(OutputInUse, match="being written by process"):
        make_trainer(train_config(MADE, steps=1), tmp_path)
    trainer.run()
    make_trainer(train_config(MADE, steps=2), tmp_path).run()
