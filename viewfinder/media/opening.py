"""Find out what kind of clip a source is: a video file, an animation, or pictures in a list or directory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from viewfinder.errors import MediaError
from viewfinder.media.container import Handle, open_handle, open_video_file
from viewfinder.media.frames import FrameSource
from viewfinder.media.source import DEFAULT_LIMITS, Limits, describe_source
from viewfinder.media.stills import frames_of_array, open_animation, open_directory, open_frames

_HEAD = 32


def open_video(
    source: Any,
    *,
    sample_fps: float | None = None,
    frame_times: Sequence[float] | None = None,
    value_range: tuple[float, float] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> FrameSource:
    """Open and index a clip; sources and errors as in `plan_video`, which takes the result as a source too."""
    if hasattr(source, "__array__") and hasattr(source, "shape"):
        source = list(frames_of_array(source, value_range))
    elif value_range is not None:
        raise MediaError("value_range is given, and the frames are no array; leave it out")
    if isinstance(source, (list, tuple)):
        return open_frames(source, sample_fps, frame_times, limits)
    if isinstance(source, (str, Path)) and _is_directory(source):
        if not limits.allow_files:
            raise MediaError(f"{describe_source(source)} is a directory, and files may not be named here")
        return open_directory(Path(source), sample_fps, frame_times, limits)
    if not isinstance(source, (str, Path)) and all(hasattr(source, name) for name in ("times", "read", "info")):
        return source
    handle = open_handle(source, limits)
    head = _head(handle)
    if head[:4] == b"GIF8" or head[8:12] == b"WEBP" or head[:8] == b"\x89PNG\r\n\x1a\n" or head[4:12] == b"ftypavis":
        file = handle.path or handle.data
        assert file is not None, "a handle has a path or the bytes"
        return open_animation(file, handle.name, limits)
    if head[:3] == b"\xff\xd8\xff" or head[:2] in (b"BM", b"II", b"MM"):
        raise MediaError(f"{handle.name} is a still picture, expected a video; give it as an image")
    return open_video_file(handle, limits)


def _is_directory(source: str | Path) -> bool:
    try:
        return Path(source).is_dir()
    except (OSError, ValueError):  # a name that no file system takes, such as a long data: URI
        return False


def _head(handle: Handle) -> bytes:
    if handle.data is not None:
        return handle.data[:_HEAD]
    assert handle.path is not None
    try:
        with Path(handle.path).open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise MediaError(f"{handle.name} cannot be read ({error.strerror}); check its permissions") from error
