"""Pixels to patches: normalise, cut into 14 x 14 squares of two frames, order by 2 x 2 merge blocks.

Takes pictures whose sides are already multiples of 28; resizing is the work of `media`. Knows no
tokens. Agrees with the official image processor (facts of `preprocessor_config.json`) within 1/255,
on equal resized pixels to the last bits of single precision.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Num
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

IMAGE_MEAN = (0.48145466, 0.4578275, 0.40821073)
IMAGE_STD = (0.26862954, 0.26130258, 0.27577711)
_CHANNELS, _FRAMES = 3, 2
_WORTH_THREADS = 500_000

_Strip = Callable[[int, int, int], NDArray[np.uint8]]
"""Frame, top and bottom row to the pixels (height, width, 3) between them."""


def patchify(
    image: Image.Image | NDArray[np.uint8],
    *,
    patch_size: int = 14,
    merge_size: int = 2,
    mean: tuple[float, ...] = IMAGE_MEAN,
    std: tuple[float, ...] = IMAGE_STD,
    normalize: bool = True,
) -> Num[Tensor, "P patch_dim"]:
    """Patches of a still RGB picture (height, width, 3), which counts as two equal frames.

    Four consecutive rows are one token of the language model. With 2 x 2 merge blocks, a picture of
    4 x 4 patches is read in this order:

         0  1  4  5
         2  3  6  7
         8  9 12 13
        10 11 14 15

    Each row holds channel, frame, height, width, in that order (3 x 2 x 14 x 14 = 1176 values). Without `normalize`
    they are the bytes of the pixels.
    """
    if isinstance(image, Image.Image):
        picture = image if image.mode == "RGB" else image.convert("RGB")
        picture.load()  # once, before threads share it
        width, height = picture.size

        def strip(_: int, top: int, bottom: int) -> NDArray[np.uint8]:
            return np.asarray(picture.crop((0, top, width, bottom)))
    else:
        height, width, _ = image.shape

        def strip(_: int, top: int, bottom: int) -> NDArray[np.uint8]:
            return image[top:bottom]

    return _patches(strip, (1, height, width), patch_size, merge_size, mean, std, normalize)


def patchify_video(
    frames: NDArray[np.uint8],
    *,
    patch_size: int = 14,
    merge_size: int = 2,
    mean: tuple[float, ...] = IMAGE_MEAN,
    std: tuple[float, ...] = IMAGE_STD,
    normalize: bool = True,
) -> Num[Tensor, "P patch_dim"]:
    """Patches of a clip (N, height, width, 3) with even N; two consecutive frames are one grid step."""
    count, height, width, _ = frames.shape
    assert count % _FRAMES == 0, f"{count} frames; repeat the last one"

    def strip(frame: int, top: int, bottom: int) -> NDArray[np.uint8]:
        return frames[frame, top:bottom]

    return _patches(strip, (count, height, width), patch_size, merge_size, mean, std, normalize)


def _patches(
    strip: _Strip,
    shape: tuple[int, int, int],
    patch: int,
    merge: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    normalize: bool,
) -> Num[Tensor, "P patch_dim"]:
    """Fill the result strip by strip, each one row of merge blocks, small enough to stay in the cache.

    A single frame fills both frames of its patches.
    """
    frames, height, width = shape
    side = patch * merge
    rows, columns = height // side, width // side
    assert (rows * side, columns * side) == (height, width), f"{height} x {width} is not made of {side}s"
    steps = max(1, frames // _FRAMES)
    # Memory from numpy comes in huge pages, which halves the cost of touching 50 MB for the first time.
    out = np.empty(
        (steps * rows, columns * merge**2, _CHANNELS, _FRAMES, patch * patch), np.float32 if normalize else np.uint8
    )
    scale = np.array([1 / (255 * s) for s in std], dtype=np.float32).reshape(_CHANNELS, 1, 1)
    shift = np.array([m / s for m, s in zip(mean, std, strict=True)], dtype=np.float32).reshape(_CHANNELS, 1, 1)

    def fill(start: int, end: int) -> None:
        scaled = np.empty((columns * merge**2, _CHANNELS, 1, patch * patch), dtype=np.float32)
        for index in range(start, end):
            step, row = divmod(index, rows)
            for frame in range(min(frames, _FRAMES)):
                pixels = strip(step * _FRAMES + frame, row * side, (row + 1) * side)
                # a single frame is written to both places at once
                target = out[index] if frames == 1 else out[index, :, :, frame : frame + 1]
                ordered = _in_patch_order(pixels, patch, merge)
                if normalize:
                    np.subtract(np.multiply(ordered, scale, out=scaled, dtype=np.float32), shift, out=target)
                else:
                    target[...] = ordered

    _in_threads(fill, steps * rows, worth_it=out.size // (_CHANNELS * _FRAMES) >= _WORTH_THREADS)
    return torch.from_numpy(out).view(-1, _CHANNELS * _FRAMES * patch * patch)


def _in_patch_order(pixels: NDArray[np.uint8], patch: int, merge: int) -> NDArray[np.uint8]:
    """One strip of pixels to (patches, 3, 1, patch * patch) in merge-block order, still as bytes.

    A row of a patch (14 pixels, 42 bytes) is contiguous before and after, so it is moved as one item.
    """
    run = np.dtype((np.void, patch * _CHANNELS))
    runs = np.ascontiguousarray(pixels).reshape(len(pixels), -1).view(run)
    blocks = runs.reshape(merge, patch, -1, merge)  # block row, pixel row, block, block column
    ordered = np.ascontiguousarray(blocks.transpose(2, 0, 3, 1))
    patches = ordered.view(np.uint8).reshape(-1, patch * patch, _CHANNELS)
    return np.ascontiguousarray(patches.transpose(0, 2, 1))[:, :, None]


def _in_threads(fill: Callable[[int, int], None], count: int, worth_it: bool) -> None:
    """Run `fill(start, end)` over 0..count, in as many threads as torch may use here.

    There are four pieces to a thread, so that one held up by other work does not hold up the rest.
    """
    threads = min(torch.get_num_threads(), count) if worth_it else 1
    if threads == 1:
        fill(0, count)
        return
    pieces = min(4 * threads, count)
    bounds = [count * k // pieces for k in range(pieces + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, bounds[:-1], bounds[1:]))
