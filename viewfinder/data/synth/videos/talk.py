"""The kind "videos": when things happen, in seconds; all events with clock times; order and counts."""

import numpy as np

from viewfinder.data.sample import Sample, say
from viewfinder.data.synth.choose import chance, number, pick, weighted
from viewfinder.data.synth.exchange import Exchange, one_or_two
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.videos.events import draw_rate, make_film
from viewfinder.data.synth.videos.film import Event, Film
from viewfinder.messages import VideoPart
from viewfinder.outputs import prompts
from viewfinder.outputs.spans import Span, format_moments, format_spans

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
