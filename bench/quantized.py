"""What each kind of `viewfinder quantize` costs in accuracy, on the built-in model: `python bench/quantized.py`.

Errors are relative (norm of the difference over the norm), on generated pictures and a fixed text. Greedy is the share
of tokens before the first that differs, of 24 tokens after each of 16 prompts. Questions are of three tasks of
`viewfinder eval`, `--count` each, the same for all.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from viewfinder.data.sample import Sample
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.engine.engine import Engine
from viewfinder.messages import Sampling
from viewfinder.model import Qwen2_5_VL, load_model
from viewfinder.processor.processor import Processor
from viewfinder.recipes.quantize import KINDS, compare, quantize, reference
from viewfinder.recipes.synthetic import synthetic_source

TASKS = ("builtin_locate", "builtin_count", "builtin_read_latin")
SAMPLING = Sampling(max_new_tokens=24)


def prompts() -> list[Sample]:
    rows = synthetic_source({"answers": 1.0}, 3)(0)
    return [next(rows).make() for _ in range(16)]


def replies(directory: Path) -> list[tuple[str, ...]]:
    engine = Engine.from_pretrained(directory)
    return [engine.chat(list(one.messages[:1]), sampling=SAMPLING).token_texts for one in prompts()]


def kept(mine: list[tuple[str, ...]], theirs: list[tuple[str, ...]]) -> float:
    """Tokens before the first that differs, of all."""
    same = 0
    for ours, others in zip(mine, theirs, strict=True):
        pairs = list(zip(ours, others, strict=False))
        same += next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
    return same / sum(map(len, theirs))


@torch.inference_mode()
def features(model: Qwen2_5_VL, before: list) -> torch.Tensor:
    found = [i for i, _, _ in before if i.pixel_values is not None]
    return torch.cat([model.visual(i.pixel_values, i.grid_thw).float() for i in found])


@torch.inference_mode()
def logits(model: Qwen2_5_VL, before: list) -> torch.Tensor:
    return torch.cat([model(inputs, logits_at=places).float() for inputs, places, _ in before])


def error(mine: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((mine - theirs).norm() / theirs.norm())


def scores(directory: Path, count: int, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "viewfinder", "eval", "run", *TASKS, "--model", str(directory)]
    subprocess.run([*command, "--count", str(count), "--out", str(folder)], check=True, capture_output=True)
    found = json.loads((folder / "scores.json").read_text())["scores"]
    return [f"{next(iter(found[task].values()))['score']:.1f}" for task in TASKS]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    origin = find_checkpoint(options.model)
    model = load_model(origin, dtype=torch.float32)
    before = reference(model, Processor.from_pretrained(origin))
    first = replies(origin)
    seen, said = features(model, before), logits(model, before)
    print(
        "| kind | MB | features | logits | divergence | likelihood | likeliest | greedy | " + " | ".join(TASKS) + " |"
    )
    print("|---|" + "---|" * (7 + len(TASKS)), flush=True)
    with tempfile.TemporaryDirectory() as name:
        for kind in ("original", *KINDS):
            directory = origin if kind == "original" else Path(name) / kind
            if kind != "original":
                quantize(options.model, directory, kind)
            made = load_model(directory, dtype=torch.float32)
            loss = compare(made, before)
            size = sum(p.stat().st_size for p in directory.iterdir() if p.suffix in (".safetensors", ".gguf")) / 1e6
            row = [kind, f"{size:.1f}", f"{error(features(made, before), seen):.4f}"]
            row += [f"{error(logits(made, before), said):.4f}", f"{loss.divergence:.4f}", f"{loss.likelihood:+.4f}"]
            row += [f"{loss.agreement:.1%}", f"{kept(replies(directory), first):.1%}"]
            row += scores(directory, options.count, Path(name) / f"eval-{kind}")
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
