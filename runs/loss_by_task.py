"""Loss by task on fresh scenes, teacher forced: `python runs/loss_by_task.py DIR [--count N] [--threads N]`.

Nats a token of the answers and the share of tokens that would be said, for all tokens and for digits: what
a model has learnt long before its own answers come out right. Seeds are of no training run, and fixed.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from viewfinder.data.synth.scene import make_scene
from viewfinder.inputs import IGNORE_INDEX, pack
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import load_model
from viewfinder.processor.processor import Processor
from viewfinder.tiny.recipes import STYLES
from viewfinder.tiny.stream import StreamConfig, make_sample

TASKS = ("locate", "point", "count", "read", "ask", "locate_text")
SHARES = {"one": 0.6, "few": 0.9, "several": 0.5, "crowd": 0.25, "big": 0.2, "short": 0.6, "word": 0.6, "line": 0.4}
SHARES["text"] = 0.15
SIZE, AT_ONCE = (140, 112), 10


@torch.no_grad()
def losses(model: Qwen2_5_VL, processor: Processor, task: str, count: int) -> dict[str, list[tuple[float, bool]]]:
    """Loss and rightness of each token of the answers, under "all", and of digits under "digits" too."""
    rng = np.random.default_rng((777, len(task)))
    config = StreamConfig(text_share=1.0, weights={task: 1.0})
    styles, shares = list(SHARES), np.array(list(SHARES.values()))
    samples = []
    for _ in range(count):
        style = STYLES[styles[int(rng.choice(len(styles), p=shares / shares.sum()))]]
        samples.append(make_sample(rng, processor, config, make_scene(rng, SIZE, style), ()))
    items = [processor(s.messages, train=True) for s in samples if set(s.task.split("+")) == {task}]
    found: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for start in range(0, len(items), AT_ONCE):
        batch = pack(items[start : start + AT_ONCE])
        assert batch.labels is not None
        logs = model(batch).log_softmax(-1)
        for at in (batch.labels != IGNORE_INDEX).nonzero().flatten().tolist():
            token = int(batch.input_ids[at])
            one = (-float(logs[at - 1, token]), int(logs[at - 1].argmax()) == token)
            found["all"].append(one)
            if processor.tokenizer.decode([token]).strip().isdigit():
                found["digits"].append(one)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_model(options.directory, dtype=torch.float32).eval()
    processor = Processor.from_pretrained(options.directory)
    for task in TASKS:
        for kind, values in losses(model, processor, task, options.count).items():
            loss, right = (sum(column) / len(values) for column in zip(*values, strict=True))
            print(f"{task:12} {kind:7} {loss:.3f} nats  {right:.3f} right  {len(values)} tokens", flush=True)


if __name__ == "__main__":
    main()
