"""Which frames of a clip the model sees: chosen by their true times, at regular seconds.

Works on the list of presentation times alone; knows neither files nor pixels. A frame stands for a
moment when it is on screen then, so a recording that idles at 5 frames a second is sampled as truly as
one at 30. `official_sample` does by index what qwen-vl-utils does, for comparisons. Report section 2.1.2.

Frames at 0.0, 0.1, 0.2, 0.3, 1.3 and 2.3 s, the last until 3.3 s; one sample a second: at 0, 1, 2 and 3 s
frames 0, 3, 4 and 5 are on screen. By index (linspace) they would be 0, 2, 3 and 5, thought 1.1 s apart.
"""

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from viewfinder.errors import MediaError

Times = Sequence[float] | np.ndarray
"""Seconds of the original, not decreasing."""
FPS = 2.0
MIN_FRAMES = 4
MAX_FRAMES = 768
EVERY_FRAME = 1e6
"""As `fps`: every frame, up to `max_frames`."""


@dataclass(frozen=True)
class Sampling:
    """The chosen frames, an even number, in order; two consecutive ones make a grid step.

    Attributes:
        indices: into the clip's frames; one that stays on screen longer is repeated.
        grid_times: seconds of the original, per grid step: when its first frame was sampled.
        second_per_grid_ts: seconds from one grid step to the next; the mean when irregular.
        regular: whether `grid_times` are evenly spaced.
    """

    indices: tuple[int, ...]
    grid_times: tuple[float, ...]
    second_per_grid_ts: float
    regular: bool
    notes: tuple[str, ...] = ()


def sample(
    times: Times,
    duration: float,
    *,
    fps: float | None = None,
    nframes: int | None = None,
    min_frames: int | None = None,
    max_frames: int | None = None,
    start: float | None = None,
    end: float | None = None,
) -> Sampling:
    """Choose frames every 1/`fps` seconds (2 a second when nothing is given), or `nframes` of them.

    The number of frames is kept even and within `min_frames` and `max_frames` (see `frame_bounds`); when that
    changes the rate, or with `nframes`, the samples are spread evenly from `start` to `end`. When there are no
    more frames than wanted, each is taken once, at its own time (the last one twice if they are odd).

    Args:
        times: presentation times of all frames in seconds, not decreasing.
        duration: when the last frame ends, seconds.
        start, end: the part to sample, seconds of the original.

    Raises:
        MediaError: contradictory or impossible settings, or a part outside the clip.
    """
    first, last = _part(times, duration, start, end)
    begin = start if start is not None else min(times[first], duration)
    span = min(end if end is not None else duration, duration) - begin
    count, spacing = _count(span, fps, nframes, *frame_bounds(min_frames, max_frames))
    available = last - first + 1
    if available <= count:
        notes = () if nframes is None or available == count else (f"{available} frames are all there are",)
        return _take(times, range(first, last + 1), span / available, notes)
    moments = begin + spacing * np.arange(count)
    indices = np.clip(_on_screen(np.asarray(times), moments, 0.5 * span / available), first, last)
    held = int((np.diff(indices) == 0).sum())
    notes = (f"{held} of {count} samples repeat the frame that stays on screen",) if held else ()
    return Sampling(_ints(indices), _floats(moments[::2]), 2 * spacing, True, notes)


def sample_at(times: Times, duration: float, moments: Sequence[float]) -> Sampling:
    """Choose the frames on screen at given `moments` (seconds of the original, increasing).

    Raises:
        MediaError: no moments, not increasing, or outside the clip.
    """
    check_times(moments)
    if moments[-1] > duration:
        raise MediaError(f"frame_times end at {moments[-1]:g} s, but the video lasts {duration:g} s; correct them")
    on_screen = np.searchsorted(np.asarray(times), np.asarray(moments) + 1e-6, side="right") - 1
    return _pair(_ints(on_screen.clip(0)), list(moments), duration / len(moments), ())


