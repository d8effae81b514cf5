"""The size of a clip's frames, so that the whole clip stays within its budget of pixels.

`total_pixels` counts each pair of frames once, as the model's tokens do: tokens = total / 28^2. Here it
is a hard cap, to which the least size of a frame yields (and says so), and then the number of frames. In
qwen-vl-utils that least size wins instead; `official_frame_size` repeats its arithmetic.

768 frames of 1280x720 under 24,576 tokens: officially 224x420 and 46,080 tokens; here 168x280, 23,040.
"""

import math
from dataclasses import dataclass

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.resize import smart_resize

FRAME_MIN_PIXELS = 128 * 28 * 28
FRAME_MAX_PIXELS = 768 * 28 * 28
TOTAL_PIXELS = int(128000 * 28 * 28 * 0.9)


@dataclass(frozen=True)
class Budget:
    """What a clip may cost; pixels are those of resized frames.

    Attributes:
        min_pixels, max_pixels: of one frame.
        total_pixels: of all frame pairs together.
        resized_height, resized_width: when both are given, they replace the frame's own size and bounds.
        factor: sides are multiples of it.
    """

    min_pixels: int = FRAME_MIN_PIXELS
    max_pixels: int = FRAME_MAX_PIXELS
    total_pixels: int = TOTAL_PIXELS
    resized_height: int | None = None
    resized_width: int | None = None
    factor: int = 28

    def __post_init__(self) -> None:
        if (self.resized_height is None) != (self.resized_width is None):
            raise MediaError("only one of resized_height and resized_width is given; give both, or pixel budgets")
        if self.min_pixels > self.max_pixels:
            raise MediaError(
                f"min_pixels is {self.min_pixels} and max_pixels {self.max_pixels}; no frame satisfies both, "
                "lower min_pixels"
            )

    @property
    def fixed(self) -> tuple[int, int] | None:
        """The (height, width) asked for, made of multiples of `factor`."""
        if self.resized_height is None or self.resized_width is None:
            return None
        least, most = 4 * self.factor**2, 16384 * self.factor**2
        return smart_resize(self.resized_height, self.resized_width, self.factor, least, most)


def frame_size(height: int, width: int, count: int, budget: Budget) -> tuple[int, int, tuple[str, ...]]:
    """(height, width) for `count` frames (an even number) of `height` x `width`, and what had to yield.

    The promise: count / 2 * height * width <= total_pixels, unless even frames of the smallest size are
    too many, which is then for the caller to see with `most_frames`.

    Raises:
        LimitError: one side over 200 times the other, or a budget below one pair of the smallest frames.
    """
    share = math.floor(budget.total_pixels / (count // 2))
    wanted = budget.fixed or smart_resize(height, width, budget.factor, budget.min_pixels, budget.max_pixels)
    if wanted[0] * wanted[1] <= share:
        return *wanted, ()
    if budget.fixed:
        note = f"resized_height x resized_width {wanted[0]}x{wanted[1]} yields to total_pixels {budget.total_pixels:,}"
        return *_within(*wanted, share, budget.factor), (note,)
    resized = _within(height, width, share, budget.factor)
    if resized[0] * resized[1] >= budget.min_pixels:
        return *resized, ()
    return *resized, (f"min_pixels {budget.min_pixels:,} yields to total_pixels {budget.total_pixels:,}",)


def most_frames(height: int, width: int, budget: Budget) -> int:
    """How many frames of the resized size `height` x `width` the total allows, an even number.

    Raises:
        LimitError: not even two.
    """
    pairs = budget.total_pixels // (height * width)
    if pairs < 1:
        raise LimitError(
            f"total_pixels is {budget.total_pixels:,}, which holds not even one pair of frames of {width}x{height}, "
            "the smallest size for this video; raise total_pixels"
        )
    return 2 * pairs


def official_frame_size(height: int, width: int, count: int, budget: Budget) -> tuple[int, int]:
    """(height, width) as qwen-vl-utils 0.0.14 has them, whose floor per frame beats the total."""
    if budget.fixed:
        return budget.fixed
    share = min(768 * budget.factor**2, budget.total_pixels / count * 2)
    most = min(budget.max_pixels, max(share, int(budget.min_pixels * 1.05)))
    return smart_resize(height, width, budget.factor, budget.min_pixels, most)


def _within(height: int, width: int, most: int, factor: int) -> tuple[int, int]:
    """The official rounding with an upper bound only; both sides are at least `factor`."""
    return smart_resize(height, width, factor, factor**2, max(most, factor**2))
