"""The plan of a run agrees with what is really made, kept and multiplied."""

import json
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

from tests.recipes.making import QUICK, bare, start
from tests.train.making import MADE, fresh_model, model_config, sample, train_config
from viewfinder.cli.app import app
from viewfinder.data.shards import write_shards
from viewfinder.recipes.planning import DATA, Device, outline, plan_recipe
from viewfinder.recipes.run import build_trainer, resolve
from viewfinder.recipes.sizes import start_of_size
from viewfinder.tiny.extra_losses import build
from viewfinder.train.batches import AnswerBatch, PolicyBatch
from viewfinder.train.collators import AnswerCollator, load_sample
from viewfinder.train.config import ConfigError, LrScaleConfig
from viewfinder.train.estimate import Data, activations, memory, step_flops
from viewfinder.train.flops import batch_flops
from viewfinder.train.learner import Learner
from viewfinder.train.rollout_estimate import RewardStep


@pytest.mark.parametrize("recipe", ["vision-contrast", "vision-align", "pretrain-long", "dpo", "lora"])
def test_kept_bytes_are_those_that_sharding_makes(recipe: str) -> None:
    plan = plan_recipe(recipe, "tiny", 6, [], extra=build)  # raises where they differ
    assert plan.stages[0].checked
    assert plan.stages[0].memory.kept > 0


def test_tensor_ranks_too() -> None:
    (stage,) = plan_recipe("pretrain-multimodal", "tiny", 6, ["parallel.tensor=2"]).stages
    (alone,) = plan_recipe("pretrain-multimodal", "tiny", 3, []).stages
    assert stage.checked
    assert 0.5 < stage.memory.weights / alone.memory.weights < 1.0


def test_the_report_has_the_reports_tokens_and_a_cost() -> None:
    plan = plan_recipe("report", "300M", 512, ["recompute=true"], check=False)
    total = plan.to_dict()["total"]
    assert round(total["tokens"] / 1e12, 1) == 4.1
    assert total["cost"] == pytest.approx(total["seconds"] / 3600 * 512 * 2.5)
    assert total["energy"] == pytest.approx(total["seconds"] * 512 * 1000)
    assert total["carbon"] == pytest.approx(total["energy"] / 3.6e6 * plan.device.carbon)  # kg, of kWh
    assert f"{total['carbon'] / 1e3:.1f} t of CO2 at 0.4 kg a kWh" in plan.table()
    assert "vision-align" in plan.table()


def test_a_token_of_72b_takes_six_flops_a_weight_and_more() -> None:
    config = resolve(start_of_size("72B"), "pretrain-multimodal", [])
    # 6 x 73e9, less embeddings that multiply nothing, more attention
    assert 420e9 < step_flops(config, DATA["pretrain-multimodal"]) / config.seq_len < 480e9


def test_what_does_not_fit_is_told_with_the_remedy() -> None:
    device = Device(memory=15e9)
    (stage,) = plan_recipe("pretrain-multimodal", "3B", 64, [], device, check=False).stages
    assert stage.memory.total > device.memory
    assert "recompute=true" in stage.advice
    (lean,) = plan_recipe("pretrain-multimodal", "3B", 64, ["recompute=true"], device, check=False).stages
    assert lean.memory.total < device.memory


@pytest.mark.parametrize("wrong", [("nothing", []), ("sft", ["parallel.tensor=4"]), ("sft", ["stpes=1"])])
def test_what_cannot_be_planned_is_refused(wrong: tuple[str, list[str]]) -> None:
    with pytest.raises(ConfigError):
        plan_recipe(wrong[0], "tiny", 6, wrong[1], check=False)


