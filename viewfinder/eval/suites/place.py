"""Place and time: boxes and points over sizes and shapes of pictures and of things; when something happens, over frame
rates, lengths, and clips whose frames are not evenly spaced."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from viewfinder.data.synth.clips import EventClip, make_clip
from viewfinder.data.synth.fonts import find_families
from viewfinder.data.synth.queries import thing_label
from viewfinder.data.synth.scene import Scene
from viewfinder.eval.answer_format import box, point, span
from viewfinder.eval.drawn import scene, suite, when, where, where_point
from viewfinder.eval.question import Question
from viewfinder.eval.scores import inside, overlap, span_overlap
from viewfinder.eval.task import Scored
from viewfinder.messages import VideoPart

PICTURES = {
    "112 square": (112, 112),
    "wide 2:1": (168, 84),
    "tall 1:2": (84, 168),
    "224 square": (224, 224),
    "448 wide": (448, 336),
}
THINGS = {"small": (0.12, 0.2), "middle": (0.25, 0.35), "large": (0.45, 0.6)}
EACH = 4
RATES = (0.5, 1.0, 2.0, 4.0)
LENGTHS = {"short": (4.0, 7.0), "long": (12.0, 16.0)}


def _cases(seed: int) -> Iterator[tuple[str, Scene, dict[str, str]]]:
    rng = np.random.default_rng(seed)
    for picture, size in PICTURES.items():
        for thing_size, bounds in THINGS.items():
            for i in range(EACH):
                made = scene(rng, size, thing_size=bounds)
                tags = {"picture": picture, "thing": thing_size, "label": thing_label(made.things[0])}
                yield f"{picture}/{thing_size}/{i}", made, tags


def boxes(_: Any) -> Iterator[Question]:
    for id, made, tags in _cases(20261125):
        yield where(id, made.image, f"the {tags['label']}", made.things[0].box, tags)


def points(_: Any) -> Iterator[Question]:
    for id, made, tags in _cases(20261126):
        yield where_point(id, made.image, f"the {tags['label']}", made.things[0].box, tags)


def box_total(scored: Sequence[Scored]) -> dict[str, float]:
    """Boxes that overlap by a half, and by three quarters, and the mean overlap, percent."""
    if not scored:
        return {"score": 0.0}
    values = [s.value for s in scored]
    shares = {f"IoU {t}": 100 * sum(v >= t for v in values) / len(values) for t in (0.5, 0.75)}
    return {"score": shares["IoU 0.5"], **shares, "mean IoU": 100 * sum(values) / len(values)}


def times(_: Any) -> Iterator[Question]:
    rng = np.random.default_rng(20261127)
    families = find_families(held_out=True)
    for length, seconds in LENGTHS.items():
        for rate in (*RATES, "variable"):
            for i in range(3):
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
    suite("boxes", "Place: one box, IoU of a half", boxes, box, overlap, total=box_total, max_new_tokens=96),
    suite("points", "Place: one point, inside the thing", points, point, inside, max_new_tokens=96),
    suite("time", "Time: one event, mean temporal IoU", times, span, span_overlap, max_new_tokens=48),
)
