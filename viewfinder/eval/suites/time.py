"""Time: when something happens, over frame rates, lengths, and clips whose frames are not evenly spaced."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from viewfinder.data.synth.clips import EventClip, make_clip
from viewfinder.data.synth.fonts import find_families
from viewfinder.eval.answer_format import span
from viewfinder.eval.drawn import suite, when
from viewfinder.eval.question import Question
from viewfinder.eval.scores import span_overlap
from viewfinder.messages import VideoPart

RATES = (0.5, 1.0, 2.0, 4.0)
LENGTHS = {"short": (4.0, 7.0), "long": (12.0, 16.0)}
EACH = 3


def questions(_: Any) -> Iterator[Question]:
    rng = np.random.default_rng(20261127)
    families = find_families(held_out=True)
    for length, seconds in LENGTHS.items():
        for rate in (*RATES, "variable"):
            for i in range(EACH):
                clip = make_clip(rng, (112, 84), seconds, families, pairs="held_out")
                times = _times(rng, clip, rate)
                frames = [clip.frame_at(t) for t in times]
                video = VideoPart(video=frames, frame_times=times)
                yield when(f"{length}/{rate}/{i}", video, clip, {"fps": str(rate), "length": length})


def _times(rng: np.random.Generator, clip: EventClip, rate: Any) -> tuple[float, ...]:
    """Evenly at a rate; "variable" is four frames a second, then one, as phones slow down in the dark."""
    if rate == "variable":
        half = clip.duration / 2
        times = [*np.arange(0, half, 0.25), *np.arange(half, clip.duration, 1.0)]
        return tuple(round(float(t), 3) for t in times[: len(times) // 2 * 2])
    count = max(2, int(clip.duration * rate) // 2 * 2)
    return tuple(i / rate for i in range(count))


TASKS = (
    suite(
        "time",
        "Time: one event, mean temporal IoU",
        questions,
        span,
        span_overlap,
        max_new_tokens=48,
    ),
)
