"""Decode chosen frames of a video file at the least cost, side by side on all cores.

Frames are found by their timestamp, never by counting. For each wanted frame the index says at which
keyframe decoding must begin; wanted frames are joined into runs where reading on is cheaper than seeking,
so dense sampling decodes forward and sparse sampling jumps. Frames that no other depends on and
nobody wants are not decoded. Each thread has its own decoder; memory does not grow with length.

Wanted frames w under keyframes K, one packet per letter: `K..w...K......K.w` becomes the runs `K..w` and `K.w`.
"""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError

from viewfinder.media.frames import Emit
from viewfinder.media.packets import PacketIndex, mark_of
from viewfinder.media.scale import FrameScaler

Open = Callable[[], InputContainer]

_SEEK_PACKETS = 8  # reading on over so many packets costs about as much as a seek
_SCALE_PACKETS = 4  # and scaling a frame as much as decoding so many
_MAX_WORKERS = 8
_DROPPABLE = ("h264", "mpeg4", "mpeg2video", "mpeg1video")  # whose unreferenced frames truly are
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
_MOST_UNKNOWN = 300  # packets to pass over after a seek before it counts as a miss
_STEPS_BACK = (0.0, 1.0, 4.0, 16.0)  # seconds, for containers that seek only roughly


@dataclass(frozen=True)
class Run:
    """Packets `first` to `last` in decoding order, to be decoded in one go for the frames `wanted`.

    `wanted` holds numbers of frames in the order of presentation, ascending.
    """

    first: int
    last: int
    wanted: tuple[int, ...]

    @property
    def cost(self) -> int:
        """In decoded packets."""
        return self.last - self.first + 1 + _SCALE_PACKETS * len(self.wanted)


