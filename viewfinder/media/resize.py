"""The size at which the model sees a picture, by the official rule, and the resampling to it.

Sides become multiples of 28 (one language token is 28x28 pixels), the area stays within a budget, the
aspect ratio almost so: each axis has its own scale, kept in the picture's `Transform`. Source: facts of
the official preprocessing; where its versions differ, the one whose sides are never below `factor`.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import PIL
from PIL import Image

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.image import Picture

MAX_ASPECT_RATIO = 200
MIN_PIXELS = 4 * 28 * 28
MAX_PIXELS = 16384 * 28 * 28
_WORTH_THREADS = 500_000
_STRIPS_ARE_EXACT = int(PIL.__version__.partition(".")[0]) < 13


def smart_resize(
    height: int, width: int, factor: int = 28, min_pixels: int = MIN_PIXELS, max_pixels: float = MAX_PIXELS
) -> tuple[int, int]:
    """The size for the model, as (height, width), of a picture of `height` x `width` pixels.

    Rounding is half to even, so a side of 70 becomes 56. `smart_resize(1080, 1920) == (1092, 1932)`.

    Raises:
        LimitError: one side is over 200 times the other.
        MediaError: `min_pixels` is over `max_pixels`.
    """
    assert min(height, width, factor) > 0, f"{height} x {width}, factor {factor}"
    if min_pixels > max_pixels:
        raise MediaError(
            f"min_pixels is {min_pixels} and max_pixels {max_pixels}; no size satisfies both, lower min_pixels"
        )
    if max(height, width) > MAX_ASPECT_RATIO * min(height, width):
        raise LimitError(
            f"a picture of {width}x{height} has one side over {MAX_ASPECT_RATIO} times the other, the most that the "
            "model takes; crop it into pieces"
        )
    new_height = max(factor, round(height / factor) * factor)
    new_width = max(factor, round(width / factor) * factor)
    if new_height * new_width > max_pixels:
        beta = math.sqrt(height * width / max_pixels)
        new_height = max(factor, math.floor(height / beta / factor) * factor)
        new_width = max(factor, math.floor(width / beta / factor) * factor)
    elif new_height * new_width < min_pixels:
        beta = math.sqrt(min_pixels / (height * width))
        new_height = math.ceil(height * beta / factor) * factor
        new_width = math.ceil(width * beta / factor) * factor
    return new_height, new_width


def model_size(
    size: tuple[int, int],
    *,
    min_pixels: int = MIN_PIXELS,
    max_pixels: int = MAX_PIXELS,
    factor: int = 28,
    resized_height: int | None = None,
    resized_width: int | None = None,
) -> tuple[int, int]:
    """(width, height) in which the model sees a picture of `size` (width, height).

    `resized_height` and `resized_width` (both, or none) replace the picture's own size in the rule; the
    budgets then do not apply, as in the official code.

    Raises:
        MediaError: a size or budget that cannot be met (see `smart_resize`).
    """
    if (resized_height is None) != (resized_width is None):
        raise MediaError(
            "only one of resized_height and resized_width is given; give both, or min_pixels and max_pixels"
        )
    if resized_height is not None and resized_width is not None:
        height, width = smart_resize(resized_height, resized_width, factor, 4 * factor**2, 16384 * factor**2)
    else:
        height, width = smart_resize(size[1], size[0], factor, min_pixels, max_pixels)
    return width, height


def resize_picture(picture: Picture, **budget: int | None) -> Picture:
    """The picture at the model's size, resampled bicubically, with its transform carried on.

    `budget` and errors as in `model_size`.
    """
    size = model_size(picture.size, **budget)  # type: ignore[arg-type]
    if size == picture.size:
        return picture
    return replace(picture, image=resample(picture.image, size), transform=picture.transform.then_resize(size))


def resample(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bicubic resampling with antialiasing to `size`, (width, height): Pillow's pixels, on several cores.

    Large pictures are made in 2 or 4 horizontal strips at once. The strips' borders in the source,
    k/2 or k/4 of its height, are exact in floating point, so the pixels are those of one whole call. From
    Pillow 13 on they are not: it resamples columns or rows first, whichever is cheaper for the size at hand.
    """
    width, height = size
    strips = 4 if (os.cpu_count() or 1) >= 4 and height % 4 == 0 else 2
    is_small = max(width * height, image.width * image.height) < _WORTH_THREADS
    if is_small or height % strips or not _STRIPS_ARE_EXACT:
        return image.resize(size, Image.Resampling.BICUBIC)

    def strip(k: int) -> Image.Image:
        top, bottom = k * image.height / strips, (k + 1) * image.height / strips
        return image.resize((width, height // strips), Image.Resampling.BICUBIC, box=(0, top, image.width, bottom))

    image.load()  # once, before the threads share it
    with ThreadPoolExecutor(strips) as pool:
        parts = list(pool.map(strip, range(strips)))
    whole = Image.new(image.mode, size)
    for k, part in enumerate(parts):
        whole.paste(part, (0, k * (height // strips)))
    return whole
