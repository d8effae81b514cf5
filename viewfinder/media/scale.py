"""Decoded frames to small upright RGB at once, so that no full-size frame outlives its turn.

The filter is the one of the still pictures (Catmull-Rom with antialiasing, as Pillow's bicubic) run by
FFmpeg, which is several times faster; the pixels differ from Pillow's by at most a few levels. Frames with
transparency go through Pillow, on white. Not for two threads at once: each makes its own.
"""

import itertools
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.plane import VideoPlane
from PIL import Image

# Catmull-Rom; one thread, because the decoder's chunks run side by side already.
_FLAGS = "bicubic+accurate_rnd:param0=0:param1=0.5:threads=1"


_ANY_CLOCK = Fraction(1, 1000)  # the graph wants one; frames pass singly, so it is never looked at


class FrameScaler:
    """Turns decoded frames into uint8 (height, width, 3) of one size.

    `size` is the upright result's (width, height); `quarter_turns` counter-clockwise make a frame upright.
    """

    def __init__(self, size: tuple[int, int], quarter_turns: int = 0) -> None:
        self._quarter_turns = quarter_turns % 4
        self._size = (size[1], size[0]) if self._quarter_turns % 2 else size
        self._graphs: dict[tuple[int, int, str], Graph] = {}

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        if _has_alpha(frame):
            pixels = _on_white(frame, self._size)
        else:
            pixels = self._scale(frame)
        return np.rot90(pixels, self._quarter_turns) if self._quarter_turns else pixels

    def _scale(self, frame: av.VideoFrame) -> np.ndarray:
        # A stream may change its size or format halfway, and a graph is built for one of each.
        key = (frame.width, frame.height, frame.format.name)
        if key not in self._graphs:
            self._graphs[key] = _graph(frame, self._size)
        graph = self._graphs[key]
        # RGB first, as in the reference: scaling subsampled color smears its edges.
        graph.push(_relabelled(frame.reformat(format="gbrp"), "yuv444p"))
        scaled = graph.pull()
        assert isinstance(scaled, av.VideoFrame)
        return _relabelled(scaled, "gbrp").to_ndarray(format="rgb24")


def _graph(frame: av.VideoFrame, size: tuple[int, int]) -> Graph:
    graph = Graph()
    chain = [
        graph.add_buffer(width=frame.width, height=frame.height, format=VideoFormat("yuv444p"), time_base=_ANY_CLOCK),
        graph.add("scale", f"{size[0]}:{size[1]}:flags={_FLAGS}"),
        graph.add("buffersink"),
    ]
    for source, target in itertools.pairwise(chain):
        source.link_to(target)
    graph.configure()
    return graph


def _relabelled(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    """The same three planes under another format's name.

    FFmpeg would turn RGB into YUV and back around the scaling; told that the planes are Y, U and V, it scales
    each as it is, which is exact and twice as fast.
    """
    copy = av.VideoFrame(frame.width, frame.height, name)
    for source, target in zip(frame.planes, copy.planes, strict=True):
        _rows(target, frame)[:] = _rows(source, frame)
    return copy


def _rows(plane: VideoPlane, frame: av.VideoFrame) -> np.ndarray:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]


def _has_alpha(frame: av.VideoFrame) -> bool:
    name = frame.format.name
    return name == "pal8" or name.startswith(("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16"))


def _on_white(frame: av.VideoFrame, size: tuple[int, int]) -> np.ndarray:
    rgba = Image.fromarray(frame.to_ndarray(format="rgba"))
    white = Image.new("RGB", rgba.size, (255, 255, 255))
    white.paste(rgba, mask=rgba.getchannel("A"))
    return np.asarray(white.resize(size, Image.Resampling.BICUBIC))
