"""A long clip in windows: how it is cut, and how what was found in each becomes one answer.

A window is as long as the model's budget allows at the wanted frame rate; neighbours overlap, so that an
event at a cut is whole in one of them. Times are seconds of the original everywhere.

A clip of 100 s with windows of 40 s and an overlap of 10 s: 0-40, 30-70, 60-100.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from viewfinder.media.frames import VideoInfo
from viewfinder.media.resize import smart_resize
from viewfinder.outputs.spans import Span
from viewfinder.processor.settings import ProcessorSettings

OVERLAP = 0.15
"""Share of a window that it has in common with the next one."""


@dataclass(frozen=True)
class Window:
    """Seconds of the original clip."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


def window_seconds(info: VideoInfo, settings: ProcessorSettings, fps: float) -> float:
    """The longest stretch whose frames at `fps` fit the budget at the least frame size, seconds."""
    width, height = info.size
    least = smart_resize(height, width, settings.factor, settings.video_min_pixels, settings.video_max_pixels)
    if least[0] * least[1] > settings.video_min_pixels:
        scale = math.sqrt(settings.video_min_pixels / (least[0] * least[1]))
        least = tuple(max(settings.factor, int(side * scale)) for side in least)
    frames = min(settings.max_frames, 2 * (settings.total_pixels // (least[0] * least[1])))
    return max(frames, 2) / fps


def cut(duration: float, length: float, overlap: float = OVERLAP) -> list[Window]:
    """Windows of at most `length` seconds that cover all of `duration`; one when it fits."""
    if duration <= length:
        return [Window(0.0, duration)]
    count = math.ceil((duration - length) / (length * (1 - overlap)) - 1e-9) + 1
    step = (duration - length) / (count - 1)
    return [Window(i * step, min(duration, i * step + length)) for i in range(count)]


def merged(spans: Sequence[Span], gap: float) -> list[Span]:
    """Join spans of one label that overlap or lie within `gap` seconds; in order of time.

    The joined span has the union of the evidence and the highest confidence: a second window that saw the
    same event does not make it less sure.
    """
    result: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.label, span.start, span.end)):
        last = result[-1] if result else None
        if last is None or last.label != span.label or span.start > last.end + gap:
            result.append(span)
            continue
        sure = [c for c in (last.confidence, span.confidence) if c is not None]
        result[-1] = dataclasses.replace(
            last,
            end=max(last.end, span.end),
            confidence=max(sure, default=None),
            evidence=tuple(sorted({*last.evidence, *span.evidence})),
            clamped=last.clamped or span.clamped,
        )
    return sorted(result, key=lambda span: (span.start, span.end))