def decode_frames(
    open_container: Open, index: PacketIndex, indices: Sequence[int], size: tuple[int, int], turns: int, emit: Emit
) -> tuple[str, ...]:
    """Emit each of `indices` (frames in the order of presentation, ascending, repeats allowed) at `size`.

    A frame that cannot be decoded is replaced by the one decoded before it, and said so in the notes; where
    there is none, its position is never emitted.
    """
    slots: dict[int, list[int]] = {}
    for slot, i in enumerate(indices):
        slots.setdefault(i, []).append(slot)
    cores = os.cpu_count() or 1
    if index.ordered:
        shares = split_evenly(runs_by_keyframe(index, sorted(slots)), min(cores, _MAX_WORKERS))
    else:
        shares = [[Run(0, len(index.pts) - 1, tuple(sorted(slots)))]]
    threads = max(1, cores // len(shares))

    def work(share: list[Run]) -> int:
        scaler = FrameScaler(size, turns)
        with _Decoder(open_container, index, threads) as decoder:
            replaced = 0
            for i, frame, exact in decoder.frames(share):
                pixels = scaler(frame)
                for slot in slots[i]:
                    emit(slot, pixels)
                replaced += not exact
            return replaced

    with ThreadPoolExecutor(len(shares)) as pool:
        replaced = sum(pool.map(work, shares))
    return (f"{replaced} frames could not be decoded; the ones before stand in for them",) if replaced else ()


def runs_by_keyframe(index: PacketIndex, wanted: Sequence[int]) -> list[Run]:
    """The wanted frames grouped by the keyframe that decoding them must begin at."""
    keys = np.flatnonzero(index.key)
    runs: list[Run] = []
    for i in wanted:
        packet = int(index.shown[i])
        k = int(np.searchsorted(keys, packet, side="right")) - 1
        while k >= 0 and index.pts[keys[k]] > index.pts[packet]:  # shown before the keyframe it follows
            k -= 1
        first = int(keys[k]) if k >= 0 else 0
        if runs and runs[-1].first == first:
            runs[-1] = Run(first, max(runs[-1].last, packet), (*runs[-1].wanted, i))
        else:
            runs.append(Run(first, packet, (i,)))
    return runs


def split_evenly(runs: Sequence[Run], parts: int) -> list[list[Run]]:
    """At most `parts` consecutive shares of about equal cost, neighbours within a share joined."""
    total = sum(run.cost for run in runs)
    shares: list[list[Run]] = [[] for _ in range(parts)]
    spent = 0
    for run in runs:
        shares[min(parts - 1, (spent + run.cost // 2) * parts // total)].append(run)
        spent += run.cost
    return [join_near(share) for share in shares if share]


def join_near(runs: Sequence[Run]) -> list[Run]:
    """Join runs whose gap is cheaper to read over than to seek across."""
    joined: list[Run] = []
    for run in runs:
        if joined and run.first - joined[-1].last <= _SEEK_PACKETS:
            before = joined[-1]
            joined[-1] = Run(before.first, max(before.last, run.last), before.wanted + run.wanted)
        else:
            joined.append(run)
    return joined


class _Decoder:
    """One open file with its decoder, for one thread."""

    def __init__(self, open_container: Open, index: PacketIndex, threads: int) -> None:
        self._open_container = open_container
        self._index = index
        self._threads = threads
        self._fresh = False
        self._reopen()

    def __enter__(self) -> "_Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def frames(self, runs: Sequence[Run]) -> Iterator[tuple[int, av.VideoFrame, bool]]:
        """Each wanted frame that can be had, with its number, and whether it is that very one."""
        for run in runs:
            match = self._by_time if self._index.ordered else self._by_count
            yield from match(run)

    def _by_time(self, run: Run) -> Iterator[tuple[int, av.VideoFrame, bool]]:
        pts = self._index.shown_pts
        latest: av.VideoFrame | None = None
        at = 0
        for frame in self._decode(run):
            if frame.pts is None:
                continue
            while at < len(run.wanted) and frame.pts > pts[run.wanted[at]]:
                yield run.wanted[at], latest or frame, False
                at += 1
            if at < len(run.wanted) and frame.pts == pts[run.wanted[at]]:
                yield run.wanted[at], frame, True
                at += 1
            latest = frame
        if latest is not None:
            for i in run.wanted[at:]:
                yield i, latest, False

    def _by_count(self, run: Run) -> Iterator[tuple[int, av.VideoFrame, bool]]:
        latest: av.VideoFrame | None = None
        at = 0
        for number, frame in enumerate(self._decode(run)):
            if number == run.wanted[at]:
                yield number, frame, True
                at += 1
                if at == len(run.wanted):
                    return
            latest = frame
        if latest is not None:
            for i in run.wanted[at:]:
                yield i, latest, False

    def _decode(self, run: Run) -> Iterator[av.VideoFrame]:
        """The frames of a run in the order of presentation; packets that cannot be decoded are passed over."""
        decoder = self._decoder
        droppable = self._index.ordered and decoder.name in _DROPPABLE
        wanted = {int(self._index.shown[i]) for i in run.wanted}
        for position, packet in self._packets(run.first):
            if droppable:
                decoder.skip_frame = "DEFAULT" if position in wanted else "NONREF"
            try:
                yield from decoder.decode(packet)
            except FFmpegError:
                continue
            if position >= run.last:
                break
        try:
            yield from decoder.decode(None)  # what it still holds back for reordering
        except FFmpegError:
            return

    def _packets(self, first: int) -> Iterator[tuple[int, av.Packet]]:
        """Packets from position `first` on, with their positions."""
        position, packets = self._land(first)
        self._fresh = False
        for packet in packets:
            if not packet.size:
                return
            if position >= first:
                yield position, packet
            position += 1

    def _land(self, first: int) -> tuple[int, Iterator[av.Packet]]:
        """Get to `first` or somewhere before it: the position and the packets from there."""
        self._decoder.flush_buffers()
        if self._fresh and first < _SEEK_PACKETS:
            return 0, self._container.demux(self._stream)
        if self._index.ordered:
            for seconds in _STEPS_BACK:
                offset = int(self._index.pts[first]) - int(seconds / self._index.time_base)
                try:
                    self._container.seek(offset, stream=self._stream)
                    landed = self._known(self._container.demux(self._stream), first)
                except (FFmpegError, StopIteration):
                    break
                if landed is not None:
                    return landed
        self._container.close()
        self._reopen()
        return 0, self._container.demux(self._stream)

    def _known(self, packets: Iterator[av.Packet], first: int) -> tuple[int, Iterator[av.Packet]] | None:
        """Pass over packets until one is known by time and content; None where that is not before `first`."""
        for packet in itertools.islice(packets, _MOST_UNKNOWN):
            position = self._index.position(packet.pts, mark_of(packet)) if packet.size else None
            if position is not None:
                return (position, itertools.chain([packet], packets)) if position <= first else None
        return None

    def _reopen(self) -> None:
        self._container = self._open_container()
        stream = self._container.streams[self._index.stream]
        assert isinstance(stream, av.VideoStream)
        self._stream, self._decoder = stream, decoder_of(stream)
        self._decoder.thread_type = "AUTO"
        self._decoder.thread_count = self._threads
        self._fresh = True


def decoder_of(stream: av.VideoStream) -> av.VideoCodecContext:
    """The stream's own decoder; for VP8 and VP9 with an alpha plane, which FFmpeg's own drop, that of libvpx."""
    library = _WITH_ALPHA.get(stream.codec_context.name)
    tags = {key.lower(): value for key, value in stream.metadata.items()}  # writers differ in case
    if library is None or tags.get("alpha_mode") != "1":
        return stream.codec_context
    decoder = av.CodecContext.create(library, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = stream.codec_context.extradata
    return decoder
