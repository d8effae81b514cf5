"""A clip for the model: frames picked by their true times, at one size, within one budget of pixels.

Times are seconds of the original, whatever its frame rate does, and memory is that of the
result, however long the video is. What is decided is in `plan`, how frames are had in `decode` and
`stills`. Knows nothing of tokens beyond the factor of 28. Report section 2.1.2.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from viewfinder.errors import MediaError
from viewfinder.media.budget import FRAME_MAX_PIXELS, FRAME_MIN_PIXELS, TOTAL_PIXELS
from viewfinder.media.frames import VideoInfo
from viewfinder.media.opening import open_video
from viewfinder.media.plan import VideoPlan, VideoSettings, plan_video
from viewfinder.media.source import DEFAULT_LIMITS, Limits
from viewfinder.media.transform import Transform

Progress = Callable[[int, int], None]
"""Called with the number of frames done and of all, one call at a time, from any thread."""


@dataclass(frozen=True)
class Clip:
    """What the model sees of a video.

    Attributes:
        frames: uint8 (N, height, width, 3), resized and upright; N is even.
        times: N presentation timestamps, seconds from the start of the original; equal where a frame repeats.
        duration: seconds of the whole original.
        transform: of every frame.
        second_per_grid_ts: seconds from one frame pair to the next (the mean when irregular).
        grid_times: N/2 seconds of the original, when each pair was sampled.
        regular: whether `grid_times` are evenly spaced.
        notes: what is unusual, and which settings had to yield.
    """

    frames: np.ndarray
    times: tuple[float, ...]
    duration: float
    transform: Transform
    second_per_grid_ts: float
    grid_times: tuple[float, ...]
    regular: bool
    notes: tuple[str, ...] = ()


def probe_video(source: Any, limits: Limits = DEFAULT_LIMITS) -> VideoInfo:
    """Duration, size and timing of a video; decodes one frame of it. Errors as in `plan_video`."""
    return open_video(source, limits=limits).info


def load_video(
    source: Any,
    *,
    fps: float | None = None,
    nframes: int | None = None,
    min_frames: int | None = None,
    max_frames: int | None = None,
    min_pixels: int = FRAME_MIN_PIXELS,
    max_pixels: int = FRAME_MAX_PIXELS,
    total_pixels: int = TOTAL_PIXELS,
    resized_height: int | None = None,
    resized_width: int | None = None,
    video_start: float | None = None,
    video_end: float | None = None,
    sample_fps: float | None = None,
    raw_fps: float | None = None,
    frame_times: Sequence[float] | None = None,
    value_range: tuple[float, float] | None = None,
    factor: int = 28,
    official: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Clip:
    """Read a video for the model. Sources and errors are those of `plan_video`, settings those of `VideoSettings`."""
    if isinstance(source, Clip):
        return source
    settings = VideoSettings(
        fps=fps,
        nframes=nframes,
        min_frames=min_frames,
        max_frames=max_frames,
        min_pixels=min_pixels,
        max_pixels=max_pixels,
        total_pixels=total_pixels,
        resized_height=resized_height,
        resized_width=resized_width,
        video_start=video_start,
        video_end=video_end,
        sample_fps=sample_fps,
        raw_fps=raw_fps,
        frame_times=frame_times,
        value_range=value_range,
        factor=factor,
        official=official,
    )
    return read_clip(plan_video(source, settings, limits), progress)


def read_clip(plan: VideoPlan, progress: Progress | None = None) -> Clip:
    """Decode what was planned.

    Raises:
        MediaError: not one of the frames can be decoded.
    """
    frames = np.empty(plan.shape, dtype=np.uint8)
    filled = np.zeros(len(frames), dtype=bool)
    lock = threading.Lock()

    def emit(slot: int, pixels: np.ndarray) -> None:
        frames[slot] = pixels
        with lock:
            filled[slot] = True
            if progress is not None:
                progress(int(filled.sum()), len(filled))

    notes = plan.source.read(plan.sampling.indices, plan.transform.resized_size, emit)
    if not filled.any():
        raise MediaError(f"no frame of {plan.source.name} that was wanted can be decoded; it is damaged, get it again")
    for slot in np.flatnonzero(~filled):
        nearest = np.flatnonzero(filled)
        frames[slot] = frames[nearest[np.abs(nearest - slot).argmin()]]
    if not filled.all():
        notes += (f"{int((~filled).sum())} frames could not be decoded; their neighbours stand in for them",)
    return Clip(
        frames=frames,
        times=plan.times,
        duration=plan.source.info.duration,
        transform=plan.transform,
        second_per_grid_ts=plan.sampling.second_per_grid_ts,
        grid_times=plan.sampling.grid_times,
        regular=plan.sampling.regular,
        notes=plan.notes + notes,
    )
