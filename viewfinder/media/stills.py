"""Clips that are made of pictures: lists of frames, directories of them, and animations (GIF, WebP, APNG).

Pictures are read when they are wanted, one per thread, and resized at once. Times are given, or follow
from a rate; those of an animation are its own delays.
"""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.frames import Emit, VideoInfo, spacing_of
from viewfinder.media.image import IMAGE_SUFFIXES, Picture, load_image, to_rgb
from viewfinder.media.resize import resample
from viewfinder.media.sampling import check_times
from viewfinder.media.source import Limits

_LIST_FPS = 2.0


@dataclass
class FrameList:
    """A `FrameSource` over pictures that somebody has chosen already."""

    name: str
    info: VideoInfo
    times: np.ndarray
    frames: Sequence[Any]
    limits: Limits
    is_list: bool = True

    def read(self, indices: Sequence[int], size: tuple[int, int], emit: Emit) -> tuple[str, ...]:
        def one(slot: int) -> bool:
            picture = _load(self.frames[indices[slot]], indices[slot], self.limits)
            emit(slot, np.asarray(resample(picture.image, size)))
            return picture.size != self.info.size

        with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
            other_sizes = sum(pool.map(one, range(len(indices))))
        return (f"{other_sizes} frames have another size than the first and were stretched",) if other_sizes else ()


def open_frames(
    frames: Sequence[Any],
    sample_fps: float | None,
    frame_times: Sequence[float] | None,
    limits: Limits,
    name: str = "the list of frames",
) -> FrameList:
    """A list of pictures (anything `load_image` takes) at `frame_times`, or `sample_fps` a second (2 by default).

    Raises:
        LimitError: too many frames.
        MediaError: no frames, times that do not fit them, or a first frame that cannot be read.
    """
    if not len(frames):
        raise MediaError(f"{name} is empty, expected at least one picture; add some")
    if sample_fps is not None and frame_times is not None:
        raise MediaError("both sample_fps and frame_times are given; give one of them")
    if frame_times is not None and len(frame_times) != len(frames):
        raise MediaError(f"{len(frame_times)} frame_times are given for {len(frames)} frames; give one for each")
    if sample_fps is not None and not 0 < sample_fps < float("inf"):
        raise MediaError(f"sample_fps is {sample_fps}, expected more than 0")
    step = 1 / (sample_fps or _LIST_FPS)
    if frame_times is not None:
        check_times(frame_times)
    times = np.arange(len(frames)) * step if frame_times is None else np.asarray(frame_times, dtype=np.float64)
    first = _load(frames[0], 0, limits)
    usual, varies = spacing_of(times, step)
    duration = float(times[-1]) + usual
    _check_duration(name, duration, limits)
    fps = len(times) / max(duration - float(times[0]), 1e-6)
    info = VideoInfo(duration, first.size, len(times), fps, 0, varies, "frames")
    return FrameList(name, info, times, frames, limits)


def frames_of_array(source: Any, value_range: tuple[float, float] | None) -> np.ndarray:
    """An array or tensor (T, H, W, C) or (T, C, H, W) with 1, 3 or 4 channels as uint8 (T, H, W, C).

    `value_range` says what is black and what is white, such as (0.0, 1.0); bytes need none.

    Raises:
        MediaError: another shape, no range for numbers that are no bytes, or values outside it.
    """
    try:
        array = np.asarray(source)
    except (TypeError, ValueError, RuntimeError) as error:  # of a tensor on a device, or of a type numpy has not
        raise MediaError(f"the frames are no array ({error}); give .cpu().float() and value_range") from error
    last, first = (array.ndim == 4 and array.shape[axis] in (1, 3, 4) for axis in (3, 1))
    if last == first:
        raise MediaError(
            f"frames of shape {array.shape} are neither (T, H, W, C) nor (T, C, H, W) with 1, 3 or 4 channels beyond "
            "doubt; transpose them or give a list of pictures"
        )
    array = array if last else array.transpose(0, 2, 3, 1)
    if array.dtype == np.uint8 and value_range in (None, (0, 255)):
        return array
    low, high = float(array.min(initial=np.inf)), float(array.max(initial=-np.inf))
    if value_range is None or not value_range[0] <= low <= high <= value_range[1] or value_range[0] == value_range[1]:
        raise MediaError(
            f"frames of {array.dtype} have values from {low:g} to {high:g}, and value_range is {value_range}; say what "
            "is black and what is white, such as value_range=(0, 1)"
        )
    black, white = value_range
    return np.rint((array - black) * (255 / (white - black))).astype(np.uint8)


