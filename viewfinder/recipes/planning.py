"""What a stage will cost on a cluster: memory, FLOPs, traffic, time, energy and money, before anything is run.

The report (section 2.2.2) gives the tokens of the three pre-training stages, 4.1T in all, and nothing of hardware, of
what share of tokens is pixels, or of how stage 1 divides into its three steps: what is assumed stands in the plan.
"""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from viewfinder.errors import ViewfinderError
from viewfinder.model.lora import add_adapters
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.recipes.language import open_language
from viewfinder.recipes.plan_device import Device
from viewfinder.recipes.run import resolve
from viewfinder.recipes.sizes import start_of_size, with_language
from viewfinder.recipes.stages import CHAINS
from viewfinder.train.config import ConfigError, TrainConfig
from viewfinder.train.contrast import ContrastHead
from viewfinder.train.estimate import Data, Memory, count_sharded, memory, step_flops, step_traffic
from viewfinder.train.extra_losses import ExtraLossesBuilder
from viewfinder.train.learner import Learner, Reference
from viewfinder.train.rollout_estimate import RewardStep

REPORT = ("pretrain-vision", "pretrain-multimodal", "pretrain-long", "sft", "dpo")
"""The stages of the report, which `plan report` adds up."""
TOKENS = {
    "vision-contrast": 0.5e12,
    "vision-align": 0.5e12,
    "vision-end-to-end": 0.5e12,
    "pretrain-multimodal": 2e12,
    "pretrain-long": 0.6e12,
    "sft": 2e9,
    "lora": 2e9,
    "dpo": 2e8,
    "grpo": 0.0,
}
"""1.5T, 2T and 0.6T are the report's; thirds of the first, and 1,000 tokens for each of 2 million SFT entries and
200,000 pairs, are assumed. Those of grpo are `steps` times what its prompts and answers have."""
DATA = {
    "vision-contrast": Data(0.8, 512, 0.0),
    "vision-align": Data(0.7, 2048, 0.2),
    "vision-end-to-end": Data(0.7, 2048, 0.2),
    "pretrain-multimodal": Data(0.5, 2048, 0.5),
    "pretrain-long": Data(0.5, 32768, 0.5),
    "sft": Data(0.5, 2048, 0.3),
    "lora": Data(0.5, 2048, 0.3),
    "dpo": Data(0.3, 1024, 0.3),
    "grpo": Data(0.7, 512, 1.0),
}
"""Of grpo: share of pixels in a prompt, and tokens of a prompt."""


@dataclass(frozen=True)
class StagePlan:
    """One stage on `world` devices; times in seconds, `energy` in joules, `cost` in dollars; `mfu` is the share of the
    peak that is left of the device's utilisation after the network and the update of weights."""

    recipe: str
    tokens: float
    steps: float
    data: Data
    memory: Memory
    checked: bool
    flops_per_token: float
    traffic_per_step: float
    compute_seconds: float
    traffic_seconds: float
    update_seconds: float
    seconds: float
    mfu: float
    energy: float
    cost: float
    advice: str


