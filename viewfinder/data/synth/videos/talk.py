"""The kind "videos": when things happen, in seconds; all events with clock times; order and counts."""

import numpy as np
from PIL import Image

from viewfinder.data.sample import Sample, say
from viewfinder.data.synth.choose import chance, number, pick, weighted
from viewfinder.data.synth.clips import Corner, Draw, Event, Film, animate, fitting_colors, show_word
from viewfinder.data.synth.exchange import Exchange, one_or_two
from viewfinder.data.synth.fonts import FontFamily, find_families, load_font
from viewfinder.data.synth.grounds import ground
from viewfinder.data.synth.kinds import Options, Split
from viewfinder.data.synth.shapes import COLOR_NAMES, SHAPE_NAMES
from viewfinder.data.synth.words import make_word
from viewfinder.messages import VideoPart
from viewfinder.outputs import prompts
from viewfinder.outputs.spans import Span, format_moments, format_spans

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


SOURCE_FPS = 25
"""Frames a second of the clip itself, in which hmsf times count."""


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A clip seen at some rate, and one or two questions."""
    hard = options.difficulty
    fps = draw_rate(rng)
    most = 16 + round(48 * hard)
    duration = round(float(rng.uniform(max(3.0, 4 / fps), max(4.0, 4 / fps, most / fps))), 1)
    low = min(options.min_side, options.max_side)
    side = 28 * max(3, round(number(rng, low, max(low, options.max_side // 2)) / 28))
    size = (side, 28 * max(3, round(side * float(rng.uniform(0.7, 1.1)) / 28)))
    film = make_film(rng, size, duration, number(rng, 1, 2 + round(4 * hard)), options)
    count = max(2, int(duration * fps) // 2 * 2)
    times = tuple(i / fps for i in range(count))
    video = VideoPart(video=[film.frame_at(t) for t in times], frame_times=times)
    exchanges = one_or_two(rng, lambda: ask(rng, film, times), 0.35)
    messages = []
    for i, one in enumerate(exchanges):
        messages += [say("user", *([video] if i == 0 else []), one.question), say("assistant", one.answer)]
    return Sample(
        messages=tuple(messages),
        task="+".join(one.task for one in exchanges),
        truth={"turns": [one.truth for one in exchanges], "duration": duration, "fps": fps},
        lineage=("films",),
    )


def ask(rng: np.random.Generator, film: Film, times: tuple[float, ...]) -> Exchange:
    """A question about the events that can be seen in the frames at `times`."""
    seen = [e for e in film.events if any(e.start <= t < e.end for t in times)]
    task = weighted(rng, {"moment": 3.0, "dense": 2.0, "none": 0.6, "first": 0.7, "count": 0.5, "at": 0.7})
    if task == "none" and film.absent:
        query = pick(rng, film.absent)
        return Exchange(
            "moments", prompts.moments_prompt(query), format_moments([], film.duration), truth={"spans": []}
        )
    if not seen:
        return _dense(rng, film, [])
    if task == "moment":
        event = pick(rng, seen)
        span = Span(event.start, event.end, event.label)
        truth = {"spans": [[event.start, event.end]]}
        answer = format_moments([span], film.duration)
        return Exchange("moments", prompts.moments_prompt(event.label), answer, truth=truth)
    if task == "first" and len(seen) > 1:
        which, event = pick(rng, (("first", seen[0]), ("last", seen[-1])))
        return Exchange("ask", f"What happens {which}?", _sentence(event.label), truth={"answer": event.label})
    if task == "count":
        return Exchange("ask", "How many events are there in the video?", str(len(seen)), truth={"answer": len(seen)})
    if task == "at":
        event = pick(rng, seen)
        inside = [t for t in times if event.start <= t < event.end]
        when = pick(rng, inside)
        question = f"What happens at {when:.1f} seconds?"
        return Exchange("ask", question, _sentence(event.label), truth={"answer": event.label})
    return _dense(rng, film, seen)


def _sentence(label: str) -> str:
    return f"{label[0].upper()}{label[1:]}."


def _dense(rng: np.random.Generator, film: Film, seen: list[Event]) -> Exchange:
    """All events; in one of three, times with frame numbers."""
    spans = [Span(e.start, e.end, _sentence(e.label)) for e in seen]
    truth = {"spans": [[e.start, e.end] for e in seen], "labels": [e.label for e in seen]}
    question = prompts.describe_prompt()
    if chance(rng, 0.3):
        question = question.replace("'mm:ss.ff' format", f"'h:mm:ss:ff' format ({SOURCE_FPS} frames per second)")
        answer = format_spans(spans, film.duration, "hmsf", SOURCE_FPS)
        return Exchange("describe", question, answer, truth={**truth, "style": "hmsf"})
    return Exchange("describe", question, format_spans(spans, film.duration), truth=truth)
