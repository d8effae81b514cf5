"""JPEG file to patches, beside the image processor of transformers, in one run.

    python bench/preprocess.py [--rounds 9]

The two take turns on the same bytes with the same threads; the ratio is that of the medians. Peak memory is
that of a fresh process that does it once, over what it had before. Prints one JSON object a line.
"""

import argparse
import io
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

SIZES = {"jpeg 1080p": (1920, 1080), "jpeg 12 MP": (4000, 3000)}
MIN_PIXELS, MAX_PIXELS = 3136, 12845056

Preprocess = Callable[[bytes], torch.Tensor]


def photograph(width: int, height: int) -> bytes:
    """A JPEG with detail at every scale, as photographs have (about 2 bits a pixel)."""
    rng = np.random.default_rng(0)
    pixels = np.zeros((height, width, 3), dtype=np.float32)
    for scale in (3, 12, 48, 192):
        coarse = rng.integers(0, 256, (height // scale + 1, width // scale + 1, 3), dtype=np.uint8)
        pixels += np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)) / 4
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def ours() -> Preprocess:
    from viewfinder.media.image import load_image
    from viewfinder.media.resize import resize_picture
    from viewfinder.processor.patchify import patchify

    def preprocess(data: bytes) -> torch.Tensor:
        picture = resize_picture(load_image(data), min_pixels=MIN_PIXELS, max_pixels=MAX_PIXELS)
        return patchify(picture.image)

    return preprocess


def peer() -> Preprocess:
    """The processor that transformers chooses here: over torchvision when that is installed, else over Pillow."""
    from transformers import Qwen2VLImageProcessor
    from transformers.utils.logging import set_verbosity_error

    set_verbosity_error()  # it says each time that torchvision is not there

    processor: Any = Qwen2VLImageProcessor(min_pixels=MIN_PIXELS, max_pixels=MAX_PIXELS)

    def preprocess(data: bytes) -> torch.Tensor:
        return processor(images=[Image.open(io.BytesIO(data)).convert("RGB")], return_tensors="pt")["pixel_values"]

    return preprocess


def seconds(preprocess: Preprocess, data: bytes) -> float:
    start = time.perf_counter()
    preprocess(data)
    return time.perf_counter() - start


def peak_megabytes(make: Callable[[], Preprocess], data: bytes) -> float:
    """What one picture adds to the resident memory at its highest, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure_peak, (make, data))


def _measure_peak(make: Callable[[], Preprocess], data: bytes) -> float:
    preprocess = make()
    preprocess(photograph(64, 64))
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak until here
    before = _resident("VmRSS")
    preprocess(data)
    return (_resident("VmHWM") - before) / 1024


def _resident(field: str) -> int:
    """Kilobytes, by Linux's account."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def report(name: str, own: float, other: float, unit: str) -> None:
    """`ratio` is how many times less we need."""
    print(json.dumps({"name": name, "ours": round(own, 4), "peer": round(other, 4), "unit": unit,
                      "ratio": round(other / own, 2)}), flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    own, other = ours(), peer()
    for name, size in SIZES.items():
        data = photograph(*size)
        difference = (own(data) - other(data)).abs().max().item()
        assert difference < 0.03, f"the two disagree by {difference}"
        times = [(seconds(own, data), seconds(other, data)) for _ in range(rounds)]
        report(f"{name} to patches", *map(statistics.median, zip(*times, strict=True)), "s")
        report(f"{name} to patches, peak memory", peak_megabytes(ours, data), peak_megabytes(peer, data), "MB")


if __name__ == "__main__":
    main()