def official_sample(
    total_frames: int,
    video_fps: float,
    *,
    fps: float | None = None,
    nframes: int | None = None,
    min_frames: int | None = None,
    max_frames: int | None = None,
    start: float | None = None,
    end: float | None = None,
) -> Sampling:
    """Choose by index exactly as qwen-vl-utils 0.0.14 does: both ends included, average rate assumed.

    `official_sample(300, 30.0)` has 20 frames and 1 s per grid step, although they are 2 x 0.524 s apart.

    Raises:
        MediaError: settings that it refuses too.
    """
    first, last = 0, total_frames - 1
    length = total_frames / video_fps
    if start is not None:
        first = math.ceil(max(0.0, min(start, length)) * video_fps)
    if end is not None:
        last = min(math.floor(max(0.0, min(end, length)) * video_fps), total_frames - 1)
    if (start is not None or end is not None) and first >= last:
        raise MediaError(f"frames {first} to {last} hold no part of a video of {length:g} s; correct start and end")
    available = last - first + 1
    count = _official_count(available, video_fps, fps, nframes, *frame_bounds(min_frames, max_frames))
    seconds = 2 * available / (count * video_fps)
    grid_times = tuple(first / video_fps + k * seconds for k in range(count // 2))
    return Sampling(_linspace(first, last, count), grid_times, seconds, True)


def frame_bounds(
    min_frames: int | None, max_frames: int | None, least: int = MIN_FRAMES, most: int = MAX_FRAMES
) -> tuple[int, int]:
    """Both bounds where one or none is given; as in qwen-vl-utils the upper one wins over a default lower one.

    `frame_bounds(None, 2) == (2, 2)` and `frame_bounds(1000, None) == (768, 768)`.
    """
    low, high = min_frames or least, max_frames or most
    return (low, high) if min_frames and max_frames else (min(low, high // 2 * 2), high)


def _on_screen(times: np.ndarray, moments: np.ndarray, early: float) -> np.ndarray:
    """The frame shown at each moment, or the next one if it is nearer and at most `early` seconds ahead.

    Timestamps are rounded by their container, and half a frame early is on time; but of a picture that stands
    for ten seconds the second five do not show what comes after.
    """
    now = np.searchsorted(times, moments, side="right") - 1
    after = np.minimum(now + 1, len(times) - 1)
    ahead = times[after] - moments
    return np.where((ahead > 0) & (ahead <= early) & (ahead < moments - times[now.clip(0)]), after, now)


def check_times(times: Times) -> None:
    """Refuse given times that cannot be a clip's.

    Raises:
        MediaError: none, negative, not finite or not increasing.
    """
    if not len(times) or not all(math.isfinite(t) and t >= 0 for t in times):
        raise MediaError("frame_times must be seconds from 0 on, one for each frame; correct them")
    for a, b in itertools.pairwise(times):
        if b <= a:
            raise MediaError(f"frame_times must increase, but {b:g} s follows {a:g} s; sort the frames")


def _part(times: Times, duration: float, start: float | None, end: float | None) -> tuple[int, int]:
    """First and last index of the frames on screen between `start` and `end`."""
    if (start is not None and start < 0) or (end is not None and end <= (start or 0.0)):
        raise MediaError(f"the part from {start or 0:g} s to {end} s is empty; give video_start below video_end")
    if start is not None and start >= duration:
        raise MediaError(f"video_start is {start:g} s, but the video lasts {duration:g} s; give an earlier one")
    first = 0 if start is None else max(bisect_right(times, start + 1e-6) - 1, 0)
    last = len(times) - 1 if end is None else bisect_left(times, end - 1e-6) - 1
    return first, max(last, first)


def _count(span: float, fps: float | None, nframes: int | None, min_frames: int, max_frames: int) -> tuple[int, float]:
    """How many samples, and their spacing in seconds."""
    if fps is not None and nframes is not None:
        raise MediaError("both fps and nframes are given; give one of them")
    if nframes is not None:
        if nframes < 2:
            raise MediaError(f"nframes is {nframes}, expected at least 2; frames enter the model in pairs")
        count = 2 * round(nframes / 2)
        return count, span / count
    low, high = 2 * math.ceil(min_frames / 2), 2 * math.floor(max_frames / 2)
    if high < 2 or low > high:
        raise MediaError(f"min_frames {min_frames} and max_frames {max_frames} leave no even number of frames between")
    rate = FPS if fps is None else fps
    if not (math.isfinite(rate) and rate > 0):
        raise MediaError(f"fps is {rate}, expected more than 0")
    wanted = 2 * math.floor(min(span * rate, 1e9) / 2 + 0.5)
    if low <= wanted <= high:
        return wanted, 1 / rate
    count = min(max(wanted, low), high)
    return count, span / count


def _official_count(
    available: int, video_fps: float, fps: float | None, nframes: int | None, min_frames: int, max_frames: int
) -> int:
    if fps is not None and nframes is not None:
        raise MediaError("both fps and nframes are given; give one of them")
    if nframes is not None:
        count = round(nframes / 2) * 2
    else:
        low, high = math.ceil(min_frames / 2) * 2, math.floor(max_frames / 2) * 2
        wanted = min(max(available / video_fps * (fps or FPS), low), high, available)
        count = math.floor(wanted / 2) * 2
    if not 2 <= count <= available:
        raise MediaError(
            f"{count} frames were asked of a video of {available}, expected 2 to {available}; change nframes"
        )
    return count


def _take(times: Times, which: range, mean: float, notes: tuple[str, ...]) -> Sampling:
    """Every frame of a range, once."""
    own = [float(times[i]) for i in which]
    return _pair(tuple(which), own, mean, notes)


def _pair(indices: tuple[int, ...], seconds: list[float], mean: float, notes: tuple[str, ...]) -> Sampling:
    """Frames at their own seconds, in pairs; regular when no one is off the even grid by a quarter of a step."""
    if len(indices) % 2:
        indices, notes = (*indices, indices[-1]), (*notes, "the last frame is repeated to make the number even")
    step = (seconds[-1] - seconds[0]) / (len(seconds) - 1) if len(seconds) > 1 else mean
    even = [seconds[0] + k * step for k in range(len(seconds))]
    regular = all(abs(a - b) <= 0.25 * step for a, b in zip(even, seconds, strict=True))
    grid = even[::2] if regular else seconds[::2]
    return Sampling(indices, tuple(grid), 2 * step, regular, notes)


def _linspace(first: int, last: int, count: int) -> tuple[int, ...]:
    """`torch.linspace(first, last, count).round()`: a step in single precision, counted from both ends, fused."""
    step = np.float64(np.float32(last - first) / np.float32(count - 1))
    k = np.arange(count)
    values = np.where(k < count // 2, first + step * k, last - step * (count - 1 - k))
    return _ints(values.astype(np.float32).round())


def _ints(values: np.ndarray) -> tuple[int, ...]:
    return tuple(int(v) for v in values)


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