@dataclass(frozen=True)
class Plan:
    """All stages of a plan and what they were planned for."""

    size: str
    world: int
    device: Device
    stages: tuple[StagePlan, ...]

    def to_dict(self) -> dict[str, Any]:
        """For programs; sums under "total", with kg of CO2; memory with its own sum."""
        content = asdict(self)
        for stage, told in zip(self.stages, content["stages"], strict=True):
            told["memory"]["total"] = stage.memory.total
        total = {n: sum(getattr(s, n) for s in self.stages) for n in ("tokens", "seconds", "energy", "cost")}
        return {**content, "total": {**total, "carbon": total["energy"] / 3.6e6 * self.device.carbon}}

    def table(self) -> str:
        """For people."""
        device = self.device
        columns = (
            f"{'stage':20}{'tokens':>9}{'GB/rank':>9}{'kept':>7}{'GFLOP/token':>13}{'GB sent/step':>14}{'s/step':>9}"
        )
        lines = [f"{self.size} on {self.world} devices of {device.peak / 1e12:.0f} TFLOP/s, {device.utilisation:.0%}"]
        lines[0] += f" of it reached (assumed), {device.bandwidth / 1e9:.0f} GB/s, {device.memory / 1e9:.0f} GB"
        lines.append(f"{columns}{'MFU':>6}{'days':>9}{'MWh':>9}{'M$':>9}")
        for s in self.stages:
            lines.append(
                f"{s.recipe:20}{_short(s.tokens):>9}{s.memory.total / 1e9:>9.1f}{s.memory.kept / 1e9:>7.1f}"
                f"{s.flops_per_token / 1e9:>13.0f}{s.traffic_per_step / 1e9:>14.1f}"
                f"{s.seconds / s.steps:>9.2f}{s.mfu:>6.0%}{s.seconds / 86400:>9.2f}"
                f"{s.energy / 3.6e9:>9.1f}{s.cost / 1e6:>9.3f}"
            )
        total = self.to_dict()["total"]
        lines.append(
            f"{'total':20}{_short(total['tokens']):>9}{'':58}{total['seconds'] / 86400:>9.2f}"
            f"{total['energy'] / 3.6e9:>9.1f}{total['cost'] / 1e6:>9.3f}"
        )
        lines.append(f"{total['carbon'] / 1e3:.1f} t of CO2 at {self.device.carbon:g} kg a kWh (the grid decides)")
        lines += [f"{s.recipe}: {s.advice}" for s in self.stages if s.advice]
        lines.append("assumed, share of pixels / tokens of a sample / share with loss: " + _assumed(self.stages))
        checked = all(s.checked for s in self.stages)
        lines.append("kept bytes equal those of FSDP2 on a fake process group" if checked else "kept bytes unchecked")
        return "\n".join(lines)


def _assumed(stages: tuple[StagePlan, ...]) -> str:
    return ", ".join(f"{s.recipe} {s.data.media:g}/{s.data.sequence}/{s.data.labelled:g}" for s in stages)


def _short(tokens: float) -> str:
    for size, letter in ((1e12, "T"), (1e9, "B")):
        if tokens >= size / 10:
            return f"{tokens / size:.1f}{letter}"
    return f"{tokens / 1e6:.1f}M"


def plan_recipe(
    recipe: str,
    size: str,
    world: int,
    settings: list[str],
    device: Device | None = None,
    *,
    tokens: float | None = None,
    check: bool = True,
    extra: ExtraLossesBuilder | None = None,
    language: Path | None = None,
) -> Plan:
    """Plan a recipe, a chain of them, or "report": all stages of the report.

    Args:
        tokens: of each stage; the report's (or the assumed) number by default.
        check: compare the bytes that are kept with those that FSDP2 makes.
        extra: builds the losses that `extra_losses` names, as in `recipes.run.train`; without it no heads count.
        language: a Qwen2 or Llama model that stands behind the tower of `size`, as in `recipes.run.train`.

    Raises:
        ConfigError: no such recipe or setting, or a number of devices that its parallelism does not divide.
    """
    names = [step for name in (REPORT if recipe == "report" else [recipe]) for step in CHAINS.get(name, (name,))]
    unknown = [name for name in names if name not in TOKENS]
    if unknown:
        raise ConfigError(f"there is no plan for {unknown[0]!r}; there are report, {', '.join([*CHAINS, *TOKENS])}")
    used = device or Device()
    start = start_of_size(size)
    start = start if language is None else with_language(start, open_language(language))
    configs = [resolve(start, name, settings) for name in names]
    stages = [_plan_stage(config, world, tokens or TOKENS[config.recipe], check, used, extra) for config in configs]
    return Plan(size, world, used, tuple(stages))


@dataclass(frozen=True)
class _Load:
    """A step of one rank: memory, tokens, FLOPs, bytes sent, and bytes of its own memory that decoding reads."""

    memory: Memory
    tokens: int
    flops: float
    traffic: float
    decoded: float = 0.0
    rollout_flops: float = 0.0


