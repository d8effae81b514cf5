"""Samples per second of `train grpo` beside TRL's GRPOTrainer: one machine, model, group, pictures, answer length.

    python bench/grpo_speed.py --peer TRL/bin/python --pairs 3

TRL/bin/python is of an environment with our dependencies and trl==1.16.0 (no torchvision, no vLLM). Each side is a
process of its own that waits while the other takes a step, in alternating order; after one step to warm up, the ratio
is the median over pairs. Both begin with the same random weights in the proportions of the 3B model (tower a fifth),
freeze the tower, train the language model in float32 with AdamW, and write answers of exactly `--answer` tokens. A
step is everything: reading the picture, rollouts, rewards, update. Seconds in the tower are told apart, not twice.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
QUESTION = "Locate every red circle and say in a few words what stands beside it."
Seconds = dict[str, float]


def reward(answer: str, about: Any = None) -> float:
    """Quick, and rarely equal for two answers."""
    return answer.count("e") - 0.01 * len(answer)


def picture(number: int, side: int) -> Image.Image:
    rng = np.random.default_rng(number)
    return Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))


def timed(owner: Any, name: str, spent: Seconds, key: str) -> None:
    """Adds the seconds of a method to `spent[key]`."""
    method = getattr(owner, name)

    def call(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return method(*arguments, **options)
        finally:
            spent[key] = spent.get(key, 0.0) + time.perf_counter() - start

    object.__setattr__(owner, name, call)


def write_start(folder: Path, options: argparse.Namespace) -> None:
    """The checkpoint that both load."""
    from viewfinder.config import TextConfig, VisionConfig
    from viewfinder.model.weights import save_pretrained
    from viewfinder.recipes.sizes import export_processor, fresh, start_of_size

    start = start_of_size("tiny")
    width, pixels = options.width, options.pixels**2
    vision = VisionConfig(
        depth=8,
        hidden_size=width // 2,
        num_heads=width // 128,
        intermediate_size=width * 4 // 3,
        out_hidden_size=width,
        fullatt_block_indexes=(3, 7),
    )
    text = TextConfig(
        vocab_size=start.model.text.vocab_size,
        hidden_size=width,
        intermediate_size=width * 11 // 4,
        num_hidden_layers=12,
        num_attention_heads=width // 64,
        num_key_value_heads=2,
        mrope_section=(8, 12, 12),
        tie_word_embeddings=True,
    )
    save_pretrained(fresh(start.model.model_copy(update={"vision": vision, "text": text}), 0), folder)
    made = type(start.processor)(start.processor.tokenizer, start.processor.settings.with_(max_pixels=pixels))
    export_processor(made, folder)


def ours(folder: Path, options: argparse.Namespace) -> Iterator[Seconds]:
    """One step at a time; the seconds of its parts."""
    from viewfinder.data.sample import Sample, say
    from viewfinder.recipes.grpo import rollout_loader
    from viewfinder.recipes.run import build_learner, resolve
    from viewfinder.recipes.sizes import start_from
    from viewfinder.train.dataloader import Row
    from viewfinder.train.distributed import ParallelDims
    from viewfinder.train.trainer import Trainer

    def sample(number: int) -> Sample:
        return Sample((say("user", picture(number, options.pixels), QUESTION), say("assistant", "none")), "locate")

    def rows(start: int) -> Iterator[Row]:
        while True:
            yield Row(str(start), partial(sample, start))
            start += 1

    start = start_from(folder)
    settings = [
        *("device=cpu", "bf16=false", "workers=0", "seq_len=8192", "steps=100000", "peak_flops=1e12"),
        *(f"threads={options.threads}", "optimizer.adamw_lr=1e-6", "optimizer.warmup=0"),
        *(f"grpo.group={options.group}", f"grpo.prompts={options.prompts}", f"grpo.max_new_tokens={options.answer}"),
        f"grpo.rewards={json.dumps({f'{Path(__file__).resolve()}:reward': 1.0})}",
    ]
    config = resolve(start, "grpo", settings)
    learner, parallel = build_learner(start, config), ParallelDims()
    loader = rollout_loader(config, learner, start.processor, rows, parallel)
    loader.writer = replace(loader.writer, ends=())  # every answer takes its whole length
    spent: Seconds = {}
    timed(loader.writer, "write", spent, "rollout")
    timed(loader, "_scored", spent, "reward")
    timed(learner.model.visual, "forward", spent, "tower")
    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(config, learner, loader, Path(out), parallel=parallel)
        learner.train()
        steps = loader(None)
        while True:
            spent.clear()
            trainer.take(next(steps))
            yield dict(spent)


def peer(folder: Path, options: argparse.Namespace) -> Iterator[Seconds]:
    """As `ours`, with TRL; its own loop is told apart at the ends of its steps, so it runs in a thread."""
    from queue import Queue
    from threading import Thread

    from datasets import Dataset
    from peer_server import PicturesOnly
    from transformers import AutoImageProcessor, AutoTokenizer, Qwen2_5_VLForConditionalGeneration, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    go, done = Queue[None](), Queue[Seconds]()
    spent: Seconds = {}

    class Turns(TrainerCallback):
        def on_step_begin(self, *arguments: Any, **more: Any) -> None:
            go.get()
            spent.clear()

        def on_step_end(self, *arguments: Any, **more: Any) -> None:
            done.put(dict(spent))

    def rewards(completions: list[Any], **more: Any) -> list[float]:
        return [reward(turns[0]["content"]) for turns in completions]

    size = options.group * options.prompts
    config = GRPOConfig(
        output_dir=str(folder / "out"),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        logging_steps=10**6,
        max_steps=10**6,
        per_device_train_batch_size=size,
        num_generations=options.group,
        max_completion_length=options.answer,
        generation_kwargs={"min_new_tokens": options.answer},
        loss_type="grpo",
        beta=0.0,
        learning_rate=1e-6,
        shuffle_dataset=False,
    )
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    model.model.visual.requires_grad_(False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    images = AutoImageProcessor.from_pretrained(folder)
    processor = PicturesOnly(images, tokenizer, object(), chat_template=tokenizer.chat_template)
    asked = [{"role": "user", "content": QUESTION}]
    rows = Dataset.from_list([{"prompt": asked, "image": picture(i, options.pixels)} for i in range(100)])
    trainer = GRPOTrainer(
        model, rewards, args=config, train_dataset=rows, processing_class=processor, callbacks=[Turns()]
    )
    timed(trainer, "_generate", spent, "rollout")
    timed(trainer, "_calculate_rewards", spent, "reward")
    timed(model.model.visual, "forward", spent, "tower")
    torch.set_num_threads(options.threads)
    Thread(target=trainer.train, daemon=True).start()
    while True:
        go.put(None)
        yield done.get()


def serve(steps: Iterator[Seconds], threads: int) -> None:
    """A step for each line of input; its seconds, their parts and the peak of memory as a line of output."""
    torch.set_num_threads(threads)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        spent = next(steps)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"seconds": time.perf_counter() - start, "parts": spent, "peak_gb": peak}), flush=True)


class Side:
    """A process that takes a step when it is told to."""

    def __init__(self, python: str, name: str, folder: Path, given: list[str]) -> None:
        command = [python, str(Path(__file__).resolve()), *given, "--side", name, "--folder", str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read("ready")

    def step(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read("seconds")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self, key: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{") and key in (found := json.loads(line)):
                return found
        raise SystemExit("a side ended; its message stands above")


def compare(options: argparse.Namespace) -> None:
    given = [part for part in sys.argv[1:] if part]
    with tempfile.TemporaryDirectory() as folder:
        write_start(Path(folder), options)
        sides = {
            name: Side(python, name, Path(folder), given)
            for name, python in (("ours", sys.executable), ("peer", options.peer))
        }
        try:
            warm = {name: side.step() for name, side in sides.items()}
            print(json.dumps({"warm": {name: round(one["seconds"], 2) for name, one in warm.items()}}), flush=True)
            found: dict[str, list[dict[str, Any]]] = {"ours": [], "peer": []}
            for number in range(options.pairs):
                for name in ("ours", "peer") if number % 2 else ("peer", "ours"):
                    found[name].append(sides[name].step())
        finally:
            for side in sides.values():
                side.stop()
    for name, steps in found.items():
        print(json.dumps({"side": name, **summary(steps, options.group * options.prompts)}))
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(found["ours"], found["peer"], strict=True)]
    print(json.dumps({"ratio": round(statistics.median(ratios), 2), "pairs": [round(r, 2) for r in ratios]}))


def summary(steps: list[dict[str, Any]], samples: int) -> dict[str, Any]:
    """Samples per second, and the shares of a step's parts; the tower is in none of the others."""
    whole = sum(one["seconds"] for one in steps)
    part = {key: sum(one["parts"].get(key, 0.0) for one in steps) / whole for key in ("rollout", "reward", "tower")}
    part["update"] = 1 - part["rollout"] - part["reward"]
    return {
        "samples_per_second": round(samples / statistics.median(one["seconds"] for one in steps), 3),
        "shares (tower is within rollout and update)": {key: round(value, 3) for key, value in part.items()},
        "peak_gb": round(max(one["peak_gb"] for one in steps), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="python of the environment with TRL")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--prompts", type=int, default=2)
    parser.add_argument("--answer", type=int, default=64, help="tokens")
    parser.add_argument("--side", choices=["ours", "peer"], help=argparse.SUPPRESS)
    parser.add_argument("--picture", dest="pixels", type=int, default=448, help="side in pixels")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side is None:
        compare(options)
        return
    run: Callable[..., Iterator[Seconds]] = {"ours": ours, "peer": peer}[options.side]
    serve(run(options.folder, options), options.threads)


if __name__ == "__main__":
    main()
