"""Make the films that `bench/video.py` reads: a moving 120 s one, and mostly static ones with planted events.

An event is a colored square with a black border that stands for four seconds. Kept outside git; made once.
"""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from viewfinder.media.encode import add_video, to_yuv

WIDTH, HEIGHT = 1280, 720
EVENT_SECONDS = 4.0
_GOP = 250
_STILL = {"preset": "ultrafast", "crf": "30", "g": str(_GOP), "sc_threshold": "0"}


def moving(path: Path, seconds: float, fps: int) -> None:
    """A square that crosses a mosaic, encoded as phones and screen recorders do (B-frames, long GOPs)."""
    background = _mosaic()
    unfinished = path.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as container:
        stream = add_video(container, fps, (WIDTH, HEIGHT), {"preset": "veryfast", "crf": "28"})
        for i in range(int(seconds * fps)):
            pixels = background.copy()
            x, y = i * 7 % (WIDTH - 160), i * 3 % (HEIGHT - 160)
            pixels[y : y + 160, x : x + 160] = (i % 256, 255 - i % 256, i * 5 % 256)
            container.mux(stream.encode(to_yuv(pixels)))
        container.mux(stream.encode())
    unfinished.rename(path)


def surveillance(path: Path, seconds: float, fps: int, events: int) -> list[tuple[float, float]]:
    """A still scene in which `events` squares appear, evenly spread; their (start, end) in seconds are returned.

    Each GOP is encoded by itself and those without an event are the same bytes again, so that hours take
    seconds to make.
    """
    spans = event_spans(seconds, events)
    scenes = [to_yuv(_scene(k)) for k in range(events)]
    still = to_yuv(_mosaic())
    unfinished = path.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as container:
        stream = add_video(container, fps, (WIDTH, HEIGHT), _STILL)
        empty: list[av.Packet] | None = None
        for start in range(0, int(seconds * fps), _GOP):
            moments = [(start + i) / fps for i in range(_GOP)]
            present = [next((k for k, (a, b) in enumerate(spans) if a <= t < b), None) for t in moments]
            if any(k is not None for k in present):
                packets = _encode_gop([still if k is None else scenes[k] for k in present], fps)
            else:
                empty = packets = empty or _encode_gop([still] * _GOP, fps)
            for packet in packets:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts, copy.time_base = packet.pts + start, packet.dts + start, packet.time_base
                copy.is_keyframe, copy.stream = packet.is_keyframe, stream
                container.mux(copy)
    unfinished.rename(path)
    return spans


def _encode_gop(pictures: list[av.VideoFrame], fps: int) -> list[av.Packet]:
    with av.open(io.BytesIO(), "w", format="mp4") as unwritten:
        encoder = add_video(unwritten, fps, (WIDTH, HEIGHT), _STILL)
        packets = []
        for i, picture in enumerate(pictures):
            picture.pts, picture.time_base = i, Fraction(1, fps)
            packets += encoder.encode(picture)
        return packets + encoder.encode(None)


def event_spans(seconds: float, events: int) -> list[tuple[float, float]]:
    """(start, end) of each planted event, seconds."""
    starts = [(k + 0.37) * seconds / events for k in range(events)]
    return [(start, start + EVENT_SECONDS) for start in starts]


def _scene(k: int) -> np.ndarray:
    pixels = _mosaic()
    x, y = 40 + 97 * k % (WIDTH - 280), 40 + 61 * k % (HEIGHT - 280)
    pixels[y : y + 200, x : x + 200] = 0
    pixels[y + 10 : y + 190, x + 10 : x + 190] = (50 + 5 * k % 200, 250 - 6 * k % 240, 37 * k % 256)
    return pixels


def _mosaic() -> np.ndarray:
    tiles = np.random.default_rng(0).integers(60, 200, (HEIGHT // 40, WIDTH // 40, 3), dtype=np.uint8)
    return np.kron(tiles, np.ones((40, 40, 1), np.uint8))
