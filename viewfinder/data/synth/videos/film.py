"""`Film`: events on a still picture, drawn for any moment, so that one film can be seen at any frame rate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from viewfinder.data.synth.scene import Scene, Thing
from viewfinder.data.synth.shapes import COLOR_NAMES, COLORS, draw_mask, held_out_pair, paint
from viewfinder.data.synth.text_lines import TextLine

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