def open_directory(
    path: Path, sample_fps: float | None, frame_times: Sequence[float] | None, limits: Limits
) -> FrameList:
    """The pictures in a directory in the order of their names, numbers by value (2 before 10).

    Raises:
        MediaError: no pictures there; else as in `open_frames`.
    """
    files = sorted((f for f in path.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES), key=_natural)
    if not files:
        raise MediaError(
            f"the directory {path.name} holds no pictures, expected frames such as 0001.jpg; check the path"
        )
    return open_frames(files, sample_fps, frame_times, limits, f"the directory {path.name}")


@dataclass
class Animation:
    """A `FrameSource` over one animated picture file, whose frames build on each other and are read in order."""

    name: str
    info: VideoInfo
    times: np.ndarray
    file: str | bytes
    is_list: bool = False

    def read(self, indices: Sequence[int], size: tuple[int, int], emit: Emit) -> tuple[str, ...]:
        last: tuple[int, np.ndarray] | None = None
        with _open(self.file) as image:
            for slot, i in enumerate(indices):
                if last is None or last[0] != i:
                    try:
                        image.seek(i)
                        last = i, np.asarray(resample(to_rgb(image.copy(), []), size))
                    except Exception:  # damaged from here on; what comes before stands in
                        if last is None:
                            return ()
                        for rest in range(slot, len(indices)):
                            emit(rest, last[1])
                        return (f"{len(indices) - slot} frames could not be decoded; the ones before stand in",)
                emit(slot, last[1])
        return ()


def open_animation(file: str | bytes, name: str, limits: Limits) -> Animation:
    """An animated GIF, WebP, PNG or AVIF file. Delays up to 10 ms count as 100 ms, as browsers have it.

    Raises:
        LimitError: frames or duration over `limits`.
        MediaError: damaged, or a still picture that is no GIF.
    """
    try:
        image = _open(file)
    except Exception as error:  # hostile bytes surface as any exception of a decoder
        raise MediaError(f"{name} is damaged and cannot be opened as an animation; get the file again") from error
    with image:
        size, kind = image.size, (image.format or "").lower()
        if size[0] * size[1] > limits.max_pixels:
            raise LimitError(
                f"{name} has frames of {size[0]}x{size[1]}, over the {limits.max_pixels:,} pixels allowed; make it "
                "smaller or raise Limits.max_pixels"
            )
        delays, whole = _delays(image)
        if whole and len(delays) == 1 and kind != "gif":
            raise MediaError(f"{name} is a still picture, expected a video; give it as an image")
    if not delays:
        raise MediaError(f"not one frame of {name} can be decoded; it is damaged, get it again")
    ends = np.cumsum(delays)
    times, duration = np.concatenate([[0.0], ends[:-1]]), float(ends[-1])
    _check_duration(name, duration, limits)
    varies = spacing_of(times, delays[0])[1]
    notes = () if whole else (f"damaged: only its first {len(delays)} frames are used",)
    info = VideoInfo(duration, size, len(times), len(times) / duration, 0, varies, kind, notes)
    return Animation(name, info, times, file)


def _delays(image: Image.Image) -> tuple[list[float], bool]:
    """Seconds that each frame is shown, and whether the file could be read to its end."""
    delays: list[float] = []
    while True:
        try:
            image.seek(len(delays))
        except EOFError:
            return delays, True
        except Exception:  # hostile bytes surface as any exception of a decoder
            return delays, False
        try:
            image.load()  # WebP knows a delay only then
        except Exception:
            return delays, False
        delay = float(image.info.get("duration", 0) or 0) / 1000
        delays.append(delay if delay > 0.010 else 0.1)


def _open(file: str | bytes) -> Image.Image:
    return Image.open(BytesIO(file) if isinstance(file, bytes) else file, formats=("GIF", "WEBP", "PNG", "AVIF"))


def _load(frame: Any, number: int, limits: Limits) -> Picture:
    try:
        return load_image(frame, limits)
    except MediaError as error:
        raise type(error)(f"frame {number} (counting from 0): {error}") from error


def _check_duration(name: str, duration: float, limits: Limits) -> None:
    if duration > limits.max_seconds:
        raise LimitError(
            f"{name} lasts {duration:,.0f} s, over the {limits.max_seconds:,.0f} s allowed; cut it or raise "
            "Limits.max_seconds"
        )


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", path.name)]