def test_the_command_gives_json() -> None:
    result = CliRunner().invoke(app, ["plan", "sft", "--size", "300M", "--world", "1", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["stages"][0]["recipe"] == "sft"


def batch(*kinds: str) -> AnswerBatch:
    collator = AnswerCollator(MADE, model_config(MADE), 4096)
    return collator.collate([load_sample(collator, sample(kind, i)) for i, kind in enumerate(kinds)], ())


ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"


def attention_flops(q: list[int], k: list[int], *rest: Any, out_shape: Any = None, **more: Any) -> int:
    """Of a forward pass; half of the pairs where a sequence looks back (here: where it is not a window)."""
    whole = 4 * q[0] * q[1] * q[2] * k[2] * q[3]
    return whole // 2 if True in rest else whole


@pytest.mark.parametrize("lr_scale", [{}, {"tower": 0.0}, {"language": 0.0}])
def test_flops_are_those_that_are_counted(lr_scale: dict[str, float]) -> None:
    config = train_config(MADE, lr_scale=LrScaleConfig(**lr_scale))
    learner, packed = Learner(config, fresh_model(config)), batch("image", "text", "images")
    forward, backward = (getattr(torch.ops.aten, f"{ATTENTION}{end}") for end in ("", "_backward"))
    attention = {forward: attention_flops, backward: lambda _, *rest, **more: 2 * attention_flops(*rest, **more)}
    with FlopCounterMode(display=False, custom_mapping=attention) as counter:
        learner(packed).total.backward()
    # pixels have no gradient, which the plan does not deduct: nothing in real sizes, a quarter of this one
    assert packed.inputs.pixel_values is not None
    pixels = 2 * packed.inputs.pixel_values.numel() * config.model.vision.hidden_size
    planned = batch_flops(config, packed) - (pixels if config.lr_scale.tower else 0)
    assert counter.get_total_flops() == pytest.approx(planned, rel=0.1)


def test_activations_are_those_that_are_saved() -> None:
    config = train_config(MADE)
    learner, packed = Learner(config, fresh_model(config)), batch("image", "text", "images", "image")
    kept: dict[int, int] = {}
    weights = {p.untyped_storage().data_ptr() for p in learner.parameters()}

    def note(tensor: torch.Tensor) -> Any:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = learner(packed).total
    tokens = len(packed.inputs.input_ids)
    assert packed.inputs.pixel_values is not None
    media = len(packed.inputs.pixel_values) / 4 / tokens
    planned = 4 * activations(config.model_copy(update={"seq_len": tokens}), Data(media, 64, 0.5))
    assert sum(kept.values()) == pytest.approx(planned, rel=0.15)
    loss.backward()


@pytest.mark.slow
@pytest.mark.parametrize("changes", [[], ["grpo.kl=0.1", "grpo.max_new_tokens=48", "lora.rank=4"]])
def test_the_memory_of_a_run_on_rewards_is_near_what_it_takes(tmp_path: Path, changes: list[str]) -> None:
    """Within a factor of 1.5: all that is allocated at the worst moment of a step, beside what is kept."""
    write_shards([bare(sample("image", i)) for i in range(8)], tmp_path / "data")
    settings = [*QUICK, f"data.source={tmp_path / 'data'}", 'grpo.rewards={"text": 1.0}', "grpo.prompts=4"]
    settings += ["grpo.group=8", "grpo.max_new_tokens=24", "seq_len=2048", "optimizer.adamw_lr=1e-3", *changes]
    begin = start()
    config = resolve(begin, "grpo", settings)
    made = build_trainer(begin, config, tmp_path / "run")
    steps = made.dataloader(None)
    made.take(next(steps))
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as measured:
        step = next(steps)
        made.take(step)
    made.close()
    (batch,) = step.batches
    assert isinstance(batch, PolicyBatch)
    prompts = [n for n, before in zip(batch.inputs.seqlens, batch.before, strict=True) if before < 0]
    shape = RewardStep(config, 4, sum(prompts) // len(prompts), 0.5)
    planned = memory(shape.pack[0], made.learner, 1, shape.pack[1])
    told = replace(planned, rollouts=shape.held(made.learner)).total - planned.kept
    assert told / 1.5 < peak_of(measured) < told * 1.5


def peak_of(measured: profile) -> int:
    """Largest sum of what was allocated and not yet freed."""
    assert measured.profiler is not None
    events = [e for e in measured.profiler.kineto_results.events() if e.name() == "[memory]"]
    return max(accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())))


def test_a_step_on_rewards_reads_prompts_once_and_decodes_all_answers() -> None:
    config = resolve(start_of_size("tiny"), "grpo", ["grpo.group=4", "grpo.max_new_tokens=100", "bf16=true"])
    step, learner = RewardStep(config, 2, 500, 0.7), outline(config)
    assert step.tokens == 2 * 500 + 8 * 100
    assert step.rollout_flops() < step.update_flops() < 3 * step.rollout_flops()  # the tower is frozen: one pass
    weights = 2 * sum(p.numel() for p in learner.model.model.parameters())
    cached = 2 * 2 * 64 * 6 * 2  # keys and values of a token: 2 heads of 64 numbers in 6 layers, bfloat16
    assert step.decoded_bytes(learner) == 100 * (weights + 8 * 550 * cached)
    assert step.held(learner) > 2 * learner.model.num_parameters() + 8 * 600 * cached


def test_a_run_on_rewards_has_a_plan() -> None:
    (stage,) = plan_recipe("grpo", "tiny", 4, ["steps=10"]).stages
    assert stage.checked
    assert stage.steps == pytest.approx(10)
    assert "for rollouts" in stage.advice
    (delayed,) = plan_recipe("grpo", "tiny", 4, ["grpo.delay=1"], check=False).stages
    assert delayed.memory.total > stage.memory.total
    with pytest.raises(ConfigError, match="3 ranks do not share"):
        plan_recipe("grpo", "tiny", 3, [])


def test_a_named_device_has_its_own_memory_and_times() -> None:
    """3B with all weights: a step of 8,192 tokens is 6 FLOPs a weight and token, and attention, at 40 % of the peak;
    then gradients are read once, weights and AdamW's two moments read and written: 28 bytes a weight."""
    settings = ["recompute=true", "seq_len=8192"]
    (h200,) = plan_recipe("sft", "3B", 1, settings, Device.named("H200")).stages
    compute, update = h200.compute_seconds / h200.steps, h200.update_seconds / h200.steps
    assert compute == pytest.approx(h200.flops_per_token * 8192 / (0.4 * 989e12))
    assert update == pytest.approx(28 * h200.memory.gradients / 4 / 4.8e12, rel=1e-3)
    assert h200.seconds / h200.steps == pytest.approx(compute + update)
    assert h200.mfu == pytest.approx(0.4 * compute / (compute + update))
    (card,) = plan_recipe("sft", "3B", 1, settings, Device.named("4090")).stages
    assert not h200.advice
    assert "do not fit in 24" in card.advice
    with pytest.raises(ConfigError, match="H200, H100"):
        Device.named("H20")


def test_the_command_takes_a_device_and_corrections_of_it() -> None:
    words = ["plan", "lora", "--size", "3B", "--world", "1", "--device", "T4", "--memory", "48e9", "--json"]
    told = json.loads(CliRunner().invoke(app, words).stdout)["device"]
    assert (told["peak"], told["reading"], told["memory"]) == (65e12, 320e9, 48e9)
