"""A video file: opened safely, and indexed by one pass over its packets without decoding.

The index holds what a header cannot be trusted for: the true presentation time of each frame, where
decoding can begin, where a damaged file ends. Only known containers, codecs and the local file itself
are opened (a playlist cannot reach elsewhere). Files whose timestamps are missing or run backwards are
timed by their average rate, and say so. Decoding is in `decode`.
"""

import itertools
import tempfile
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition

from viewfinder.errors import LimitError, MediaError
from viewfinder.media.decode import decode_frames, decoder_of
from viewfinder.media.frames import Emit, VideoInfo, spacing_of
from viewfinder.media.packets import NO_TIME, PacketIndex, mark_of
from viewfinder.media.source import Limits, copy_source, describe_source, local_path

_OPTIONS = {
    "format_whitelist": (
        "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,ogg,h264,hevc,ivf,obu,mxf,nut,dv,rm,yuv4mpegpipe,mjpeg,mp3,wav,flac,aac,aiff,amr"
    ),
    "protocol_whitelist": "file",
    "codec_whitelist": (
        "h264,hevc,av1,libdav1d,vp8,vp9,libvpx,libvpx-vp9,mpeg1video,mpeg2video,mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4,h263,flv,wmv1,wmv2,wmv3,vc1,theora,mjpeg,prores,dnxhd,dvvideo,cinepak,ffv1,huffyuv,ffvhuff,utvideo,rawvideo,png,qtrle,aac,mp3,mp3float,ac3,eac3,opus,libopus,vorbis,flac,alac,wmav1,wmav2,amrnb,amrwb"
    ),
}


