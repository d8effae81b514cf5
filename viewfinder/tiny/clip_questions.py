"""Questions about when something happens, over a whole clip or a window of it, and over what never happens.

A long clip is asked window by window (`chat.windows`), so training shows windows too: an event that began
before the window starts at 0 there, and a window without the event says so. The zero of an answer is the
first frame that was shown.

A clip of 20 s with an event at 4 - 12 s, seen from 10 s to 20 s: "0.0 - 2.0 seconds".
"""

from dataclasses import dataclass

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.clips import EventClip, make_clip
from viewfinder.data.synth.scene import Scene
from viewfinder.messages import Message, TextPart, VideoPart, user
from viewfinder.outputs.prompts import moments_prompt
from viewfinder.outputs.spans import Span, format_moments

RATES = (0.5, 1.0, 2.0, 2.0, 2.0, 4.0, 8.0)
"""Frames per second that are drawn, the default one more often."""


@dataclass(frozen=True)
class ClipStyle:
    """What to draw.

    Attributes:
        frames: smallest and largest number of frames shown, both even.
        sides: smallest and largest side of a frame, pixels, multiples of 28.
        windowed: share of questions about a part of a longer clip.
        absent: share of questions about what never happens.
    """

    frames: tuple[int, int] = (4, 32)
    sides: tuple[int, int] = (84, 112)
    windowed: float = 0.35
    absent: float = 0.25


@dataclass(frozen=True)
class View:
    """Frames of a clip from `start` on at `fps`; times count from the first of them."""

    clip: EventClip
    start: float
    fps: float
    count: int

    @property
    def seconds(self) -> float:
        return self.count / self.fps

    @property
    def span(self) -> tuple[float, float] | None:
        """When the event is on, in seconds of the view; None where it lasts too short to be seen."""
        start = max(0.0, self.clip.start - self.start)
        end = min(self.seconds, self.clip.end - self.start)
        return (round(start, 1), round(end, 1)) if end - start >= min(1.0, 1.0 / self.fps) else None

    def scene(self, index: int) -> Scene:
        """What frame `index` shows."""
        return self.clip.scene_at(self.start + index / self.fps)

    def part(self) -> VideoPart:
        times = tuple(i / self.fps for i in range(self.count))
        frames = [self.clip.frame_at(self.start + t) for t in times]
        width, height = frames[0].size
        return VideoPart(video=frames, frame_times=times, resized_width=width, resized_height=height)


def make_view(rng: np.random.Generator, style: ClipStyle, size: tuple[int, int], pairs: str = "train") -> View:
    """A clip and what is shown of it: all, or a window."""
    fps = RATES[int(rng.integers(len(RATES)))]
    low, high = style.frames
    count = 2 * round(float(np.exp(rng.uniform(np.log(low), np.log(high)))) / 2)
    seconds = max(count / fps, 2.0)  # a clip holds an event of at least a second
    count = 2 * int(seconds * fps / 2)
    if rng.random() < style.windowed:
        longer = seconds * float(rng.uniform(1.2, 3.0))
        clip = make_clip(rng, size, (longer, longer), pairs=pairs)
        return View(clip, float(rng.uniform(0, clip.duration - seconds)), fps, count)
    return View(make_clip(rng, size, (seconds, seconds), pairs=pairs), 0.0, fps, count)


def view_sample(rng: np.random.Generator, style: ClipStyle, view: View, seed: tuple[int, ...] = ()) -> Sample:
    """One or two questions about a view: when its event happens, and when something does that never does."""
    video, span = view.part(), view.span
    asked = [(view.clip.query, span)]
    other = make_clip(rng, (56, 56)).query
    if other != view.clip.query and rng.random() < style.absent:
        asked.insert(int(rng.integers(2)), (other, None))
    messages: list[Message] = []
    for i, (query, when) in enumerate(asked):
        text = format_moments([] if when is None else [Span(*when, query)], view.seconds)
        prompt = moments_prompt(query)
        messages.append(user(video, prompt) if i == 0 else user(prompt))
        messages.append(Message(role="assistant", parts=(TextPart(text=text),)))
    return Sample(
        messages=tuple(messages),
        task="moments",
        truth={"spans": [when for _, when in asked], "duration": view.seconds, "fps": view.fps},
        seed=seed,
        lineage=("synth.clips", "synth.clip_questions"),
    )
