"""What every kind of clip looks like to the sampler: true times of all frames, and a way to read some.

Video files (`container`), animations and lists of pictures (`stills`) provide it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".gif")
"""What is taken for a clip by its name."""
Emit = Callable[[int, np.ndarray], None]
"""Called with the position in the list of wanted frames, and its pixels, uint8 (height, width, 3); any thread."""


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a clip before its frames are decoded. Seconds count from the start of the original.

    Attributes:
        duration: seconds until the last frame ends.
        size: (width, height) of the upright frames with square pixels.
        frame_count: number of frames.
        fps: frames per second on average.
        rotation: degrees counter-clockwise by which stored frames were turned to be upright (0, 90, 180, 270).
        variable_frame_rate: whether the frames are unevenly spaced.
        codec: short name, or "frames" for lists of pictures.
        notes: what is unusual about the file.
    """

    duration: float
    size: tuple[int, int]
    frame_count: int | None
    fps: float
    rotation: int = 0
    variable_frame_rate: bool = False
    codec: str = ""
    notes: tuple[str, ...] = ()


class FrameSource(Protocol):
    """A clip whose frames can be read by index.

    Attributes:
        info: size, duration and the like.
        times: presentation times of all frames, seconds, not decreasing.
        is_list: whether somebody chose these frames already, so that each is wanted.
    """

    name: str
    info: VideoInfo
    times: np.ndarray
    is_list: bool

    def read(self, indices: Sequence[int], size: tuple[int, int], emit: Emit) -> tuple[str, ...]:
        """Decode the frames `indices` (not decreasing), resize each to `size` (width, height) and emit it.

        Returns notes about frames that could not be decoded as they should.
        """
        ...


def spacing_of(times: np.ndarray, nominal: float) -> tuple[float, bool]:
    """Usual seconds between frames (`nominal` when there is but one frame), and whether they vary."""
    if len(times) < 2:
        return nominal, False
    steps = np.diff(times)
    usual = float(np.median(steps))
    return usual, bool(steps.max() > 1.5 * usual or steps.min() < 0.5 * usual)
