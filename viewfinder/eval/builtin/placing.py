"""Placing: locate shapes, named objects and words; point; say that what is asked for is not there; count.

Shapes have held-out pairs of shape and color, objects held-out names (or styles), words held-out fonts.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from viewfinder.data.synth import kinds
from viewfinder.data.synth.collage import make_collage
from viewfinder.data.synth.queries import pluralize, thing_label
from viewfinder.data.synth.scene import Scene, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.data.synth.shapes import COLOR_NAMES, SHAPE_NAMES
from viewfinder.eval.answer_format import box, point
from viewfinder.eval.answer_format import number as count_form
from viewfinder.eval.builtin.drawing import QuestionGenerator, builtin, size_of
from viewfinder.eval.drawn import picture, scene, where, where_or_none, where_point
from viewfinder.eval.question import Question
from viewfinder.eval.scores import equal, inside, overlaps
from viewfinder.eval.suites.absence import boxes_or_none, located_right
from viewfinder.eval.task import Scored
from viewfinder.messages import user
from viewfinder.outputs import prompts

Target = tuple[Any, str, tuple[int, int, int, int], str]
"""Picture, phrase, box, kind."""
_PRECISION = 0.9


_SUBJECTS = ("shape", "word", "icon")
CROWDED = ((168, 168), (224, 168), (224, 224))


def target(rng: np.random.Generator, number: int) -> Target | None:
    """A picture with one thing of the name asked for; shapes, words and icons by turns."""
    kind = _SUBJECTS[number % len(_SUBJECTS)]
    if kind == "icon":
        return _icon(rng)
    made = scene(
        rng, size_of(rng), things=(1, 4) if kind == "shape" else (0, 1), lines=(0, 1) if kind == "shape" else (1, 3)
    )
    return _shape(rng, made) if kind == "shape" else _word(rng, made)


def _shape(rng: np.random.Generator, made: Scene) -> Target | None:
    alone = [t for t in made.things if sum(thing_label(o) == thing_label(t) for o in made.things) == 1]
    if not alone:
        return None
    thing = alone[int(rng.integers(len(alone)))]
    return made.image, f"the {thing_label(thing)}", thing.box, "shape"


def _word(rng: np.random.Generator, made: Scene) -> Target | None:
    line = made.lines[int(rng.integers(len(made.lines)))]
    if sum(other.text == line.text for other in made.lines) > 1 or '"' in line.text:
        return None
    return made.image, f'the text "{line.text}"', line.box, "word"


def _icon(rng: np.random.Generator) -> Target | None:
    options = kinds.Options(split="held_out", difficulty=0.25)
    made = make_collage(rng, options, size_of(rng))
    alone = [one for one in made.objects if len(made.named(one.name)) == 1]
    if not alone:
        return None
    one = alone[int(rng.integers(len(alone)))]
    return made.image, f"the {one.name}", one.box, "icon"


def _about(ask: Callable[..., Question]) -> QuestionGenerator:
    def make(rng: np.random.Generator, number: int) -> Question | None:
        found = target(rng, number)
        if found is None:
            return None
        image, phrase, place, kind = found
        return ask(f"{number}", image, phrase, place, {"kind": kind, "label": phrase})

    return make


locate, point_at = _about(where), _about(where_point)


def absent(rng: np.random.Generator, number: int) -> Question | None:
    """Every other thing asked for is not there; half of those share their color or shape with what is."""
    if number % 2 == 0:
        found = target(rng, 0)
        if found is None:
            return None
        image, phrase, place, _ = found
        return where_or_none(f"{number}", image, phrase.removeprefix("the "), [place], {})
    made = scene(rng, size_of(rng), things=(1, 4), pairs="all")
    return where_or_none(f"{number}", made.image, _missing(rng, made, number), [], {})


def _missing(rng: np.random.Generator, made: Scene, number: int) -> str:
    thing = made.things[int(rng.integers(len(made.things)))]
    shape = SHAPE_NAMES[int(rng.integers(len(SHAPE_NAMES)))]
    color = COLOR_NAMES[int(rng.integers(len(COLOR_NAMES)))]
    near = number // 2 % 4
    name = {0: f"{thing.color} {shape}", 1: f"{color} {thing.shape}"}.get(near, f"{color} {shape}")
    if any(thing_label(t) == name for t in made.things):
        return _missing(rng, made, number)
    return name


def recall_of_none(scored: Sequence[Scored]) -> dict[str, float]:
    """Recall of "none" at 90 % precision, percent, with the recall and precision as answered.

    A threshold on confidence decides what counts as none: answers without a box first, the surest foremost, then
    boxes, the least sure foremost, as somebody who drops unsure boxes has it. The best threshold at which nine in ten
    are truly absent gives the recall.
    """
    ranked = sorted(scored, key=_surely_none, reverse=True)
    absent_in_all = sum(s.tags["there"] == "no" for s in ranked)
    best, hits = 0, 0
    for length, s in enumerate(ranked, 1):
        hits += s.tags["there"] == "no"
        tied = length < len(ranked) and _surely_none(ranked[length]) == _surely_none(s)
        if not tied and hits >= _PRECISION * length:
            best = hits
    said = [s for s in scored if s.prediction == []]
    right = sum(s.tags["there"] == "no" for s in said)
    found = [s.value for s in scored if s.tags["there"] == "yes"]
    return {
        "score": 100 * best / max(1, absent_in_all),
        "recall as answered": 100 * right / max(1, absent_in_all),
        "precision as answered": 100 * right / max(1, len(said)),
        "located when there": 100 * sum(found) / max(1, len(found)),
    }


def _surely_none(scored: Scored) -> float:
    sure = 1.0 if scored.confidence is None else scored.confidence
    return sure if scored.prediction == [] else -sure


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
    return make_scene(rng, CROWDED[int(rng.integers(len(CROWDED)))], style)


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
    builtin("locate", "Locate shapes, icons, words: IoU of a half", locate, box, overlaps, max_new_tokens=128),
    builtin(
        "absent",
        "Absent objects: recall of none at 90 % precision",
        absent,
        boxes_or_none,
        located_right,
        total=recall_of_none,
        max_new_tokens=128,
    ),
    builtin("point", "Point: inside the object's box", point_at, point, inside, max_new_tokens=128),
    builtin("count", "Count 0-9, exact", count, count_form, equal, max_new_tokens=320),
)
