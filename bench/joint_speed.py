"""Samples a second of the joint stage of the built-in model: an older build and this one by turns, in one run.

    git worktree add --detach /tmp/old 80ddf04^        # the last commit before the second campaign
    taskset -c 0 python bench/joint_speed.py /tmp/old --rounds 6

Each build runs in its own process with one thread and trains on its own batches of the same settings: the older one in
float32 and in bfloat16, this one in bfloat16, and with a frozen tower. A sample is a conversation about a picture. A
step is one update from two batches, optimizer included; batches are made before. "made" is what the generator makes
a second on one core, with the share of quick scenes that the stage has.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

DATA = {"patches": 2304, "min_side": 84, "max_side": 336, "max_pixels": 50176, "text_share": 2.5}
STYLES = {"pair": 0.5, "one": 0.7, "few": 1.0, "several": 0.6, "crowd": 0.4, "short": 0.5, "word": 0.7, "line": 1.0}
LOSSES = {"token_labels": 0.2, "attention": 0.5, "words": 0.3}
CASES = {
    "older, float32": ("older", {}),
    "older, bfloat16": ("older", {"bf16": True}),
    "this, float32": ("this", {}),
    "this, bfloat16": ("this", {"bf16": True}),
    "this, bfloat16, frozen tower": ("this", {"bf16": True, "lr_scale": {"tower": 0.0, "merger": 0.0}}),
}


def worker(changes: dict[str, Any], quick: bool) -> None:
    """Measures once for each line of the input; imports the build that PYTHONPATH names."""
    import tempfile
    import time

    import torch

    from viewfinder.engine.checkpoints import find_checkpoint
    from viewfinder.recipes.sizes import Start, build, open_processor
    from viewfinder.tiny import extra_losses, recipes
    from viewfinder.tiny.run import LabelInputLearner
    from viewfinder.tiny.stream import make_batch
    from viewfinder.train.trainer import Trainer

    torch.set_num_threads(1)
    processor = open_processor(find_checkpoint("tiny"))
    base = recipes.joint(processor)
    raw = base.model_dump(mode="json") | {"extra_losses": LOSSES, "threads": 1, "steps": 10**6, "workers": 0}
    config = type(base).model_validate(raw | {"data": {**DATA, "styles": STYLES}} | changes)
    extra = extra_losses.build(config, processor)
    learner = LabelInputLearner(config, build(Start(config.model, processor, None), 0), extra=extra)
    stream = recipes.stream_config({**config.data, **({"quick_share": 0.9} if quick else {})})
    make_batch(processor, stream, 0, 0)
    number = 0
    with tempfile.TemporaryDirectory() as out:
        trainer = Trainer(config, learner, lambda _: iter(()), Path(out))
        for _ in sys.stdin:
            begun = time.process_time()
            batches = [make_batch(processor, stream, 0, number + i) for i in range(2)]
            made, number = time.process_time() - begun, number + 2
            begun = time.process_time()
            trainer.train_step(batches)
            step = time.process_time() - begun
            samples = sum(len(batch.inputs.seqlens) for batch in batches)
            tokens = sum(len(batch.inputs.input_ids) for batch in batches)
            print(json.dumps({"made": made, "step": step, "samples": samples, "tokens": tokens}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("older", type=Path)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    builds = {"older": options.older, "this": Path(__file__).parents[1]}
    running = {}
    for name, (build, changes) in CASES.items():
        settings = {
            "OMP_NUM_THREADS": "1",
            "MALLOC_MMAP_THRESHOLD_": "4000000000",
            "MALLOC_TRIM_THRESHOLD_": "8000000000",
            "PYTHONPATH": str(builds[build]),
        }
        command = [sys.executable, __file__, "worker", json.dumps(changes), str(int(build == "this"))]
        running[name] = subprocess.Popen(
            command, env={**os.environ, **settings}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CASES}
    for turn in range(options.rounds + 1):
        for name, process in running.items():
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            figures = json.loads(process.stdout.readline())
            if turn:  # the first step warms up
                found[name].append(figures)
    for process in running.values():
        process.communicate()
    rates = {name: _rates(rows, "step") for name, rows in found.items()}
    print("| build | samples/s | tokens/s | ratio to the older in float32 | made/s |\n|---|---|---|---|---|")
    for name, rows in found.items():
        tokens = sum(row["tokens"] for row in rows) / sum(row["step"] for row in rows)
        ratio = statistics.median(a / b for a, b in zip(rates[name], rates["older, float32"], strict=True))
        made = sum(row["samples"] for row in rows) / sum(row["made"] for row in rows)
        whole = sum(row["samples"] for row in rows) / sum(row["step"] for row in rows)
        print(f"| {name} | {whole:.1f} | {tokens:.0f} | {ratio:.2f} | {made:.0f} |")


def _rates(rows: list[dict[str, float]], part: str) -> list[float]:
    return [row["samples"] / row[part] for row in rows]


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        worker(json.loads(sys.argv[2]), sys.argv[3] == "1")
    else:
        main()
