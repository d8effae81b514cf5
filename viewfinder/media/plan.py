"""Everything about a clip that can be decided before its frames are decoded: which, when, how large.

`load_video` carries a plan out; `inspect` shows it. Joins the sampler (time) and the budget (pixels): the
number of frames sets their size, and if even the smallest size is too much, the size sets the number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from viewfinder.errors import LimitError
from viewfinder.media.budget import (
    FRAME_MAX_PIXELS,
    FRAME_MIN_PIXELS,
    TOTAL_PIXELS,
    Budget,
    frame_size,
    most_frames,
    official_frame_size,
)
from viewfinder.media.frames import FrameSource
from viewfinder.media.opening import open_video
from viewfinder.media.resize import smart_resize
from viewfinder.media.sampling import (
    EVERY_FRAME,
    Sampling,
    official_sample,
    sample,
    sample_at,
)
from viewfinder.media.source import DEFAULT_LIMITS, Limits
from viewfinder.media.transform import Transform

_LIST_FPS = 2.0
_ORIENTATION = {0: 1, 90: 8, 180: 3, 270: 6}  # of EXIF, for degrees counter-clockwise


@dataclass(frozen=True)
class VideoSettings:
    """How a video is sampled and resized. The defaults are the official ones.

    Attributes:
        fps, nframes: samples per second (2 when neither is given), or their number.
        min_frames, max_frames: bounds on the number that `fps` gives (4 and 768; see `sampling.frame_bounds`).
        min_pixels, max_pixels: of one resized frame; total_pixels: of all frame pairs together, a hard cap.
        resized_height, resized_width: a fixed size instead of the bounds.
        video_start, video_end: the part to look at, seconds of the original.
        sample_fps: frames per second of a list of pictures (2 when not given).
        raw_fps: of the film that such a list was taken from; known to qwen-vl-utils, changes nothing.
        frame_times: seconds of each picture of a list, or the moments to look at in a video.
        value_range: black and white of frames in an array that are not bytes.
        factor: sides of frames are multiples of it.
        official: reproduce the frames and sizes of qwen-vl-utils, whose times follow the average rate.
    """

    fps: float | None = None
    nframes: int | None = None
    min_frames: int | None = None
    max_frames: int | None = None
    min_pixels: int = FRAME_MIN_PIXELS
    max_pixels: int = FRAME_MAX_PIXELS
    total_pixels: int = TOTAL_PIXELS
    resized_height: int | None = None
    resized_width: int | None = None
    video_start: float | None = None
    video_end: float | None = None
    sample_fps: float | None = None
    raw_fps: float | None = None
    frame_times: Sequence[float] | None = None
    value_range: tuple[float, float] | None = None
    factor: int = 28
    official: bool = False

    @property
    def budget(self) -> Budget:
        """The settings that concern pixels."""
        return Budget(
            self.min_pixels, self.max_pixels, self.total_pixels, self.resized_height, self.resized_width, self.factor
        )


@dataclass(frozen=True)
class VideoPlan:
    """A clip but for its pixels, and where these will come from."""

    source: FrameSource
    sampling: Sampling
    transform: Transform
    notes: tuple[str, ...]

    @property
    def times(self) -> tuple[float, ...]:
        """Presentation timestamps of the sampled frames, seconds of the original."""
        return tuple(float(self.source.times[i]) for i in self.sampling.indices)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the frames that will be made: (N, height, width, 3), one byte each value."""
        width, height = self.transform.resized_size
        return len(self.sampling.indices), height, width, 3

    @property
    def pixels(self) -> int:
        """What counts against `total_pixels`: each pair of frames once."""
        return self.shape[0] // 2 * self.shape[1] * self.shape[2]


OFFICIAL_DEFAULTS = VideoSettings()


def plan_video(
    source: Any,
    settings: VideoSettings = OFFICIAL_DEFAULTS,
    limits: Limits = DEFAULT_LIMITS,
) -> VideoPlan:
    """Decide which frames of a video the model sees, and how large. Decodes one frame at most.

    Args:
        source: a file (path, bytes, URL, `data:` URI, pipe), an animation, a directory or list of pictures,
            an array or tensor (N, H, W, C) or (N, C, H, W), or what `open_video` returned.

    Raises:
        LimitError: over `limits`, or a budget that holds not one pair of frames.
        MediaError: not a readable video, or contradictory settings.
    """
    budget = settings.budget
    clip = open_video(
        source,
        sample_fps=settings.sample_fps,
        frame_times=settings.frame_times,
        value_range=settings.value_range,
        limits=limits,
    )
    width, height = clip.info.size
    if settings.official:
        sampling = _official_frames(clip, settings)
        if clip.is_list:  # resized as pictures first
            height, width = smart_resize(height, width, settings.factor)
        size = official_frame_size(height, width, len(sampling.indices), budget)
        return _plan(clip, sampling, size, (), limits)
    sampling = _true_frames(clip, settings)
    *size, notes = frame_size(height, width, len(sampling.indices), budget)
    most = most_frames(size[0], size[1], budget)
    if len(sampling.indices) > most:
        sampling = _fewer(clip, settings, most, len(sampling.indices))
        notes += (f"total_pixels {budget.total_pixels:,} holds {most} frames even of the smallest, so that is all",)
    return _plan(clip, sampling, (size[0], size[1]), notes, limits)


def _true_frames(clip: FrameSource, settings: VideoSettings) -> Sampling:
    if settings.frame_times is not None and not clip.is_list:
        return sample_at(clip.times, clip.info.duration, settings.frame_times)
    every = clip.is_list and settings.fps is None and settings.nframes is None
    return sample(
        clip.times,
        clip.info.duration,
        fps=EVERY_FRAME if every else settings.fps,
        nframes=settings.nframes,
        min_frames=settings.min_frames,
        max_frames=settings.max_frames,
        start=settings.video_start,
        end=settings.video_end,
    )


def _fewer(clip: FrameSource, settings: VideoSettings, most: int, wanted: int) -> Sampling:
    if settings.frame_times is not None and not clip.is_list:
        raise LimitError(
            f"{wanted} frames are asked for, and total_pixels {settings.total_pixels:,} holds {most} even of the "
            "smallest; ask for fewer or raise total_pixels"
        )
    start, end = settings.video_start, settings.video_end
    return sample(clip.times, clip.info.duration, nframes=most, start=start, end=end)


def _official_frames(clip: FrameSource, settings: VideoSettings) -> Sampling:
    if clip.is_list:
        indices = tuple(range(len(clip.times)))
        indices += indices[-1:] * (len(indices) % 2)
        step = 2 / (settings.sample_fps or _LIST_FPS)
        return Sampling(indices, tuple(k * step for k in range(len(indices) // 2)), step, True)
    return official_sample(
        len(clip.times),
        clip.info.fps,
        fps=settings.fps,
        nframes=settings.nframes,
        min_frames=settings.min_frames,
        max_frames=settings.max_frames,
        start=settings.video_start,
        end=settings.video_end,
    )


def _plan(
    clip: FrameSource, sampling: Sampling, size: tuple[int, int], notes: tuple[str, ...], limits: Limits
) -> VideoPlan:
    """`size` is (height, width)."""
    count = len(sampling.indices)
    if count > limits.max_frames:
        raise LimitError(
            f"{count:,} frames are over the {limits.max_frames:,} allowed; lower fps or raise Limits.max_frames"
        )
    transform = Transform(clip.info.size, (size[1], size[0]), exif_orientation=_ORIENTATION[clip.info.rotation])
    return VideoPlan(clip, sampling, transform, (*clip.info.notes, *sampling.notes, *notes))
