"""Small films for the tests: each frame carries its number as a row of black and white blocks."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from viewfinder.media.encode import add_video, to_yuv

BITS = 10
TICKS = 90_000


def numbered(number: int, width: int = 320, height: int = 240) -> np.ndarray:
    """uint8 (height, width, 3): the number in binary across the upper half, least bit left; grey below."""
    pixels = np.full((height, width, 3), 128, dtype=np.uint8)
    block = width // BITS
    for bit in range(BITS):
        pixels[: height // 2, bit * block : (bit + 1) * block] = 255 * (number >> bit & 1)
    return pixels


def number_of(frame: np.ndarray) -> int:
    """What `numbered` wrote, read back from a frame of any size."""
    height, width = frame.shape[:2]
    centres = ((np.arange(BITS) + 0.5) * (width // BITS * 1.0 if width % BITS == 0 else width / BITS)).astype(int)
    row = frame[height // 4 - 3 : height // 4 + 3].mean((0, 2))
    return sum(1 << bit for bit, x in enumerate(centres) if row[x - 2 : x + 3].mean() > 128)


def numbers_of(frames: np.ndarray) -> list[int]:
    return [number_of(frame) for frame in frames]


def write_film(
    path: Path,
    times: Sequence[float],
    *,
    options: dict[str, str] | None = None,
    size: tuple[int, int] = (320, 240),
    codec: str = "libx264",
    rotation: int = 0,
    time_base: Fraction = Fraction(1, TICKS),
    sound: bool = False,
    container_options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """A film whose frame k is shown at `times[k]` seconds (the last for 1/30 s)."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = add_video(container, 30, size, options or {"preset": "ultrafast", "g": "12", "crf": "20"}, codec)
        stream.codec_context.time_base = time_base
        if rotation:
            stream.set_display_rotation(rotation)
        if aspect:
            stream.sample_aspect_ratio = aspect
        audio = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for k, time in enumerate(times):
            frame = to_yuv(numbered(k, *size))
            frame.pts, frame.time_base = round(time / time_base), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if audio:
            _silence(container, audio, int(times[-1] * 16000))
    return path


def write_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        _silence(container, container.add_stream("aac", rate=16000, layout="mono"), 16000)
    return path


def _silence(container: av.container.OutputContainer, stream: av.AudioStream, samples: int) -> None:
    for start in range(0, samples, 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
