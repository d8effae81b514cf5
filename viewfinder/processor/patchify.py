"""Pixels to patches: normalise, cut into 14 x 14 squares of two frames, order by 2 x 2 merge blocks.

Takes pictures whose sides are already multiples of 28; resizing is the work of `media`. Knows no
tokens. Agrees with the official image processor (facts of `preprocessor_config.json`) within 1/255.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

IMAGE_MEAN = (0.48145466, 0.4578275, 0.40821073)
IMAGE_STD = (0.26862954, 0.26130258, 0.27577711)


def patchify(
    image: Image.Image | NDArray[np.uint8] | UInt8[Tensor, "H W 3"],
    *,
    patch_size: int = 14,
    merge_size: int = 2,
    mean: tuple[float, ...] = IMAGE_MEAN,
    std: tuple[float, ...] = IMAGE_STD,
) -> Float[Tensor, "P patch_dim"]:
    """Patches of a still picture, which counts as two equal frames.

    Four consecutive rows are one token of the language model. With 2 x 2 merge blocks, a picture of
    4 x 4 patches is read in this order:

         0  1  4  5
         2  3  6  7
         8  9 12 13
        10 11 14 15

    Each row holds channel, frame, height, width, in that order (3 x 2 x 14 x 14 = 1176 values).
    """
    pixels = _as_tensor(image)
    return _patches(pixels.unsqueeze(0), 2, patch_size, merge_size, mean, std)


def patchify_video(
    frames: NDArray[np.uint8] | UInt8[Tensor, "N H W 3"],
    *,
    patch_size: int = 14,
    merge_size: int = 2,
    mean: tuple[float, ...] = IMAGE_MEAN,
    std: tuple[float, ...] = IMAGE_STD,
) -> Float[Tensor, "P patch_dim"]:
    """Patches of a clip with an even number of frames; each two consecutive frames are one grid step."""
    pixels = _as_tensor(frames)
    assert len(pixels) % 2 == 0, f"{len(pixels)} frames; repeat the last one"
    return _patches(pixels, 1, patch_size, merge_size, mean, std)


def _as_tensor(pixels: Image.Image | NDArray[np.uint8] | Tensor) -> Tensor:
    if isinstance(pixels, Tensor):
        return pixels
    array = np.asarray(pixels)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _patches(
    frames: UInt8[Tensor, "N H W 3"],
    copies: int,
    patch: int,
    merge: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> Float[Tensor, "P patch_dim"]:
    """Bytes are put in order first, while they are small; then each channel is scaled in one pass."""
    count, height, width, channels = frames.shape
    rows, columns = height // (patch * merge), width // (patch * merge)
    assert (rows * patch * merge, columns * patch * merge) == (height, width), f"{height} x {width} has partial patches"
    distinct = 2 // copies
    ordered = (
        frames.view(count // distinct, distinct, rows, merge, patch, columns, merge, patch, channels)
        .permute(0, 2, 5, 3, 6, 8, 1, 4, 7)
        .reshape(-1, channels, distinct, patch, patch)
    )
    out = torch.empty(len(ordered), channels, 2, patch, patch)
    for c in range(channels):
        scale = 1 / (255 * std[c])
        torch.mul(ordered[:, c], scale, out=out[:, c, :distinct]).sub_(mean[c] / std[c])
    if copies == 2:
        out[:, :, 1] = out[:, :, 0]
    return out.view(len(out), -1)
