"""GRPO against more supervised fine-tuning of the built-in model, for equal processor time, on held-out pictures.

    python bench/grpo_study.py OUT --seeds 0 1 2 --cpu-seconds 400

Boxes of shapes in generated pictures ("locate every red circle", "none" included). Both runs start from the built-in
model, see the same rows in the same order, train the language model with the tower frozen, and end when the process
has used its time; one thread each. Measured before and after: greedy answers to the same held-out pictures, by the
mean of the reward (soft F1 of overlaps in original pixels) and the share of answers that are right at IoU 0.5, with
bootstrap intervals of the difference to the start. Results go to OUT/results.jsonl, one line a run.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from viewfinder.data.sample import Sample, say
from viewfinder.data.synth.questions import locate
from viewfinder.data.synth.scene import make_scene
from viewfinder.eval.metrics import box_f1
from viewfinder.messages import ImagePart
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.recipes.grpo import make_prompt, rollout_loader
from viewfinder.recipes.rewards import by_truth
from viewfinder.recipes.rewards.scoring import Rewards
from viewfinder.recipes.run import build_collator, build_learner, resolve
from viewfinder.recipes.sizes import start_from
from viewfinder.recipes.synthetic import STYLE
from viewfinder.train.batches import Dataloader, Position, Step
from viewfinder.train.dataloader import PackedLoader, Row
from viewfinder.train.distributed import ParallelDims
from viewfinder.train.rollouts import Prompt, Writer
from viewfinder.train.trainer import Trainer

HELD_OUT = 1_000_000
COMMON = [
    *("threads=1", "workers=0", "bf16=false", "device=cpu", "seq_len=1024", "log_every=1", "save_every=100000"),
    *("steps=100000", "peak_flops=1e12", "optimizer.warmup=5", "optimizer.schedule=linear", "optimizer.cooldown=0.0"),
]
GRPO = ["grpo.prompts=6", "grpo.group=8", "grpo.max_new_tokens=96", 'grpo.rewards={"boxes": 1.0}']


def sample(seed: int, number: int) -> Sample:
    """A picture of one to four shapes, and where some of them are."""
    rng = np.random.default_rng((seed, number))
    scene = make_scene(rng, (28 * int(rng.integers(3, 7)), 28 * int(rng.integers(3, 7))), STYLE)
    turn = locate(rng, scene)
    picture = ImagePart(image=scene.image, resized_width=scene.image.width, resized_height=scene.image.height)
    messages = (say("user", picture, turn.question), say("assistant", turn.answer))
    return Sample(messages, "locate", {"boxes": turn.truth["boxes"]}, forms=("", "boxes"))


def rows(seed: int, start: int) -> Iterator[Row]:
    while True:
        yield Row(f"{seed}/{start}", partial(sample, seed, start))
        start += 1


def until(dataloader: Dataloader, cpu_seconds: float, seconds: float) -> Dataloader:
    """The same steps, none begun after the process has used its time, or after `seconds` of the clock."""

    def steps(position: Position | None) -> Iterator[Step]:
        end, late = time.process_time() + cpu_seconds, time.monotonic() + seconds
        for step in dataloader(position):
            yield step
            if time.process_time() > end or time.monotonic() > late:
                return

    return steps


def measure(model: Any, prompts: Sequence[Prompt], writer: Writer) -> dict[str, list[float]]:
    """Of each held-out prompt: reward, and whether all boxes are found at an IoU of a half and no others."""
    found: dict[str, list[float]] = {"reward": [], "right": []}
    for at in range(0, len(prompts), 16):
        part = prompts[at : at + 16]
        for prompt, (answer,) in zip(part, writer.write(model, part), strict=True):
            case = prompt.case
            said = [(box.xyxy, "") for box in parse_boxes(answer.text, case.frame)]
            found["reward"].append(by_truth.boxes(answer.text, case) or 0.0)
            exact = (
                box_f1(said, [(box, "") for box, _ in case.truth]).f1 == 1.0
                if case.truth
                else found["reward"][-1] == 1.0
            )
            found["right"].append(float(exact))
    return found


def interval(difference: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % bootstrap bounds."""
    rng = np.random.default_rng(0)
    means = difference[rng.integers(0, len(difference), (2000, len(difference)))].mean(1)
    return float(difference.mean()), *np.percentile(means, (2.5, 97.5)).tolist()


def run(
    recipe: str, seed: int, lr: float, cpu_seconds: float, seconds: float, number: int, out: Path
) -> dict[str, Any]:
    start = start_from("tiny")
    settings = [
        *COMMON,
        f"seed={seed}",
        f"optimizer.adamw_lr={lr}",
        *(GRPO if recipe == "grpo" else ["lr_scale.merger=0"]),
    ]
    config = resolve(start, recipe, settings)
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    learner, parallel = build_learner(start, config), ParallelDims()
    asking = resolve(start, "grpo", [*COMMON, *GRPO])
    rewards = Rewards({"boxes": 1.0}, 5.0)
    greedy = asking.grpo.resolved().model_copy(update={"group": 1, "top_k": 1})
    writer = Writer(greedy, start.processor.tokenizer, (start.processor.tokenizer.token_id("<|im_end|>"),))
    make = partial(make_prompt, processor=start.processor, config=asking, rewards=rewards)
    held = [make(i, row) for i, row in zip(range(number), rows(HELD_OUT, 0), strict=False)]
    before = measure(learner.model, held, writer)
    source = partial(rows, seed)
    if recipe == "grpo":
        dataloader: Dataloader = rollout_loader(config, learner, start.processor, source, parallel)
    else:
        collator = build_collator(config, start.processor, learner.extra)
        dataloader = PackedLoader(source, collator, config.seq_len, 1)
    begun = time.process_time()
    trainer = Trainer(
        config, learner, until(dataloader, cpu_seconds, seconds), out / f"{recipe}-{seed}-{lr:g}", parallel=parallel
    )
    last = trainer.run()
    used = time.process_time() - begun
    learner.eval()
    after = measure(learner.model, held, writer)
    result: dict[str, Any] = {
        "recipe": recipe,
        "seed": seed,
        "lr": lr,
        "steps": last["step"],
        "cpu_seconds": round(used),
    }
    for name in before:
        change = interval(np.array(after[name]) - np.array(before[name]))
        result[name] = {
            "before": round(float(np.mean(before[name])), 4),
            "after": round(float(np.mean(after[name])), 4),
            "change": [round(value, 4) for value in change],
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipes", nargs="+", default=["grpo", "sft"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--lr", nargs="+", type=float, default=[3e-5])
    parser.add_argument("--cpu-seconds", type=float, default=400)
    parser.add_argument("--seconds", type=float, default=1e9, help="of the clock, at most")
    parser.add_argument("--held-out", type=int, default=160)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for seed in given.seeds:
        for recipe in given.recipes:
            for lr in given.lr:
                result = run(recipe, seed, lr, given.cpu_seconds, given.seconds, given.held_out, given.out)
                print(json.dumps(result), flush=True)
                with (given.out / "results.jsonl").open("a") as file:
                    file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
