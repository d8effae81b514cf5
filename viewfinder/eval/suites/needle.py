"""Needle: one fact in a long context of words, of pictures, or of frames, by length and depth.

`suite_needle` fits small models (to about 2,000 tokens in the built-in vocabulary); `suite_needle_long` goes to about
30,000 words for real ones.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from viewfinder.data.synth.shapes import COLOR_NAMES
from viewfinder.data.synth.words import common_words
from viewfinder.eval.drawn import picture, scene, suite
from viewfinder.eval.question import Question
from viewfinder.eval.scores import equal
from viewfinder.eval.suites.colors import color
from viewfinder.eval.task import Task
from viewfinder.messages import VideoPart, user

DEPTHS = (0.1, 0.5, 0.9)


def questions(_: Any, words: tuple[int, ...], pictures: tuple[int, ...], frames: tuple[int, ...]) -> Iterator[Question]:
    rng = np.random.default_rng(20261203)
    makers = (("text", words, text_needle), ("pictures", pictures, picture_needle), ("frames", frames, frame_needle))
    for kind, lengths, make in makers:
        for length in lengths:
            for depth in DEPTHS:
                for i in range(2):
                    parts, truth = make(rng, length, depth)
                    tags = {"kind": kind, "length": str(length), "depth": f"{depth:.0%}"}
                    yield Question(f"{kind}/{length}/{depth}/{i}", (user(*parts),), truth, tags)


def text_needle(rng: np.random.Generator, length: int, depth: float) -> tuple[list[Any], str]:
    """A sentence that names the color of the door, among sentences of common words without colors."""
    color = COLOR_NAMES[int(rng.integers(len(COLOR_NAMES)))]
    plain = [w for w in common_words() if w not in COLOR_NAMES]
    hay = [plain[int(i)] for i in rng.integers(len(plain), size=length)]
    sentences = [" ".join(hay[i : i + 9]).capitalize() + "." for i in range(0, length, 9)]
    sentences.insert(int(depth * len(sentences)), f"The door of the house is {color}.")
    return [" ".join(sentences) + "\nWhat color is the door of the house?"], color


def picture_needle(rng: np.random.Generator, length: int, depth: float) -> tuple[list[Any], str]:
    """One picture of several has a star; what color is it?"""
    place = min(int(depth * length), length - 1)
    parts: list[Any] = []
    truth = ""
    for i in range(length):
        made = scene(rng, (84, 84), thing_size=(0.35, 0.55), pairs="all")
        while (made.things[0].shape == "star") != (i == place):
            made = scene(rng, (84, 84), thing_size=(0.35, 0.55), pairs="all")
        truth = made.things[0].color if i == place else truth
        parts.append(picture(made.image))
    return [*parts, "What color is the star?"], truth


def frame_needle(rng: np.random.Generator, length: int, depth: float) -> tuple[list[Any], str]:
    """A thing is shown for a twelfth of a clip, two frames at least; nothing else is."""
    made = scene(rng, (84, 84), thing_size=(0.4, 0.55), pairs="all")
    blank = made.image.resize((1, 1)).resize((84, 84))
    shown = max(2, length // 12)
    start = min(int(depth * length), length - shown)
    frames = [made.image if start <= i < start + shown else blank for i in range(length)]
    video = VideoPart(video=frames, frame_times=tuple(i / 2 for i in range(length)))
    return [video, f"What color is the {made.things[0].shape} that is shown?"], made.things[0].color


def _task(name: str, title: str, **lengths: tuple[int, ...]) -> Task:
    return suite(name, title, partial(questions, **lengths), color, equal, max_new_tokens=16)


TASKS = (
    _task("needle", "Needle in a short haystack", words=(50, 200), pictures=(2, 4, 8), frames=(8, 24)),
    _task("needle_long", "Needle in a long haystack", words=(2000, 8000, 24000), pictures=(16, 64), frames=(128, 512)),
)
