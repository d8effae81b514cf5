"""The index of a video stream: when each frame is shown, and where decoding can begin. Made of numbers only."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import av
import numpy as np

NO_TIME = -(2**63)
"""Stands for a missing timestamp."""

_MARKED = 64  # bytes: with the picture header, whose counter differs from its neighbors'
_REORDERING = 10.0  # seconds; frames are never reordered by as much, so a larger step back is a clock that was reset


@dataclass(frozen=True)
class PacketIndex:
    """The packets of one stream, in decoding order.

    A stream I P B (decoded I, P, B; shown I, B, P) at 10 frames a second has pts [0, 200, 100] with
    time_base 1/1000, key [True, False, False] and shown [0, 2, 1].

    Attributes:
        pts: timestamps in units of `time_base`.
        key: whether decoding can begin there.
        shown: positions of the packets that are shown, in the order of presentation.
        marks: a checksum of each packet's beginning and size. After a seek into an MPEG program stream packets
            come with the times of their neighbors, so a time alone does not tell which packet it is.
        ordered: whether timestamps are there, distinct and never reset; if not, `shown` is the order of
            decoding and `pts` means nothing.
        stream: its number in the container.
        time_base: seconds per unit.
    """

    pts: np.ndarray
    key: np.ndarray
    shown: np.ndarray
    ordered: bool
    stream: int
    time_base: Fraction
    marks: np.ndarray

    @classmethod
    def build(
        cls,
        pts: Sequence[int],
        key: Sequence[int],
        visible: Sequence[int],
        stream: int,
        time_base: Fraction,
        marks: Sequence[int] = (),
    ) -> "PacketIndex":
        """Index packets; `NO_TIME` in `pts` stands for a missing timestamp, `visible` is False for hidden frames."""
        times = np.asarray(pts, dtype=np.int64)
        shown = np.flatnonzero(np.asarray(visible, dtype=bool))
        back = np.maximum.accumulate(times[shown]) - times[shown]
        ordered = bool(
            (times[shown] != NO_TIME).all()
            and len(np.unique(times[shown])) == len(shown)
            and back.max(initial=0) * time_base < _REORDERING
        )
        if ordered:
            shown = shown[np.argsort(times[shown], kind="stable")]
        key_array, mark_array = np.asarray(key, dtype=bool), np.asarray(marks, dtype=np.uint32)
        return cls(times, key_array, shown, ordered, stream, time_base, mark_array)

    @cached_property
    def shown_pts(self) -> np.ndarray:
        """Timestamps in the order of presentation."""
        return self.pts[self.shown]

    def position(self, pts: int | None, mark: int | None = None) -> int | None:
        """Where in decoding order the packet with this timestamp is; None when there is none, or its mark differs."""
        if pts is None:
            return None
        found = np.flatnonzero(self.pts == pts)
        if not len(found) or (mark is not None and self.marks[found[0]] != mark):
            return None
        return int(found[0])


def mark_of(packet: av.Packet) -> int:
    """The checksum that `PacketIndex.marks` holds of a packet."""
    return zlib.crc32(memoryview(packet)[:_MARKED], packet.size)
