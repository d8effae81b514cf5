"""Scenes that the suites share: drawn with fonts and shape-color pairs that were held out of training."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.data.synth.fonts import find_families
from viewfinder.data.synth.scene import Scene, Thing, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.eval.answer_format import AnswerFormat
from viewfinder.eval.question import Question
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.media.encode import Encoded, encode_picture

SIZES = ((140, 112), (112, 140), (168, 84), (84, 168), (140, 140), (224, 168))


def scene(
    rng: np.random.Generator,
    size: tuple[int, int],
    things: tuple[int, int] = (1, 1),
    lines: tuple[int, int] = (0, 0),
    thing_size: tuple[float, float] = (0.2, 0.55),
    pairs: str = "held_out",
    text_size: tuple[int, int] = (18, 34),
    max_chars: int = 10,
) -> Scene:
    """A scene that has at least as many things and lines as asked for."""
    style = SceneStyle(
        things=things,
        lines=lines,
        thing_size=thing_size,
        text_size=text_size,
        max_chars=max_chars,
        pairs=pairs,
        families=find_families(held_out=True),
        repeat=0.0,
    )
    for _ in range(200):
        made = make_scene(rng, size, style)
        if len(made.things) >= things[0] and len(made.lines) >= lines[0]:
            return made
    raise AssertionError(f"no scene of {things} things fits {size}")


def only_ones(things: Sequence[Thing]) -> list[Thing]:
    """Things that are the only ones of their shape."""
    return [t for t in things if sum(o.shape == t.shape for o in things) == 1]


def png(image: Image.Image) -> Encoded:
    """A picture as a PNG file, so that requests do not depend on how Pillow keeps it."""
    return encode_picture(image)


def suite(
    name: str, title: str, questions: Callable[[Any], Iterable[Question]], form: AnswerFormat, score: Any, **rest: Any
) -> Task:
    """A generated task, asked with the model's own budgets of pixels."""
    return Task(f"suite_{name}", title, questions, form, score, settings=MediaSettings(), family="suite", **rest)
