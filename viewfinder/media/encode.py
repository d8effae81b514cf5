"""Pictures and clips as files that do not depend on the processor, and whose hash does not depend on the encoder.

Two things in encoding H.264 follow the processor unless they are told not to:

- x264's macroblock tree. Its AVX-512 code takes eight macroblocks at a time, so in a frame whose width is not a
  multiple of 128 pixels it reads past the end of the last row, into memory that nobody has written: one clip then
  gives several streams within one process. `cpu-independent` takes the portable code in its place.
- swscale's conversion from RGB, which rounds differently in SIMD code unless asked to be accurate.

The number of threads is fixed too: it bounds motion vectors. Other versions of the encoders may still write other
bytes, so an `Encoded` file carries the hash of what was drawn.
"""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import av
import numpy as np
from PIL import Image

_X264 = {"threads": "1", "x264-params": "cpu-independent=1"}
_ACCURATE: Any = 2 | 0x40000 | 0x80000  # BILINEAR, ACCURATE_RND, BITEXACT of swscale; PyAV names all three since 18


class Encoded(bytes):
    """A file that this program made; `drawn` is the hash of the pixels and settings that it was made from."""

    drawn: str

    def __new__(cls, data: bytes, drawn: str = "") -> "Encoded":
        made = super().__new__(cls, data)
        made.drawn = drawn
        return made


def content_hash(data: bytes) -> str:
    """SHA-256 of what was drawn for an `Encoded` file, of the bytes for any other; hexadecimal."""
    return data.drawn if isinstance(data, Encoded) else hashlib.sha256(data).hexdigest()


def encode_picture(image: Image.Image, format: str = "PNG", **options: Any) -> Encoded:
    """A picture as a file of a format that Pillow writes, with Pillow's options for it."""
    sink = io.BytesIO()
    image.save(sink, format, **options)
    drawn = hashlib.sha256(repr((image.mode, image.size)).encode())
    if not (format == "PNG" or options.get("lossless")):
        drawn.update(repr((format, sorted(options.items()))).encode())
    drawn.update(image.tobytes())
    return Encoded(sink.getvalue(), drawn.hexdigest())


def encode_clip(frames: Iterable[Image.Image], fps: int, **options: str) -> Encoded:
    """An MP4 file in H.264; frame k is shown at `k / fps` seconds. Options as in `write_clip`."""
    sink = io.BytesIO()
    drawn = write_clip(sink, frames, fps, **options)
    return Encoded(sink.getvalue(), drawn)


def write_clip(sink: str | Path | IO[bytes], frames: Iterable[Image.Image], fps: int, **options: str) -> str:
    """Write an MP4 file in H.264 and return the hash of its frames, rate and options.

    Args:
        sink: a path, or a file open for writing that can seek.
        frames: pictures of one size, even in width and height.
        fps: frames per second.
        options: x264's, as FFmpeg names them: `crf="20"`, `preset="veryfast"`.
    """
    drawn = hashlib.sha256(repr((fps, sorted(options.items()))).encode())
    with av.open(str(sink) if isinstance(sink, str | Path) else sink, "w", format="mp4") as container:
        stream: Any = None
        for image in frames:
            stream = stream or add_video(container, fps, image.size, options)
            drawn.update(repr((image.mode, image.size)).encode() + image.tobytes())
            container.mux(stream.encode(to_yuv(np.asarray(image.convert("RGB")))))
        assert stream is not None, "a clip has at least one frame"
        container.mux(stream.encode(None))
    return drawn.hexdigest()


def add_video(
    container: Any, fps: int, size: tuple[int, int], options: dict[str, str] | None = None, codec: str = "libx264"
) -> Any:
    """A video stream of YUV 4:2:0 in a container opened for writing; give it frames of `to_yuv`.

    Every encoder of this repository is made here, so that none follows the processor.
    """
    stream = container.add_stream(codec, rate=fps, options={**(options or {}), **(_X264 if codec == "libx264" else {})})
    stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
    return stream


def to_yuv(pixels: np.ndarray) -> av.VideoFrame:
    """uint8 RGB (height, width, 3) as a frame for `add_video`, rounded alike on every processor."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    return frame.reformat(format="yuv420p", interpolation=_ACCURATE)
