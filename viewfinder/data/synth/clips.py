"""Short clips with one event each, and when it happens in true seconds.

A few still shapes, and one thing that appears and goes, moves, changes its color, or a word that is shown.
The event lasts from `start` to `end`; frames are taken at whatever rate is asked, so the same clip can be
seen at 0.5 and at 8 frames per second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from viewfinder.data.sample import Sample
from viewfinder.data.synth.fonts import FontFamily, advances, find_families, load_font
from viewfinder.data.synth.scene import Scene, Thing
from viewfinder.data.synth.shapes import COLOR_NAMES, COLORS, SHAPE_NAMES, draw_mask, held_out_pair, paint
from viewfinder.data.synth.text_lines import TextLine
from viewfinder.data.synth.words import make_word
from viewfinder.messages import Message, TextPart, VideoPart, user
from viewfinder.outputs.prompts import moments_prompt
from viewfinder.outputs.spans import Span, format_moments

EVENTS = ("shown", "moves", "changes color", "text")


@dataclass(frozen=True)
class EventClip:
    """What happens in a clip, and how to draw it at any moment.

    Attributes:
        query: names the event.
        start, end: seconds of the clip.
        duration: seconds.
        scene_at: the picture at a time in seconds, and what is in it.
    """

    query: str
    start: float
    end: float
    duration: float
    scene_at: Callable[[float], Scene]

    def frame_at(self, time: float) -> Image.Image:
        return self.scene_at(time).image

    def frames(self, fps: float) -> tuple[list[Image.Image], tuple[float, ...]]:
        """Pictures and their times at `fps` frames per second, an even number of them."""
        count = max(2, int(self.duration * fps) // 2 * 2)
        times = tuple(i / fps for i in range(count))
        return [self.frame_at(t) for t in times], times


def make_clip(
    rng: np.random.Generator,
    size: tuple[int, int] = (112, 112),
    seconds: tuple[float, float] = (4.0, 20.0),
    families: tuple[FontFamily, ...] | None = None,
    pairs: str = "train",
) -> EventClip:
    """A clip with one event of at least a tenth of its duration; times are whole tenths of a second."""
    duration = round(float(rng.uniform(*seconds)), 1)
    length = round(float(rng.uniform(max(0.1 * duration, 1.0), 0.6 * duration)), 1)
    start = round(float(rng.uniform(0, duration - length)), 1)
    end = round(start + length, 1)
    background = "white" if rng.random() < 0.5 else COLOR_NAMES[int(rng.integers(len(COLOR_NAMES)))]
    canvas = Image.new("RGB", size, paint(rng, background, 8))
    event = EVENTS[int(rng.integers(len(EVENTS)))]
    if event == "text":
        query, draw = _text(rng, size, background, families or find_families())
    else:
        query, draw = _thing(rng, size, background, event, pairs)

    def scene_at(time: float) -> Scene:
        image = canvas.copy()
        seen = draw(image, start <= time < end, min(max((time - start) / length, 0.0), 1.0))
        things = tuple(item for item in seen if isinstance(item, Thing))
        lines = tuple(item for item in seen if isinstance(item, TextLine))
        return Scene(image, things, lines, background)

    return EventClip(query, start, end, duration, scene_at)


_Draw = Callable[[Image.Image, bool, float], Sequence[Thing | TextLine]]


def _thing(
    rng: np.random.Generator, size: tuple[int, int], background: str, event: str, pairs: str
) -> tuple[str, _Draw]:
    """The name of the event and what draws it, given whether it is on and how far it is."""
    shape = SHAPE_NAMES[int(rng.integers(len(SHAPE_NAMES)))]
    color, other = _two_colors(rng, shape, background, pairs)
    side = int(rng.integers(min(size) // 5, min(size) // 2))
    mask = draw_mask(shape, side, side, 0.0)
    here, there = (
        (int(rng.integers(size[0] - mask.width + 1)), int(rng.integers(size[1] - mask.height + 1))) for _ in range(2)
    )
    first, second = paint(rng, color), paint(rng, other)

    def draw(image: Image.Image, on: bool, progress: float) -> Sequence[Thing | TextLine]:
        if event == "shown" and not on:
            return ()
        place = here
        if event == "moves":
            place = (
                round(here[0] + (there[0] - here[0]) * progress),
                round(here[1] + (there[1] - here[1]) * progress),
            )
        changed = event == "changes color" and on
        image.paste(second if changed else first, place, mask)
        box = (*place, place[0] + mask.width, place[1] + mask.height)
        return (Thing(shape, other if changed else color, box, mask),)

    names = {
        "shown": f"the {color} {shape} is shown",
        "moves": f"the {color} {shape} moves",
        "changes color": f"the {shape} is {other}",
    }
    return names[event], draw


def _two_colors(rng: np.random.Generator, shape: str, background: str, pairs: str) -> tuple[str, str]:
    base = np.array(COLORS[background])
    fit = [
        c
        for c in COLOR_NAMES
        if np.abs(np.array(COLORS[c]) - base).sum() > 150 and held_out_pair(shape, c) == (pairs == "held_out")
    ] or [c for c in COLOR_NAMES if c != background]
    first = fit[int(rng.integers(len(fit)))]
    rest = [c for c in fit if c != first] or [c for c in COLOR_NAMES if c not in (first, background)]
    return first, rest[int(rng.integers(len(rest)))]


def _text(
    rng: np.random.Generator, size: tuple[int, int], background: str, families: tuple[FontFamily, ...]
) -> tuple[str, _Draw]:
    _, files = families[int(rng.integers(len(families)))]
    word, path, pixels = make_word(rng, 7), files[int(rng.integers(len(files)))], int(rng.integers(18, 26))
    font = load_font(path, pixels)
    fill = (15, 15, 15) if sum(COLORS[background]) > 380 else (245, 245, 245)
    place = (int(rng.integers(2, 20)), int(rng.integers(2, 60)))

    steps = np.array(advances(path, pixels, word))
    centers = tuple((place[0] + np.cumsum(steps) - steps / 2).tolist())
    left, top, right, bottom = (int(v) for v in font.getbbox(word))
    box = (place[0] + left, place[1] + top, min(place[0] + right, size[0]), min(place[1] + bottom, size[1]))
    ink, middle = "black" if fill[0] < 99 else "white", place[1] + font.getmetrics()[0] - pixels / 4
    line = TextLine(word, ink, box, centers, middle)

    def draw(image: Image.Image, on: bool, progress: float) -> Sequence[Thing | TextLine]:
        if not on:
            return ()
        ImageDraw.Draw(image).text(place, word, fill=fill, font=font)
        return (line,)

    return f'the text "{word}" is shown', draw


def clip_sample(clip: EventClip, fps: float, seed: tuple[int, ...] = ()) -> Sample:
    """The question when the event happens, with the clip seen at `fps`."""
    frames, times = clip.frames(fps)
    width, height = frames[0].size
    video = VideoPart(video=frames, frame_times=times, resized_width=width, resized_height=height)
    answer = format_moments([Span(clip.start, clip.end, clip.query)], clip.duration)
    return Sample(
        messages=(
            user(video, moments_prompt(clip.query)),
            Message(role="assistant", parts=(TextPart(text=answer),)),
        ),
        task="moments",
        truth={"spans": [(clip.start, clip.end)], "duration": clip.duration, "fps": fps},
        seed=seed,
        lineage=("synth.clips",),
    )
