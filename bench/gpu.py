"""One script for a GPU: what it is, whether paths are right on it, how fast, beside transformers, and training.

    python bench/gpu.py [--out FOLDER] [--phases probe,correct,speed,peer,train]      under ten minutes on one GPU
    python bench/gpu.py --device cpu --small                                          all of it, dry, in a minute
    python bench/gpu.py --fetch-wheels FOLDER [--all]                                 for a machine without an index

Weights are random, made on the device, at the widths of the 3B model (`--small`: tiny ones). Each phase is a process
with a time limit: one that hangs, fails or breaks the device is a result, and the next one goes on. After each figure
`gpu.json` and `gpu.md` in FOLDER have all so far. Needs PyTorch with CUDA; `--fetch-wheels` brings the rest, which
`pip install --no-index --no-deps --target FOLDER/here FOLDER/*.whl` installs. transformers is only for `peer`.
"""

import argparse
import importlib
import json
import multiprocessing
import subprocess
import sys
import time
import traceback
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import Any

WHEELS = ("pydantic", "pydantic-core", "annotated-types", "typing-inspection", "llguidance")
"""What images with PyTorch and transformers lack: 6 MB."""
ALL_WHEELS = (
    *(*WHEELS, "jaxtyping", "wadler-lindig", "typing-extensions", "safetensors", "tokenizers", "huggingface-hub"),
    *("pillow", "numpy", "jinja2", "markupsafe", "tqdm", "transformers", "regex", "packaging", "pyyaml", "filelock"),
    *("fsspec", "httpx", "httpcore", "h11", "anyio", "certifi", "idna", "typer", "rich", "click", "pygments"),
    *("markdown-it-py", "mdurl"),
)
"""What one with PyTorch alone lacks, 50 MB; av and pypdfium2 are for video and PDF."""
PLATFORM = ("--python-version", "3.12", "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64")
LIMITS = {"probe": 60, "correct": 150, "speed": 180, "peer": 90, "train": 90}
"""Seconds of each phase, 570 in all."""
MODULES = {
    "probe": "gpu_correct",
    "correct": "gpu_correct",
    "speed": "gpu_speed",
    "peer": "gpu_speed",
    "train": "gpu_train",
}
Results = dict[str, dict[str, Any]]


def child(phase: str, device: str, small: bool, found: "Queue[tuple[str, Any] | None]") -> None:
    from gpu_setup import Setup

    try:
        run = getattr(importlib.import_module(MODULES[phase]), phase)
        for name, value in run(Setup.of(device, small)):
            found.put((name, value))
    except Exception as error:
        traceback.print_exc()
        found.put(("failed", f"{type(error).__name__}: {error}"))
    found.put(None)


def run_phase(phase: str, device: str, small: bool, results: Results, out: Path) -> None:
    """Adds the figures of a phase to `results` as they come, and writes them."""
    context = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA
    found: Queue[tuple[str, Any] | None] = context.Queue()
    process = context.Process(target=child, args=(phase, device, small, found))
    values = results.setdefault(phase, {})
    start = time.monotonic()
    process.start()
    while "failed" not in values:
        try:
            item = found.get(timeout=1)
        except Empty:
            if not process.is_alive() and found.empty():
                values["failed"] = f"its process ended with {process.exitcode}"
            elif time.monotonic() - start > LIMITS[phase]:
                values["failed"] = f"took longer than {LIMITS[phase]} s"
            continue
        if item is None:
            break
        values[item[0]] = item[1]
        write(out, results)
    process.kill() if "failed" in values else None
    process.join()
    values["seconds"] = time.monotonic() - start
    write(out, results)


def write(out: Path, results: Results) -> None:
    (out / "gpu.json").write_text(json.dumps(results, indent=2) + "\n")
    lines = ["| phase | what | value |", "|---|---|---|"]
    for phase, values in results.items():
        lines += [f"| {phase} | {k} | {f'{v:.4g}' if isinstance(v, float) else v} |" for k, v in values.items()]
    (out / "gpu.md").write_text("\n".join(lines) + "\n")


def fetch_wheels(folder: str, names: tuple[str, ...]) -> int:
    options = ["--only-binary=:all:", "--no-deps", "--implementation", "cp", *PLATFORM, "--dest", folder]
    return subprocess.run([sys.executable, "-m", "pip", "download", *options, *names]).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("out/gpu"))
    parser.add_argument("--phases", default=",".join(LIMITS))
    parser.add_argument("--fetch-wheels", metavar="FOLDER")
    parser.add_argument("--all", action="store_true", help="also wheels that images for GPUs have")
    options = parser.parse_args()
    if options.fetch_wheels:
        raise SystemExit(fetch_wheels(options.fetch_wheels, ALL_WHEELS if options.all else WHEELS))
    options.out.mkdir(parents=True, exist_ok=True)
    results: Results = {}
    for phase in options.phases.split(","):
        run_phase(phase, options.device, options.small, results, options.out)
        print(phase, json.dumps(results[phase]), flush=True)
    raise SystemExit(any("failed" in values for values in results.values()))


if __name__ == "__main__":
    main()
