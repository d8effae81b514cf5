"""Counting 0 to 9 things, each number as often; exact."""

from collections.abc import Iterator

import numpy as np

from viewfinder.data.synth.queries import pluralize
from viewfinder.data.synth.scene import Scene, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.data.synth.shapes import COLOR_NAMES, SHAPE_NAMES
from viewfinder.eval.answer_format import number as count_form
from viewfinder.eval.builtin.drawing import builtin
from viewfinder.eval.drawn import picture
from viewfinder.eval.question import Question
from viewfinder.eval.scores import equal
from viewfinder.messages import user
from viewfinder.outputs import prompts

SIZES = ((168, 168), (224, 168), (224, 224))


def count(rng: np.random.Generator, number: int) -> Question | None:
    """As many of a kind as the question's last digit says, among others."""
    wanted = number % 10
    made = _crowd(rng, wanted)
    fitting = [noun for noun, counted in _nouns(made) if counted == wanted]
    if not fitting:
        return None
    noun = fitting[int(rng.integers(len(fitting)))]
    messages = (user(picture(made.image), prompts.count_prompt(noun)),)
    return Question(f"{number}", messages, wanted, {"number": str(wanted)})


def _crowd(rng: np.random.Generator, wanted: int) -> Scene:
    style = SceneStyle(
        things=(max(1, wanted), wanted + 2),
        lines=(0, 0),
        thing_size=(0.1, 0.16) if wanted > 5 else (0.12, 0.26),
        pairs="all",
        repeat=0.9 if wanted > 2 else 0.5,
    )
    return make_scene(rng, SIZES[int(rng.integers(len(SIZES)))], style)


def _nouns(made: Scene) -> Iterator[tuple[str, int]]:
    """Names in the plural with how many things they fit; those with a color and a shape first."""
    for color in COLOR_NAMES:
        for shape in SHAPE_NAMES:
            counted = sum(t.color == color and t.shape == shape for t in made.things)
            near = any(t.color == color or t.shape == shape for t in made.things)
            if counted or near:
                yield f"{color} {pluralize(shape)}", counted
    for shape in SHAPE_NAMES:
        counted = sum(t.shape == shape for t in made.things)
        if counted > 1:
            yield pluralize(shape), counted
    if len(made.things) > 1:
        yield "shapes", len(made.things)


TASKS = (
    builtin(
        "count",
        "Count 0-9, exact",
        count,
        count_form,
        equal,
        max_new_tokens=320,
    ),
)
