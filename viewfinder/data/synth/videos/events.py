"""Clips with one to several events on a still scene: things that come, move, turn, change color; words that show.

Every event's start and end are whole tenths of a second of the clip, and lie apart, so that none hides another.
"""

import numpy as np
from PIL import Image

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.fonts import FontFamily, find_families, load_font
from viewfinder.data.synth.grounds import ground
from viewfinder.data.synth.kinds import Options, Split
from viewfinder.data.synth.shapes import COLOR_NAMES, SHAPE_NAMES
from viewfinder.data.synth.videos.film import Corner, Draw, Event, Film, animate, fitting_colors, show_word
from viewfinder.data.synth.words import make_word

KINDS = ("shown", "moves", "grows", "color", "text")
HELD_OUT_KINDS = ("shown", "blinks", "turns")


def make_film(rng: np.random.Generator, size: tuple[int, int], duration: float, count: int, options: Options) -> Film:
    """A clip of `count` events (fewer when it is too short for them), one after the other."""
    canvas, split = ground(rng, size, options.difficulty * 0.6), options.split
    count = max(1, min(count, int(duration / 2.2)))
    spans = _spans(rng, duration, count)
    families = find_families(options.fonts, held_out=split == "held_out")
    used: set[str] = set()
    events: list[Event] = []
    for i, (start, end) in enumerate(spans):
        area = _area(size, i, count)
        label, draw = _event(rng, canvas, area, split, families)
        for _ in range(19):
            if label in used:
                label, draw = _event(rng, canvas, area, split, families)
        used.add(label)
        events.append(Event(label, start, end, end - start, draw))
    absent = [_event(rng, canvas, _area(size, 0, 1), split, families)[0] for _ in range(4)]
    return Film(duration, tuple(events), canvas, tuple(a for a in absent if a not in used))


def _spans(rng: np.random.Generator, duration: float, count: int) -> list[tuple[float, float]]:
    """Stretches of at least a second, at least half a second apart, in order, in tenths."""
    spare = duration - count * 1.0 - (count - 1) * 0.5
    shares = rng.dirichlet(np.ones(2 * count + 1)) * max(spare, 0.0)
    spans: list[tuple[float, float]] = []
    at = 0.0
    for i in range(count):
        start = at + shares[2 * i]
        end = start + 1.0 + shares[2 * i + 1]
        spans.append((round(float(start), 1), min(round(float(end), 1), duration)))
        at = end + 0.5
    return spans


def _area(size: tuple[int, int], i: int, count: int) -> tuple[int, int, int, int]:
    """Each event has its own strip of the picture, so none covers another."""
    if count == 1:
        return 0, 0, *size
    wide = size[0] >= size[1]
    length = size[0] if wide else size[1]
    low, high = length * i // count, length * (i + 1) // count
    return (low, 0, high, size[1]) if wide else (0, low, size[0], high)


def _event(
    rng: np.random.Generator,
    canvas: Image.Image,
    area: tuple[int, int, int, int],
    split: Split,
    families: tuple[FontFamily, ...],
) -> tuple[str, Draw]:
    kind = pick(rng, KINDS if split == "train" else HELD_OUT_KINDS)
    mean = np.asarray(canvas.crop(area), float).mean(axis=(0, 1))
    if kind == "text":
        return _words(rng, area, float(mean.mean()), families)
    shape = pick(rng, SHAPE_NAMES)
    fit = fitting_colors(shape, mean, split == "held_out") or list(COLOR_NAMES)
    color = pick(rng, fit)
    room = min(area[2] - area[0], area[3] - area[1])
    side = number(rng, max(12, room // 4), max(14, room // 2))
    colors = color, pick(rng, [c for c in fit if c != color] or fit)

    def corners() -> Corner:
        here, there = _place(rng, area, side), _place(rng, area, side)

        def corner(size: tuple[int, int], t: float) -> tuple[int, int]:
            x, y = (a + (b - a) * t - n / 2 for a, b, n in zip(here, there, size, strict=True))
            return round(x), round(y)

        return corner

    return animate(rng, kind, shape, colors, side, corners)


def _place(rng: np.random.Generator, area: tuple[int, int, int, int], side: int) -> tuple[float, float]:
    half = min(side / 2 + 2, (area[2] - area[0]) / 2, (area[3] - area[1]) / 2)
    return float(rng.uniform(area[0] + half, area[2] - half)), float(rng.uniform(area[1] + half, area[3] - half))


def _words(
    rng: np.random.Generator, area: tuple[int, int, int, int], light: float, families: tuple[FontFamily, ...]
) -> tuple[str, Draw]:
    font = load_font(pick(rng, pick(rng, families)[1]), number(rng, 15, 22))
    word = make_word(rng, 7)
    while len(word) > 1 and font.getlength(word) > area[2] - area[0] - 6:
        word = word[:-1]
    x = area[0] + number(rng, 2, max(2, int(area[2] - area[0] - font.getlength(word)) - 3))
    y = area[1] + number(rng, 2, max(2, area[3] - area[1] - 28))
    fill = (10, 10, 10) if light > 125 else (250, 250, 250)
    return show_word(word, (x, y), font, fill)


def draw_rate(rng: np.random.Generator) -> float:
    """Frames a second, evenly over powers: 0.5, 1, 2, 4 or 8."""
    return float(2.0 ** number(rng, -1, 3)) if chance(rng, 0.8) else float(round(rng.uniform(0.5, 6.0), 1))
