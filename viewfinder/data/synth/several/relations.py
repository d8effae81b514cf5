"""The kind "relations": attributes of shapes and how they stand to one another: side, size, order, sameness, counts."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick, weighted
from viewfinder.data.synth.exchange import Exchange, converse
from viewfinder.data.synth.grounding import sides
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.queries import pluralize, thing_label
from viewfinder.data.synth.scene import Scene, Thing, make_scene
from viewfinder.data.synth.scene_style import SceneStyle


def make(rng: np.random.Generator, options: Options) -> Sample:
    """A scene of shapes and one to three questions about how they stand."""
    hard = options.difficulty
    style = SceneStyle(
        things=(2, 3 + round(6 * hard)),
        lines=(0, 0),
        thing_size=(0.2 - 0.12 * hard, 0.42 - 0.1 * hard),
        pairs="train" if options.split == "train" else "held_out",
        repeat=0.5,
    )
    width, height = options.size(rng, aspect=1.8)
    size = (28 * max(4, round(width / 28)), 28 * max(4, round(height / 28))) if hard < 0.35 else (width, height)
    scene = make_scene(rng, size, style)
    exchanges: dict[str, Exchange] = {}
    for _ in range(number(rng, 1, 3)):
        one = _ask(rng, scene)
        exchanges.setdefault(one.question, one)
    return converse(list(exchanges.values()), scene.image, lineage=("scenes",))


_Ask = Callable[[np.random.Generator, list[Thing]], tuple[str, str] | None]


def _ask(rng: np.random.Generator, scene: Scene) -> Exchange:
    things = list(scene.things)
    for _ in range(8):
        pair = weighted(rng, _WEIGHTS)(rng, things)
        if pair is not None:
            return Exchange("relation", *pair, truth={"answer": pair[1]})
    return Exchange("relation", "How many shapes are there?", str(len(things)), truth={"answer": str(len(things))})


def _alone(things: list[Thing]) -> list[Thing]:
    labels = [thing_label(t) for t in things]
    return [t for t in things if labels.count(thing_label(t)) == 1]


def _two(rng: np.random.Generator, things: list[Thing]) -> tuple[Thing, Thing] | None:
    alone = _alone(things)
    if len(alone) < 2:
        return None
    a, b = (alone[int(i)] for i in rng.permutation(len(alone))[:2])
    return a, b


_OTHER = {"to the left of": "to the right of", "to the right of": "to the left of", "above": "below", "below": "above"}


def _side(rng: np.random.Generator, things: list[Thing]) -> tuple[str, str] | None:
    pair = _two(rng, things)
    if pair is None or not (words := sides(*(t.box for t in pair))):
        return None
    a, b = (thing_label(t) for t in pair)
    word = pick(rng, words)
    if chance(rng, 0.5):
        asked = word if chance(rng, 0.5) else _OTHER[word]
        return f"Is the {a} {asked} the {b}?", "Yes" if asked == word else "No"
    if len(words) == 1:
        return f"Where is the {a} relative to the {b}?", f"{word[0].upper()}{word[1:]} it."
    return f"Where is the {a} relative to the {b}?", f"{' and '.join(words).capitalize()} it."


def _larger(rng: np.random.Generator, things: list[Thing]) -> tuple[str, str] | None:
    pair = _two(rng, things)
    if pair is None:
        return None
    a, b = pair
    if max(a.area, b.area) < 1.4 * min(a.area, b.area):
        return None
    word = pick(rng, ("larger", "smaller"))
    best = max(pair, key=lambda t: t.area if word == "larger" else -t.area)
    return f"Which is {word}, the {thing_label(a)} or the {thing_label(b)}?", f"The {thing_label(best)}."


def _order(rng: np.random.Generator, things: list[Thing]) -> tuple[str, str] | None:
    """All shapes from one side to the other, where no two stand on a level."""
    across = chance(rng, 0.5)
    place = [t.center[0 if across else 1] for t in things]
    ordered = sorted(range(len(things)), key=place.__getitem__)
    near = any(place[b] - place[a] < 8 for a, b in pairwise(ordered))
    if near or len(things) < 2:
        return None
    words = "left to right" if across else "top to bottom"
    return f"Name the shapes from {words}.", ", ".join(thing_label(things[i]) for i in ordered)


def _same(rng: np.random.Generator, things: list[Thing]) -> tuple[str, str] | None:
    pair = _two(rng, things)
    if pair is None:
        return None
    a, b = pair
    if chance(rng, 0.5) and a.shape != b.shape:
        return f"Do the {a.color} {a.shape} and the {b.color} {b.shape} have the same color?", _yes(a.color == b.color)
    if [t.color for t in things].count(a.color) == 1:
        return f"What shape is {a.color}?", a.shape
    return None


def _yes(holds: bool) -> str:
    return "Yes" if holds else "No"


def _nearest(rng: np.random.Generator, things: list[Thing]) -> tuple[str, str] | None:
    alone = _alone(things)
    if len(alone) < 3:
        return None
    thing = pick(rng, alone)
    rest = sorted((t for t in things if t is not thing), key=lambda t: _distance(thing, t))
    if _distance(thing, rest[1]) < 1.3 * _distance(thing, rest[0]) or rest[0] not in alone:
        return None
    return f"Which shape is closest to the {thing_label(thing)}?", f"The {thing_label(rest[0])}."


def _distance(a: Thing, b: Thing) -> float:
    return float(np.hypot(a.center[0] - b.center[0], a.center[1] - b.center[1]))


def _how_many(rng: np.random.Generator, things: list[Thing]) -> tuple[str, str] | None:
    """Counts by color, by shape, or of those beyond another."""
    if not things:
        return None
    thing = pick(rng, things)
    kind = number(rng, 0, 2)
    if kind == 0:
        return f"How many {thing.color} shapes are there?", str(sum(t.color == thing.color for t in things))
    if kind == 1:
        return f"How many {pluralize(thing.shape)} are there?", str(sum(t.shape == thing.shape for t in things))
    if thing not in _alone(things):
        return None
    others = [t for t in things if t is not thing]
    left = [t for t in others if t.box[2] <= thing.box[0]]
    if len(left) + sum(t.box[0] >= thing.box[2] for t in others) < len(others):
        return None
    return f"How many shapes are to the left of the {thing_label(thing)}?", str(len(left))


def _attribute(rng: np.random.Generator, things: list[Thing]) -> tuple[str, str] | None:
    word, key = pick(
        rng,
        (
            ("largest", lambda t: t.area),
            ("smallest", lambda t: -t.area),
            ("leftmost", lambda t: -t.center[0]),
            ("rightmost", lambda t: t.center[0]),
        ),
    )
    ranked = sorted(things, key=key, reverse=True)
    if len(ranked) < 2:
        return None
    first, second = abs(key(ranked[0])), abs(key(ranked[1]))
    clear = max(first, second) > 1.3 * min(first, second) if "est" in word else abs(first - second) > 8
    if not clear:
        return None
    what = pick(rng, ("color", "shape"))
    return f"What {what} is the {word} shape?", ranked[0].color if what == "color" else ranked[0].shape


_WEIGHTS: dict[_Ask, float] = {
    _side: 3.0,
    _larger: 1.5,
    _order: 1.0,
    _same: 1.0,
    _nearest: 1.0,
    _how_many: 1.5,
    _attribute: 2.0,
}
