"""Clips of the studies of time: one short event in a clip of any length, and how frames are picked from it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from viewfinder.chat.windows import cut
from viewfinder.data.synth.clips import EventClip, make_clip
from viewfinder.data.synth.fonts import find_families
from viewfinder.eval.answer_format import span
from viewfinder.eval.question import Question
from viewfinder.eval.scores import span_overlap
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.messages import VideoPart, user
from viewfinder.outputs import prompts

SIZE = (112, 112)
SEED = 20_261_129
"""Of no training run; events and fonts are the held-out ones."""

Times = tuple[float, ...]
"""Seconds of the frames, an even number of them."""


def clip(number: int, seconds: float) -> EventClip:
    """Clip `number` of a length: an event of 1 to 6 seconds, anywhere in it; in another length the same event."""
    rng = np.random.default_rng((SEED, number))
    short = make_clip(rng, SIZE, (10.0, 10.0), find_families(held_out=True), pairs="held_out")
    before = round(float(rng.uniform(0, max(0.0, seconds - 10.0))), 1)
    return replace(
        short,
        start=short.start + before,
        end=short.end + before,
        duration=max(seconds, 10.0),
        scene_at=lambda time: short.scene_at(time - before),
    )


def even(seconds: float, fps: float) -> Times:
    return tuple(i / fps for i in range(max(2, int(seconds * fps) // 2 * 2)))


def changes(made: EventClip, fps: float, side: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """Times at a rate, and by how much the picture differs from the one before (mean of small pictures, by color)."""
    times = np.arange(0, made.duration, 1 / fps)
    before, found = None, []
    for time in times:
        now = np.asarray(made.frame_at(float(time)).resize((side, side)), np.int16)
        found.append(0.0 if before is None else float(np.abs(now - before).mean()))
        before = now
    return times, np.array(found)


def content_aware(made: EventClip, frames: int, fps: float) -> Times:
    """Half of the frames evenly over the clip, half where a scan at `fps` sees it change, on both sides of a change."""
    times, found = changes(made, fps)
    chosen = set(np.linspace(0, len(times) - 1, min(frames // 2, len(times))).round().astype(int).tolist())
    for i in np.argsort(-found, kind="stable"):
        if found[i] == 0 or len(chosen) + 2 > frames:
            break
        chosen |= {max(0, int(i) - 1), int(i)}
    rest = [i for i in range(len(times)) if i not in chosen]
    even_number = sorted(chosen)[: len(chosen) // 2 * 2] if len(chosen) % 2 and not rest else sorted(chosen)
    if len(even_number) % 2:
        even_number = sorted({*even_number, rest[len(rest) // 2]})
    return tuple(round(float(times[i]), 3) for i in even_number)


def question(made: EventClip, times: Times, id: str) -> Question:
    """When the event happens, with the clip seen at these times."""
    frames = [made.frame_at(t) for t in times]
    video = VideoPart(video=frames, frame_times=times, resized_width=SIZE[0], resized_height=SIZE[1])
    truth = {"span": [made.start, made.end], "duration": made.duration, "times": list(times)}
    return Question(id, (user(video, prompts.moments_prompt(made.query)),), truth)


def task(name: str, seconds: float, pick: Callable[[EventClip], Times]) -> Task:
    """Questions about clips of a length, whose frames `pick` chooses; the score is temporal IoU."""

    def questions(_: Any) -> Iterator[Question]:
        for number in range(10_000):
            made = clip(number, seconds)
            yield question(made, pick(made), str(number))

    return Task(f"study_{name}", name, questions, span, span_overlap, settings=MediaSettings(), max_new_tokens=48)


def windows_task(name: str, seconds: float, length: float, fps: float, clips: int) -> Task:
    """The first clips in windows, each a question of its own on the window's clock; the tag `start` is its begin."""

    def questions(_: Any) -> Iterator[Question]:
        for number in range(clips):
            made = clip(number, seconds)
            for window in cut(made.duration, length):
                times = tuple(round(window.start + t, 3) for t in even(window.seconds, fps))
                asked = question(made, times, f"{number}/{window.start:g}")
                (message,) = asked.messages
                video, words = message.parts
                parts = (video.model_copy(update={"frame_times": even(window.seconds, fps)}), words)
                tags = {"clip": str(number), "start": str(window.start)}
                truth = {**asked.truth, "duration": window.seconds}
                messages = (message.model_copy(update={"parts": parts}),)
                yield Question(asked.id, messages, truth, tags)

    return Task(f"study_{name}", name, questions, span, span_overlap, settings=MediaSettings(), max_new_tokens=48)
