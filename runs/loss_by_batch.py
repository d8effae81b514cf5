"""Loss of answers by kind of batch, teacher forced: `python runs/loss_by_batch.py DIR... [--count N]`.

Nats a token of the answers on fixed batches of the built-in model's own mixture, with seeds of no training run: what
chooses between runs and between means of them, so that the held-out table never has to.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from viewfinder.inputs import IGNORE_INDEX, ModelInputs
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import load_model
from viewfinder.processor.processor import Processor
from viewfinder.tiny.recipes import stream_config
from viewfinder.tiny.stream import make_batch

SEED = 99_771_003
KINDS = {
    "pages": 0.9,
    "receipts": 1.0,
    "forms": 1.0,
    "tables": 1.0,
    "charts": 1.1,
    "screens": 1.6,
    "grounding": 1.6,
    "relations": 0.7,
    "compare": 0.7,
    "pointing": 0.9,
}
STYLES = {
    "pair": 0.4,
    "one": 0.6,
    "few": 1.1,
    "several": 1.0,
    "crowd": 0.6,
    "herd": 0.6,
    "short": 0.4,
    "word": 0.6,
    "line": 0.9,
    "long": 0.3,
    "sheet": 1.0,
    "page": 0.1,
}
MIXTURE: dict[str, Any] = {
    "patches": 2304,
    "min_side": 84,
    "max_side": 336,
    "max_aspect": 4,
    "max_pixels": 336 * 336,
    "text_share": 3,
    "kinds": {"weights": KINDS, "sides": [126, 336], "difficulty": [0.05, 0.4], "longest": 900},
    "styles": STYLES,
    "tasks": {"locate": 1.7, "point": 0.8, "count": 2.0, "read": 2.0, "spot": 0.03, "locate_text": 0.9, "ask": 1.4},
}
BATCHES: dict[str, dict[str, float]] = {
    "pages and other kinds": {"kind_share": 1.0},
    "scenes": {},
    "quick scenes": {"quick_share": 1.0},
    "clips": {"clip_share": 1.0},
}


@torch.no_grad()
def loss(model: Qwen2_5_VL, batches: list[ModelInputs]) -> float:
    """Nats a token over all batches together."""
    total, tokens = 0.0, 0
    for batch in batches:
        assert batch.labels is not None
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logs = model(batch).float().log_softmax(-1)
        asked = (batch.labels != IGNORE_INDEX).nonzero().flatten()
        total -= float(logs[asked - 1, batch.input_ids[asked]].sum())
        tokens += len(asked)
    return total / tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=16, help="batches of a kind")
    options = parser.parse_args()
    torch.set_num_threads(1)
    processor = Processor.from_pretrained(options.directories[0])
    models = {directory: load_model(directory, dtype=torch.float32).eval() for directory in options.directories}
    for number, (name, settings) in enumerate(BATCHES.items()):
        config = stream_config(MIXTURE | settings)
        batches = [make_batch(processor, config, SEED + number, step).inputs for step in range(options.count)]
        for directory, model in models.items():
            print(f"{name:22} {loss(model, batches):.3f} nats  {directory}", flush=True)


if __name__ == "__main__":
    main()
