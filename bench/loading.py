"""From a cold process to the first token, beside transformers: `python bench/loading.py [--layers 8] [--evicted]`.

With `--int4` beside ourselves with weights of four bits instead, whose peak is printed over that of bfloat16.

Writes a checkpoint of the 3B model's widths with fewer layers (random bfloat16 weights, in a temporary folder), then
starts processes in turn that load it, read 32 tokens and choose the next. Each prints its wall and processor seconds
and its highest resident memory, beside the size of the weights. `--evicted` drops the file from the page cache before
each run, so that the disk is read.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OURS = """
import torch
from viewfinder.model import load_model
from viewfinder.inputs import ModelInputs
with torch.inference_mode():
    model = load_model(sys.argv[1])
    ids = torch.arange(1, 33)
    bounds = torch.tensor([0, 32], dtype=torch.int32)
    inputs = ModelInputs(ids, torch.arange(32).expand(3, -1), bounds, (0,), media_per_sequence=(0,))
    first = model(inputs, logits_at=torch.tensor([31])).argmax().item()
"""
PEER = """
import torch
from transformers import Qwen2_5_VLForConditionalGeneration
with torch.inference_mode():
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(sys.argv[1], dtype="auto")
    first = model(input_ids=torch.arange(1, 33)[None], logits_to_keep=1).logits.argmax().item()
"""
FRAME = """
import sys
{program}
status = open("/proc/self/status").read()
print("RESULT", first, 1024 * int(status.split("VmHWM:")[1].split()[0]))
"""


def write_checkpoint(directory: Path, layers: int) -> int:
    """Bytes of the weights."""
    import torch

    from viewfinder.config import OFFICIAL_SIZES
    from viewfinder.model import Qwen2_5_VL, save_pretrained

    size = OFFICIAL_SIZES["3B"]
    vision = size.vision.model_copy(update={"depth": layers, "fullatt_block_indexes": (layers - 1,)})
    text = size.text.model_copy(update={"num_hidden_layers": layers})
    with torch.device("meta"):
        model = Qwen2_5_VL(size.model_copy(update={"vision": vision, "text": text}))
    model = model.to(torch.bfloat16).to_empty(device="cpu").requires_grad_(False)
    model.tie_weights()
    for parameter in model.parameters():
        parameter.fill_(1.0) if parameter.dim() == 1 else parameter.uniform_(-0.02, 0.02)
    save_pretrained(model, directory)
    return sum(p.numel() * p.element_size() for p in model.parameters())


def run(program: str, directory: Path) -> tuple[float, float, int, int]:
    """Wall seconds, processor seconds, the token, bytes at the peak."""
    before, began = os.times(), time.perf_counter()
    command = [sys.executable, "-c", FRAME.format(program=program), str(directory)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    wall, after = time.perf_counter() - began, os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    _, token, peak = next(line for line in output.splitlines() if line.startswith("RESULT")).split()
    return wall, processor, int(token), int(peak)


def evict(directory: Path) -> None:
    for path in directory.glob("*.safetensors"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--evicted", action="store_true")
    parser.add_argument("--int4", action="store_true")
    parser.add_argument("--folder", help="where the checkpoint is written and deleted; the system's if not given")
    options = parser.parse_args()
    sides = {"ours": OURS, "transformers": PEER}
    if options.int4:
        sides = {"ours": OURS, "int4": OURS.replace("argv[1])", "argv[1], dtype=torch.int4)")}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        directory = Path(folder)
        weights = write_checkpoint(directory, options.layers)
        found: dict[str, list[tuple[float, float, int, int]]] = {name: [] for name in sides}
        for _ in range(options.repeats):
            for name, program in sides.items():
                if options.evicted:
                    evict(directory)
                found[name].append(run(program, directory))
    figures = {"layers": options.layers, "evicted": options.evicted, "weights_bytes": weights}
    for name, runs in found.items():
        wall, processor, _, peak = (statistics.median(column) for column in zip(*runs, strict=True))
        figures[name] = {"wall_s": round(wall, 2), "processor_s": round(processor, 2), "peak": round(peak / weights, 3)}
    pairs = list(zip(*found.values(), strict=True))
    assert options.int4 or all(ours[2] == peer[2] for ours, peer in pairs), "the first tokens differ"
    figures["peak_ratio"] = round(statistics.median(peer[3] / ours[3] for ours, peer in pairs), 3)
    for i, clock in enumerate(("wall", "processor")):
        figures[f"{clock}_ratio"] = round(statistics.median(peer[i] / ours[i] for ours, peer in pairs), 2)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
