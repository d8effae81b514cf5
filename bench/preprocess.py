"""JPEG file to patches, beside the image processor of transformers, on the same bytes with the same threads.

The peer is the processor that transformers chooses here: over torchvision when that is installed, else over
Pillow. Peak memory is what one picture adds at its highest, in a process of its own.
"""

import io
import multiprocessing
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from beside import added_peak, arguments, beside, report
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
    from transformers import Qwen2VLImageProcessor
    from transformers.utils.logging import set_verbosity_error

    set_verbosity_error()  # it says each time that torchvision is not there

    processor: Any = Qwen2VLImageProcessor(min_pixels=MIN_PIXELS, max_pixels=MAX_PIXELS)

    def preprocess(data: bytes) -> torch.Tensor:
        return processor(images=[Image.open(io.BytesIO(data)).convert("RGB")], return_tensors="pt")["pixel_values"]

    return preprocess


def peak_bytes(make: Callable[[], Preprocess], data: bytes) -> int:
    """What one picture adds to the resident memory at its highest, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure_peak, (make, data))


def _measure_peak(make: Callable[[], Preprocess], data: bytes) -> int:
    preprocess = make()
    preprocess(photograph(64, 64))
    return added_peak(partial(preprocess, data))


def main() -> None:
    options = arguments(__doc__)
    own, other = ours(), peer()
    for name, size in SIZES.items():
        data = photograph(*size)
        difference = (own(data) - other(data)).abs().max().item()
        assert difference < 0.03, f"the two disagree by {difference}"
        figures = beside(partial(own, data), partial(other, data), max(options.repeats, 9), options.clock)
        report(f"{name} to patches", figures, largest_difference=difference)
        if not options.no_memory:
            mine, theirs = peak_bytes(ours, data), peak_bytes(peer, data)
            report(f"{name} to patches, peak memory", {"ours": mine, "peer": theirs, "ratio": theirs / mine}, "bytes")


if __name__ == "__main__":
    main()