@dataclass
class VideoFile:
    """A `FrameSource` over one video file. Holds no open decoder; a spooled copy lives as long as it does."""

    name: str
    info: VideoInfo
    times: np.ndarray
    index: PacketIndex
    handle: "Handle"
    is_list: bool = False

    def read(self, indices: Sequence[int], size: tuple[int, int], emit: Emit) -> tuple[str, ...]:
        return decode_frames(self.handle.open, self.index, indices, size, self.info.rotation // 90, emit)


@dataclass(frozen=True)
class Handle:
    """How to open a file again and again, once per decoding thread."""

    name: str
    path: str | None = None
    data: bytes | None = None
    spool: IO[bytes] | None = None  # kept, because the file goes when this does

    def open(self) -> InputContainer:
        source = BytesIO(self.data) if self.data is not None else f"file:{self.path}"
        try:
            return av.open(source, "r", options=dict(_OPTIONS))
        except (FFmpegError, ValueError) as error:
            raise MediaError(
                f"{self.name} cannot be opened as a video ({_reason(error)}); it may be cut off, damaged or of an "
                "unknown kind, so check the file"
            ) from error


def open_handle(source: Any, limits: Limits) -> Handle:
    """Make a source openable repeatedly: files where they are, bytes in memory, pipes and URLs spooled to disk."""
    name = describe_source(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return Handle(name, data=bytes(source))
    path = local_path(source, limits)
    if path is not None and path.is_file():
        return Handle(name, path=str(path.absolute()))
    spool = tempfile.NamedTemporaryFile(prefix="viewfinder-")  # noqa: SIM115 - closed when the handle goes
    copy_source(source, spool, limits)
    spool.flush()
    return Handle(name, path=spool.name, spool=spool)


def open_video_file(handle: Handle, limits: Limits) -> VideoFile:
    """Index a video file and decode its first frame.

    Raises:
        LimitError: frames or duration over `limits`; nothing more was decoded.
        MediaError: no pictures in it, or none that can be decoded.
    """
    with handle.open() as container:
        stream = _picture_stream(container, handle.name)
        _check_codec(handle.name, stream.codec_context.name)
        _check_frame(handle.name, stream.codec_context.width, stream.codec_context.height, limits)
        announced = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        nominal = 1 / float(stream.average_rate or stream.guessed_rate or 25)
        origin = None if container.start_time is None else container.start_time / av.time_base
        codec, aspect = stream.codec_context.name, float(stream.sample_aspect_ratio or 1)
        scan = _scan(container, stream, handle.name)
    times, notes = _times(scan, nominal, origin)
    usual, varies = spacing_of(times, nominal)
    duration = float(times[-1]) + (scan.last_duration or usual)
    if duration > limits.max_seconds:
        raise LimitError(
            f"{handle.name} lasts {duration:,.0f} s, over the {limits.max_seconds:,.0f} s allowed; cut it or raise "
            "Limits.max_seconds"
        )
    if announced > duration + max(1.0, 2 * usual):
        notes += (f"announces {announced:.1f} s, but its pictures end at {duration:.1f} s",)
    rotation, stored = _first_frame(handle, scan.index)
    size = _square_pixels(stored, aspect if rotation % 180 == 0 else 1 / aspect)
    if size != stored:
        notes += (f"its pixels are not square: {stored[0]}x{stored[1]} shown as {size[0]}x{size[1]}",)
    fps = len(times) / max(duration - float(times[0]), 1e-6)
    info = VideoInfo(duration, size, len(times), fps, rotation, varies, codec, notes)
    return VideoFile(handle.name, info, times, scan.index, handle)


def _check_codec(name: str, codec: str) -> None:
    """FFmpeg holds the whitelist against decoders that it opens itself, and PyAV opens the stream's."""
    if codec not in _OPTIONS["codec_whitelist"].split(","):
        raise MediaError(f"{name} is coded as {codec}, which is not read here; convert it to H.264 in MP4")


def _check_frame(name: str, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise LimitError(
            f"{name} has frames of {width}x{height}, over the {limits.max_pixels:,} pixels allowed; make it smaller or "
            "raise Limits.max_pixels"
        )


def _square_pixels(size: tuple[int, int], aspect: float) -> tuple[int, int]:
    return max(1, round(size[0] * aspect)), size[1]


def _picture_stream(container: InputContainer, name: str) -> av.VideoStream:
    # A cover picture inside a sound file is a video stream too, with one packet and this mark.
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        what = "has sound but no pictures" if container.streams.audio else "has no pictures"
        raise MediaError(f"{name} {what}, expected a video; check the file")
    stream = max(streams, key=lambda s: (s.codec_context.width or 0) * (s.codec_context.height or 0))
    if not stream.codec_context.width or not stream.codec_context.height:
        raise MediaError(f"{name} does not say how large its frames are; it is cut off or damaged, get it again")
    return stream


@dataclass(frozen=True)
class _Scan:
    """What one pass over the packets found.

    Attributes:
        last_duration: of the last frame in seconds; 0 when the file does not say.
        decoding_clock: when frames are decoded, in units of time, where it is not known when they are shown.
    """

    index: PacketIndex
    last_duration: float
    notes: tuple[str, ...]
    decoding_clock: np.ndarray | None


def _scan(container: InputContainer, stream: av.VideoStream, name: str) -> _Scan:
    pts, dts, key, visible, marks = array("q"), array("q"), array("b"), array("b"), array("I")
    last_pts, last_duration = NO_TIME, 0
    notes: tuple[str, ...] = ()
    assert stream.time_base is not None, "FFmpeg gives every stream of pictures a unit of time"
    try:
        for packet in container.demux(stream):
            if not packet.size:
                continue
            at = NO_TIME if packet.pts is None else packet.pts
            pts.append(at)
            dts.append(NO_TIME if packet.dts is None else packet.dts)
            marks.append(mark_of(packet))
            key.append(packet.is_keyframe)
            visible.append(not packet.is_discard)
            if at > last_pts:
                last_pts, last_duration = at, packet.duration or 0
    except FFmpegError as error:
        notes = (f"damaged ({_reason(error)}): only what comes before is used",)
    if not any(visible):
        raise MediaError(f"{name} holds no frames; it is cut off or damaged, get it again")
    # AVI keeps no times of presentation, and what FFmpeg makes up for reordered pictures is often wrong.
    counted = container.format.name == "avi" and stream.codec_context.has_b_frames
    times = [NO_TIME] * len(pts) if counted else pts
    index = PacketIndex.build(times, key, visible, stream.index, stream.time_base, marks)
    steady = not index.ordered and all(a < b for a, b in itertools.pairwise(dts))
    clock = np.asarray(dts)[index.shown] if steady else None
    return _Scan(index, float(last_duration * stream.time_base), notes, clock)


def _times(scan: _Scan, nominal: float, origin: float | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Seconds of the original, per frame in the order of presentation."""
    index = scan.index
    if scan.decoding_clock is not None:
        note = "it has no presentation times: frames are counted in the order of the pictures, from the start"
        clock = scan.decoding_clock - scan.decoding_clock[0]
        return clock * float(index.time_base), (*scan.notes, note)
    if not index.ordered:
        note = f"its timestamps are missing or run backwards: frames are timed at {1 / nominal:.4g} a second"
        return np.arange(len(index.shown)) * nominal, (*scan.notes, note)
    seconds = index.shown_pts * float(index.time_base)
    return seconds - min(seconds[0] if origin is None else origin, seconds[0]), scan.notes


def _first_frame(handle: Handle, index: PacketIndex) -> tuple[int, tuple[int, int]]:
    """Rotation that makes frames upright, in degrees counter-clockwise, and their upright (width, height)."""
    with handle.open() as container:
        stream = container.streams[index.stream]
        assert isinstance(stream, av.VideoStream)
        try:
            decoder = decoder_of(stream)
            frame = next(frame for packet in container.demux(stream) for frame in _decoded(decoder, packet))
        except (FFmpegError, StopIteration) as error:
            raise MediaError(f"not one frame of {handle.name} can be decoded; it is damaged, get it again") from error
        rotation = round(frame.rotation / 90) * 90 % 360
        lying = rotation % 180 != 0
        return rotation, (frame.height, frame.width) if lying else (frame.width, frame.height)


def _decoded(decoder: av.VideoCodecContext, packet: av.Packet) -> list[av.VideoFrame]:
    return decoder.decode(packet if packet.size else None)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
