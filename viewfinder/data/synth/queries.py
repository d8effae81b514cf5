"""Ways to name things of a scene: by kind, color, both, size or place, and what is not there."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from viewfinder.data.synth.choose import pick
from viewfinder.data.synth.scene import Scene, Thing
from viewfinder.data.synth.shapes import COLOR_NAMES, SHAPE_NAMES, held_out_pair

SYNONYMS: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "circle", "disc"),
    "square": ("square",),
    "rectangle": ("rectangle",),
    "star": ("star",),
    "cross": ("cross", "cross", "plus sign"),
    "ring": ("ring", "ring", "donut"),
    "crescent": ("crescent", "moon"),
    "oval": ("oval", "ellipse"),
    "diamond": ("diamond", "diamond", "rhombus"),
}
_BOXES = ("square", "rectangle")
_ANYTHING = ("shape", "object")


@dataclass(frozen=True)
class Query:
    """A name and what it names. `plural` is "" for a name of one thing; `things` stand from top to bottom."""

    noun: str
    plural: str
    things: tuple[Thing, ...]


def pluralize(noun: str) -> str:
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


def thing_label(thing: Thing) -> str:
    """How answers call a thing."""
    return f"{thing.color} {thing.shape}"


def make_query(rng: np.random.Generator, scene: Scene, absent: float = 0.2) -> Query:
    """A query about the shapes of a scene; with probability `absent` one that fits nothing."""
    if not scene.things or rng.random() < absent:
        return _absent(rng, scene)
    thing = scene.things[int(rng.integers(len(scene.things)))]
    kind = rng.random()
    if kind < 0.45:
        return _query(rng, scene, thing.shape, thing.color)
    if kind < 0.63:
        return _query(rng, scene, thing.shape, None)
    if kind < 0.76:
        return _query(rng, scene, None, thing.color)
    if kind < 0.84:
        return _query(rng, scene, None, None)
    return _superlative(rng, scene, thing)


def _query(rng: np.random.Generator, scene: Scene, shape: str | None, color: str | None) -> Query:
    if shape is None:
        word, shapes = pick(rng, _ANYTHING), SHAPE_NAMES
    elif shape in _BOXES and rng.random() < 0.4:
        word, shapes = "box", _BOXES
    else:
        word, shapes = pick(rng, SYNONYMS.get(shape, (shape,))), (shape,)
    prefix = f"{color} " if color else ""
    found = tuple(t for t in scene.things if t.shape in shapes and color in (None, t.color))
    return Query(prefix + word, prefix + pluralize(word), found)


def _absent(rng: np.random.Generator, scene: Scene) -> Query:
    """A name that fits nothing, more often than not close to what is there.

    Pairs held out of training are named only beside such pairs: always absent where a model learns, they would teach
    it to say so.
    """
    shapes = {t.shape for t in scene.things} | ({*_BOXES} if any(t.shape in _BOXES for t in scene.things) else set())
    colors = {t.color for t in scene.things}
    for _ in range(20):
        shape: str | None = pick(rng, SHAPE_NAMES)
        color: str | None = pick(rng, COLOR_NAMES)
        near = rng.random()
        if near < 0.35 and shapes:
            shape = pick(rng, sorted(shapes))
        elif near < 0.7 and colors:
            color = pick(rng, sorted(colors))
        if rng.random() < 0.25:
            color = None
        elif rng.random() < 0.15:
            shape = None
        strange = shape is not None and color is not None and held_out_pair(shape, color)
        if strange and not any(held_out_pair(t.shape, t.color) for t in scene.things):
            continue
        if not (query := _query(rng, scene, shape, color)).things:
            return query
    return _query(rng, scene, next(s for s in SHAPE_NAMES if s not in shapes), None)


_EXTREMES: dict[str, Callable[[Thing], float]] = {
    "largest": lambda t: t.area,
    "biggest": lambda t: t.area,
    "smallest": lambda t: -t.area,
    "leftmost": lambda t: -t.center[0],
    "rightmost": lambda t: t.center[0],
    "topmost": lambda t: -t.center[1],
    "bottom": lambda t: t.center[1],
}


def _superlative(rng: np.random.Generator, scene: Scene, thing: Thing) -> Query:
    """The largest star, the leftmost shape: only where the answer is clear."""
    word = pick(rng, tuple(_EXTREMES))
    by_shape = rng.random() < 0.4
    rivals = [t for t in scene.things if not by_shape or t.shape == thing.shape]
    measure = _EXTREMES[word]
    ranked = sorted(rivals, key=measure, reverse=True)
    if len(ranked) > 1:
        first, second = measure(ranked[0]), measure(ranked[1])
        clear = abs(first) > 1.35 * abs(second) or abs(second) > 1.35 * abs(first)
        if not (clear if word in ("largest", "biggest", "smallest") else abs(first - second) > 8):
            return _query(rng, scene, thing.shape, thing.color)
    return Query(f"{word} {thing.shape if by_shape else pick(rng, _ANYTHING)}", "", (ranked[0],))