def _load(config: TrainConfig, learner: Learner, world: int) -> _Load:
    data, traffic = DATA[config.recipe], step_traffic(config, learner, world)
    if config.objective != "policy":
        return _Load(memory(config, learner, world, data), config.seq_len, step_flops(config, data), traffic)
    ranks, settings = world // config.parallel.tensor, config.grpo
    if settings.prompts % ranks:
        raise ConfigError(f"grpo.prompts is {settings.prompts}, which {ranks} ranks do not share; use a multiple")
    step = RewardStep(config, settings.prompts // ranks, data.sequence, data.media)
    pack, inside = step.pack
    held = memory(pack, learner, world, inside)
    beside = held.activations + held.logits if settings.delay else 0  # the next answers are written meanwhile
    held = replace(held, rollouts=step.held(learner) + beside)
    packs = math.ceil(step.tokens / config.seq_len) * settings.iterations
    flops = step.update_flops() + step.rollout_flops()
    return _Load(held, step.tokens, flops, packs * traffic, step.decoded_bytes(learner), step.rollout_flops())


def _plan_stage(
    config: TrainConfig, world: int, tokens: float, check: bool, device: Device, extra: ExtraLossesBuilder | None
) -> StagePlan:
    if world % config.parallel.tensor:
        raise ConfigError(f"parallel.tensor is {config.parallel.tensor}, which does not divide {world} devices")
    learner, ranks = outline(config, extra), world // config.parallel.tensor
    load = _load(config, learner, world)
    if check and world > 1:
        _compare(load.memory, count_sharded(config, learner, world))
    rate = device.peak * device.utilisation * config.parallel.tensor
    steps = tokens / (load.tokens * ranks) if tokens else config.steps
    compute, sending, decoding = load.flops / rate, load.traffic / device.bandwidth, load.decoded / device.reading
    update = update_bytes(load.memory) / device.reading
    step = max(compute, sending) + decoding + update  # sharded weights are fetched while the layer before computes
    seconds = steps * step
    advice = _advice(config, load.memory, device, compute, sending)
    if decoding:
        rollout = load.rollout_flops / rate + decoding
        whole = seconds / steps
        advice = f"a step takes {whole:.3g} s, {rollout / whole:.0%} of it for rollouts{advice and '; '}{advice}"
    return StagePlan(
        recipe=config.recipe,
        tokens=steps * load.tokens * ranks,
        steps=steps,
        data=DATA[config.recipe],
        memory=load.memory,
        checked=check and world > 1,
        flops_per_token=load.flops / load.tokens,
        traffic_per_step=load.traffic,
        compute_seconds=steps * compute,
        traffic_seconds=steps * sending,
        update_seconds=steps * update,
        seconds=seconds,
        mfu=device.utilisation * compute / step,
        energy=seconds * world * device.watts,
        cost=seconds / 3600 * world * device.price,
        advice=advice,
    )


def update_bytes(held: Memory) -> int:
    """What an optimizer reads and writes: gradients once, its state and the trained weights twice.

    AdamW on 1,000 weights: 4,000 + 2 x (8,000 + 4,000) = 28,000 bytes.
    """
    return 3 * held.gradients + 2 * held.optimizer


def outline(config: TrainConfig, extra: ExtraLossesBuilder | None = None) -> Learner:
    """The learner of a config on the meta device: shapes without values."""
    with torch.device("meta"):
        model = Qwen2_5_VL(config.model)
        contrast = None
        if config.contrastive is not None:
            contrast = ContrastHead(config.contrastive, config.model.vision.out_hidden_size)
        if config.lora is not None:
            model.to(config.lora.torch_dtype)
            add_adapters(model, config.lora.rank, config.lora.alpha, config.lora.targets)
        compares = config.grpo.kl if config.objective == "policy" else config.preference.reference == "copy"
        copies = config.objective in ("preference", "policy") and compares and config.lora is None
        losses = extra(config, None) if extra and config.extra_loss_names() else None
        return Learner(config, model, Reference(model) if copies else None, contrast=contrast, extra=losses)


def _compare(held: Memory, found: dict[str, int]) -> None:
    planned = {name: getattr(held, name) for name in found}
    if planned != found:
        raise ViewfinderError(f"the plan counts {planned} bytes on the first rank, FSDP2 makes {found}; report this")


def _advice(config: TrainConfig, held: Memory, device: Device, compute: float, sending: float) -> str:
    if held.total > device.memory:
        remedy = "recompute=true" if not config.recompute else "parallel.tensor, more devices or a smaller seq_len"
        return f"{held.total / 1e9:.0f} GB do not fit in {device.memory / 1e9:.0f}; use {remedy}"
    if sending > compute:
        return f"waits for the network {sending / compute - 1:.0%} of its computing time; use a larger seq_len"
    return ""
