"""What is kept of a running camera or screen: the newest frame pairs all, older ones ever fewer, never more than fit.

Frames come with their own times; this clock is the only one here. They are taken at most `fps` times a second and stand
two by two, as the model sees them; a frame after a gap (frames were lost) is never paired with the one before it.
Knows pixels and seconds, no model.

At 2 frames a second and `window_seconds` 4, pairs are 1 s apart: the newest 4 to 6 are the window, which starts anew
only with every second pair, so that an engine which knows the beginning of a clip reads the new pair alone. Pairs that
leave the window go to the past. When the past is full, every second one of it is dropped: what is older is thinner.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from viewfinder.errors import MediaError
from viewfinder.media.image import Picture
from viewfinder.media.resize import model_size, resize_picture
from viewfinder.media.transform import Transform
from viewfinder.media.video import Clip
from viewfinder.processor.settings import ProcessorSettings

_EARLY = 0.05
"""Share of a frame interval that a frame may come early and still be taken."""
_GAP = 1.5
"""Frame intervals after which frames were lost."""


@dataclass(frozen=True)
class WindowSettings:
    """Attributes:
    fps: frames taken in a second at most.
    window_seconds: the newest stretch, of which all is kept (up to half as much again).
    past_pairs: most frame pairs kept of what was before; past_seconds: none older than this.
    max_pixels: of one frame at most; total_pixels: of all kept frame pairs together. None takes the processor's.
    """

    fps: float = 2.0
    window_seconds: float = 16.0
    past_pairs: int = 16
    past_seconds: float = 600.0
    max_pixels: int | None = None
    total_pixels: int | None = None

    def __post_init__(self) -> None:
        if not (0 < self.fps <= 60 and 0 < self.window_seconds <= 3600 and self.window_pairs <= 512):
            raise MediaError(
                f"a window of {self.window_seconds:g} s at {self.fps:g} frames a second cannot be kept; give fps up to "
                "60 and at most 512 pairs of frames"
            )
        if not (0 <= self.past_pairs <= 512 and self.past_seconds >= 0):
            raise MediaError(f"past_pairs is {self.past_pairs} and past_seconds {self.past_seconds}; give 0 to 512")

    @property
    def window_pairs(self) -> int:
        return max(2, math.ceil(self.window_seconds * self.fps / 2 - 1e-9))

    @property
    def hop(self) -> int:
        """Pairs that leave the window at once."""
        return max(1, self.window_pairs // 2)

    @property
    def most_pairs(self) -> int:
        return self.window_pairs + self.hop + self.past_pairs

    def frame_budget(self, settings: ProcessorSettings) -> dict[str, int]:
        """Arguments of `model_size` for every frame: all kept pairs together stay within `total_pixels`."""
        share = (self.total_pixels or settings.total_pixels) // self.most_pairs
        most = max(min(self.max_pixels or settings.video_max_pixels, share), settings.factor**2)
        return {"min_pixels": min(settings.video_min_pixels, most), "max_pixels": most, "factor": settings.factor}


@dataclass(frozen=True)
class FramePair:
    """Two frames, uint8 (2, height, width, 3), and their seconds; equal where one frame stands for both."""

    frames: np.ndarray
    times: tuple[float, float]


class LiveWindow:
    """The kept frame pairs of one stream. `window` is the newest stretch, `past` what is left of before.

    One thread pushes; others may read `pairs` meanwhile.
    """

    def __init__(self, settings: WindowSettings, processor_settings: ProcessorSettings) -> None:
        self.settings = settings
        self.budget = settings.frame_budget(processor_settings)
        self.transform: Transform | None = None
        self.window: list[FramePair] = []
        self.past: list[FramePair] = []
        self.num_frames = 0
        self._waiting: tuple[np.ndarray, float] | None = None
        self._lock = threading.Lock()

    @property
    def last_time(self) -> float | None:
        """Seconds of the newest frame taken."""
        return self._waiting[1] if self._waiting else self.window[-1].times[1] if self.window else None

    @property
    def num_bytes(self) -> int:
        return sum(pair.frames.nbytes for pair in self.past + self.window)

    def wants(self, time: float) -> bool:
        """Whether a frame of this time is taken; one that comes too soon after the last is not.

        Raises:
            MediaError: the time is no number of seconds, or not after that of the last frame.
        """
        if not (math.isfinite(time) and time >= 0):
            raise MediaError(f"the frame's time is {time}, expected seconds of the stream's clock from 0 on")
        last = self.last_time
        if last is not None and time <= last:
            raise MediaError(f"the frame is of {time:g} s and the one before it of {last:g} s; send frames in order")
        return last is None or time - last >= (1 - _EARLY) / self.settings.fps

    def push(self, picture: Picture, time: float) -> list[FramePair]:
        """Take a frame; the pairs that it completes: none, one, or, after a gap, that of the lone frame before it.

        Raises:
            MediaError: as `wants`, or the frame has another size than the first.
        """
        if picture.size != model_size(picture.transform.original_size, **self.budget):
            picture = resize_picture(picture, **self.budget)
        return self.push_pixels(picture.pixels, picture.transform, time)

    def push_pixels(self, pixels: np.ndarray, transform: Transform, time: float) -> list[FramePair]:
        """As `push`, of pixels at the model's size."""
        if not self.wants(time):
            return []
        self.transform = self.transform or transform
        if transform.original_size != self.transform.original_size:
            found, expected = ("x".join(map(str, t.original_size)) for t in (transform, self.transform))
            raise MediaError(f"the frame is {found} pixels and the stream began with {expected}; begin a new stream")
        with self._lock:
            self.num_frames += 1
            before, self._waiting = self._waiting, None
            if before is not None and time - before[1] <= _GAP / self.settings.fps:
                done = [FramePair(np.stack([before[0], pixels]), (before[1], time))]
            else:
                done = [] if before is None else [_alone(*before)]
                self._waiting = (pixels, time)
            for pair in done:
                self._keep(pair)
        return done

    def _keep(self, pair: FramePair) -> None:
        self.window.append(pair)
        if len(self.window) <= self.settings.window_pairs + self.settings.hop:
            return
        leaving, self.window = self.window[: self.settings.hop], self.window[self.settings.hop :]
        oldest = pair.times[1] - self.settings.past_seconds
        self.past = [kept for kept in self.past + leaving if kept.times[0] >= oldest]
        while len(self.past) > self.settings.past_pairs:
            self.past = self.past[::2] if self.settings.past_pairs else []

    def pairs(self, seconds: float | None = None) -> list[FramePair]:
        """The pairs of the last `seconds`, or all that are kept; a frame without its second stands for both."""
        with self._lock:
            pairs = [*self.past, *self.window, *([_alone(*self._waiting)] if self._waiting else [])]
        if seconds is None or not pairs:
            return pairs
        first = pairs[-1].times[1] - seconds
        return [pair for pair in pairs if pair.times[1] >= first]

    def clip(self, pairs: Sequence[FramePair]) -> Clip:
        """Pairs as a clip whose times are seconds of the stream.

        Raises:
            MediaError: there are none.
        """
        if not pairs or self.transform is None:
            raise MediaError("the stream has no frame yet; send one before asking")
        starts = tuple(pair.times[0] for pair in pairs)
        return Clip(
            frames=np.concatenate([pair.frames for pair in pairs]),
            times=tuple(time for pair in pairs for time in pair.times),
            duration=pairs[-1].times[1] + 1 / self.settings.fps,
            transform=self.transform,
            second_per_grid_ts=(starts[-1] - starts[0]) / max(1, len(starts) - 1) or 2 / self.settings.fps,
            grid_times=starts,
            regular=False,  # positions of a pair must not depend on the pairs after it
        )


def _alone(pixels: np.ndarray, time: float) -> FramePair:
    return FramePair(np.stack([pixels, pixels]), (time, time))
