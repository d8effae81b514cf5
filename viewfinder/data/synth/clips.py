"""Short clips with one event each, and when it happens in true seconds.

One thing that appears and goes, moves or changes its color, or a word that is shown, on a ground of one color. The
event lasts from `start` to `end`; frames are taken at any rate (`Film`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from viewfinder.data.sample import Sample
from viewfinder.data.synth.fonts import FontFamily, advances, find_families, load_font
from viewfinder.data.synth.scene import Scene, Thing
from viewfinder.data.synth.shapes import COLOR_NAMES, COLORS, SHAPE_NAMES, draw_mask, held_out_pair, paint
from viewfinder.data.synth.text_lines import TextLine
from viewfinder.data.synth.words import make_word
from viewfinder.messages import Message, TextPart, VideoPart, user
from viewfinder.outputs.prompts import moments_prompt
from viewfinder.outputs.spans import Span, format_moments

Draw = Callable[[Image.Image, bool, float], Sequence[Thing | TextLine]]
"""Draws onto a frame and returns what is seen there, given whether the event is on and how far it is (0 before it, 1
after it)."""
Corner = Callable[[tuple[int, int], float], tuple[int, int]]
"""Where the upper left corner of a mask of a size is, given how far the event is."""


@dataclass(frozen=True)
class Event:
    """What happens, when and for how many seconds (`end` - `start` but for rounding), and how it is drawn."""

    label: str
    start: float
    end: float
    seconds: float
    draw: Draw


@dataclass(frozen=True)
class Film:
    """A clip: its length in seconds, its events in order, labels of what does not happen, the name of its ground."""

    duration: float
    events: tuple[Event, ...]
    canvas: Image.Image
    absent: tuple[str, ...] = ()
    background: str = ""

    def scene_at(self, time: float) -> Scene:
        """The picture at a time in seconds, and what is in it."""
        image = self.canvas.copy()
        seen: list[Thing | TextLine] = []
        for event in self.events:
            progress = min(max((time - event.start) / event.seconds, 0.0), 1.0)
            seen += event.draw(image, event.start <= time < event.end, progress)
        things = tuple(item for item in seen if isinstance(item, Thing))
        lines = tuple(item for item in seen if isinstance(item, TextLine))
        return Scene(image, things, lines, self.background)

    def frame_at(self, time: float) -> Image.Image:
        return self.scene_at(time).image


def fitting_colors(shape: str, ground: np.ndarray, held_out: bool) -> list[str]:
    """Colors of a shape, of training or held out, that differ from a ground (RGB)."""
    return [
        c
        for c in COLOR_NAMES
        if np.abs(np.array(COLORS[c]) - ground).sum() > 150 and held_out_pair(shape, c) == held_out
    ]


def animate(
    rng: np.random.Generator, kind: str, shape: str, colors: tuple[str, str], side: int, corners: Callable[[], Corner]
) -> tuple[str, Draw]:
    """The label of an event of a shape, and what draws it; `corners` is called after the colors' paint is chosen."""
    mask = draw_mask(shape, side, side, 0.0)
    fills = paint(rng, colors[0]), paint(rng, colors[1])
    corner = corners()

    def draw(image: Image.Image, on: bool, progress: float) -> Sequence[Thing | TextLine]:
        if (kind == "shown" and not on) or (kind == "blinks" and on and int(progress * 6) % 2 == 1):
            return ()
        seen = mask
        if kind == "grows":
            scale = 0.45 + 0.55 * progress
            seen = mask.resize((max(4, round(mask.width * scale)), max(4, round(mask.height * scale))))
        elif kind == "turns":
            seen = mask.rotate(120 * progress, Image.Resampling.BICUBIC, expand=True)
        changed = kind == "color" and on
        x, y = corner(seen.size, progress if kind == "moves" else 0.0)
        image.paste(fills[changed], (x, y), seen)
        return (Thing(shape, colors[changed], (x, y, x + seen.width, y + seen.height), seen),)

    says = {"shown": "is shown", "color": f"is {colors[1]}"}.get(kind, kind)
    return f"the {shape if kind == 'color' else f'{colors[0]} {shape}'} {says}", draw


def show_word(
    word: str,
    place: tuple[int, int],
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    fill: tuple[int, int, int],
    seen: Sequence[TextLine] = (),
) -> tuple[str, Draw]:
    """The label of a word that is shown at a place, and what draws it."""

    def draw(image: Image.Image, on: bool, progress: float) -> Sequence[Thing | TextLine]:
        if not on:
            return ()
        ImageDraw.Draw(image).text(place, word, fill=fill, font=font)
        return seen

    return f'the text "{word}" is shown', draw


KINDS = ("shown", "moves", "color", "text")


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
    kind = KINDS[int(rng.integers(len(KINDS)))]
    if kind == "text":
        query, draw = _text(rng, size, background, families or find_families())
    else:
        query, draw = _thing(rng, size, background, kind, pairs)
    film = Film(duration, (Event(query, start, end, length, draw),), canvas, background=background)
    return EventClip(query, start, end, duration, film.scene_at)


def _thing(rng: np.random.Generator, size: tuple[int, int], background: str, kind: str, pairs: str) -> tuple[str, Draw]:
    shape = SHAPE_NAMES[int(rng.integers(len(SHAPE_NAMES)))]
    colors = _two_colors(rng, shape, background, pairs)
    side = int(rng.integers(min(size) // 5, min(size) // 2))
    mask = draw_mask(shape, side, side, 0.0)
    here, there = (
        (int(rng.integers(size[0] - mask.width + 1)), int(rng.integers(size[1] - mask.height + 1))) for _ in range(2)
    )

    def corner(_: tuple[int, int], t: float) -> tuple[int, int]:
        return round(here[0] + (there[0] - here[0]) * t), round(here[1] + (there[1] - here[1]) * t)

    return animate(rng, kind, shape, colors, side, lambda: corner)


def _two_colors(rng: np.random.Generator, shape: str, background: str, pairs: str) -> tuple[str, str]:
    fit = fitting_colors(shape, np.array(COLORS[background]), pairs == "held_out")
    fit = fit or [c for c in COLOR_NAMES if c != background]
    first = fit[int(rng.integers(len(fit)))]
    rest = [c for c in fit if c != first] or [c for c in COLOR_NAMES if c not in (first, background)]
    return first, rest[int(rng.integers(len(rest)))]


def _text(
    rng: np.random.Generator, size: tuple[int, int], background: str, families: tuple[FontFamily, ...]
) -> tuple[str, Draw]:
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
    return show_word(word, place, font, fill, (TextLine(word, ink, box, centers, middle),))


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
