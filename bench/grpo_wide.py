"""Steps of `train grpo` on the whole structure of the 3B model with random weights: memory, time, and what was planned.

    python bench/grpo_wide.py --steps 2

Adapters on a frozen bfloat16 base (7.5 GB), one picture, a group of short answers. No checkpoint is read or written.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from grpo_speed import QUESTION, picture, timed

from viewfinder.data.sample import Sample, say
from viewfinder.model.lora import add_adapters
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.recipes.grpo import rollout_loader
from viewfinder.recipes.run import resolve
from viewfinder.recipes.sizes import start_of_size
from viewfinder.train.dataloader import Row
from viewfinder.train.distributed import ParallelDims
from viewfinder.train.estimate import memory
from viewfinder.train.learner import Learner
from viewfinder.train.rollout_estimate import RewardStep
from viewfinder.train.trainer import Trainer


def narrow_model(config: Any) -> Qwen2_5_VL:
    """Random bfloat16 weights, never in float32: 2 bytes a weight at the worst moment, too."""
    with torch.device("meta"):
        model = Qwen2_5_VL(config).to(torch.bfloat16)
    model = model.to_empty(device="cpu")
    model.tie_weights()
    noise = torch.randn(1 << 22).bfloat16()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim < 2:
                parameter.fill_(float("norm" in name or "ln_q" in name))
                continue
            deviation = 0.3 * parameter[0].numel() ** -0.5
            for part in parameter.view(-1).split(len(noise)):
                torch.mul(noise[: len(part)], deviation, out=part)
    return model


def sample(number: int, side: int) -> Sample:
    return Sample((say("user", picture(number, side), QUESTION), say("assistant", "none")), "locate")


def rows(start: int, side: int) -> Iterator[Row]:
    while True:
        yield Row(str(start), partial(sample, start, side))
        start += 1


def gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--group", type=int, default=2)
    parser.add_argument("--answer", type=int, default=6, help="tokens")
    parser.add_argument("--picture", type=int, default=224, help="side in pixels")
    parser.add_argument("--layers", type=int, help="of language model and tower at most, to try the command")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    start = start_of_size("3B")
    if options.layers is not None:
        vision = start.model.vision.model_copy(update={"depth": options.layers, "fullatt_block_indexes": (0,)})
        text = start.model.text.model_copy(update={"num_hidden_layers": options.layers})
        start = replace(start, model=start.model.model_copy(update={"vision": vision, "text": text}))
    scorer = Path(__file__).resolve().with_name("grpo_speed.py")
    settings = [
        *("device=cpu", "bf16=true", "workers=0", "seq_len=2048", "peak_flops=1e12", "grpo.prompts=1"),
        *("lora.rank=16", "lora.base_dtype=bfloat16", f"threads={options.threads}", "optimizer.warmup=0"),
        *(f"grpo.group={options.group}", f"grpo.max_new_tokens={options.answer}"),
        f"grpo.rewards={json.dumps({f'{scorer}:reward': 1.0})}",
    ]
    config = resolve(start, "grpo", settings)
    assert config.lora is not None
    begun, before = time.perf_counter(), gigabytes()
    model = narrow_model(config.model)
    add_adapters(model, config.lora.rank, config.lora.alpha, config.lora.targets)
    learner, parallel = Learner(config, model), ParallelDims()
    built = time.perf_counter() - begun
    loader = rollout_loader(config, learner, start.processor, partial(rows, side=options.picture), parallel)
    loader.writer = replace(loader.writer, ends=())  # every answer takes its whole length
    spent: dict[str, float] = {}
    timed(loader.writer, "write", spent, "rollout")
    timed(model.visual, "forward", spent, "tower")
    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(config, learner, loader, Path(out), parallel=parallel)
        learner.train()
        steps = loader(None)
        for number in range(options.steps):
            spent.clear()
            begun = time.perf_counter()
            step = next(steps)
            figures = trainer.take(step)
            seconds = time.perf_counter() - begun
            parts = {name: round(value, 1) for name, value in spent.items()}
            told = {"step": number + 1, "seconds": round(seconds, 1), **parts, "loss": figures.get("loss")}
            told |= {"tokens": len(step.batches[0].inputs.input_ids), "peak_gb": round(gigabytes(), 2)}  # type: ignore
            print(json.dumps(told), flush=True)
        trainer.close()
    prompt = step.batches[0].inputs.seqlens[0]  # type: ignore[union-attr]
    shape = RewardStep(config, 1, prompt, (options.picture // 28) ** 2 / prompt)
    planned = replace(memory(shape.pack[0], learner, 1, shape.pack[1]), rollouts=shape.held(learner)).total
    figures = {"planned_gb": planned / 2**30, "measured_gb": gigabytes() - before, "build_seconds": built}
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
