"""Short answers about attributes, about relations, and about one of several pictures; exact."""

import random
import re
from typing import Any

import numpy as np

from viewfinder.data.synth.queries import thing_label
from viewfinder.data.synth.questions import TASKS as TURNS
from viewfinder.data.synth.scene import Thing
from viewfinder.eval.builtin.drawing import builtin, picture, size_of
from viewfinder.eval.forms import Form, text
from viewfinder.eval.question import Question, Sight
from viewfinder.eval.suites.drawing import only_ones, scene
from viewfinder.messages import user

KINDS = ("attribute", "relation", "several pictures")
SIDES = {
    "to the left of": lambda a, b: a.box[2] <= b.box[0],
    "to the right of": lambda a, b: a.box[0] >= b.box[2],
    "above": lambda a, b: a.box[3] <= b.box[1],
    "below": lambda a, b: a.box[1] >= b.box[3],
}
OPPOSITE = {
    "to the left of": "to the right of",
    "above": "below",
    "to the right of": "to the left of",
    "below": "above",
}


def ask(rng: np.random.Generator, number: int) -> Question | None:
    """The three kinds by turns."""
    kind = KINDS[number % len(KINDS)]
    return {"attribute": _attribute, "relation": _relation, "several pictures": _several}[kind](rng, number)


def _attribute(rng: np.random.Generator, number: int) -> Question | None:
    """The short questions of training, about scenes with held-out pairs."""
    made = scene(rng, size_of(rng), things=(1, 3), lines=(0, 1))
    turn = TURNS["ask"](rng, made)
    if turn.question == "What is in the image?":
        return None
    return Question(f"{number}", (user(picture(made.image), turn.question),), turn.answer, {"kind": "attribute"})


def _relation(rng: np.random.Generator, number: int) -> Question | None:
    """Whether one thing stands on a side of another: yes and no by turns."""
    made = scene(rng, size_of(rng), things=(2, 3), thing_size=(0.15, 0.35), pairs="all")
    pairs = [(a, b, side) for a in made.things for b in made.things for side in _sides(a, b)]
    if not pairs:
        return None
    a, b, side = pairs[int(rng.integers(len(pairs)))]
    if sum(thing_label(t) in (thing_label(a), thing_label(b)) for t in made.things) != 2:
        return None
    yes = number // len(KINDS) % 2 == 0
    asked = f"Is the {thing_label(a)} {side if yes else OPPOSITE[side]} the {thing_label(b)}?"
    answer = "Yes" if yes else "No"
    return Question(f"{number}", (user(picture(made.image), asked),), answer, {"kind": "relation"}, ("Yes", "No"))


def _sides(a: Thing, b: Thing) -> list[str]:
    return [side for side, holds in SIDES.items() if a is not b and holds(a, b)]


def _several(rng: np.random.Generator, number: int) -> Question | None:
    """Two to four pictures; the colour of a shape that only one of them has."""
    scenes = [scene(rng, (112, 112), thing_size=(0.3, 0.5), pairs="all") for _ in range(int(rng.integers(2, 5)))]
    things = [made.things[0] for made in scenes]
    alone = only_ones(things)
    if not alone:
        return None
    thing = alone[int(rng.integers(len(alone)))]
    parts = [picture(made.image) for made in scenes]
    messages = (user(*parts, f"What color is the {thing.shape}?"),)
    return Question(f"{number}", messages, thing.color, {"kind": "several pictures", "pictures": str(len(parts))})


def exact(prediction: Any, question: Question) -> float:
    """Equal but for case, a final full stop and white space."""
    return float(_bare(str(prediction or "")) == _bare(str(question.truth)))


def _bare(said: str) -> str:
    return re.sub(r"\s+", " ", said).strip().rstrip(".").lower()


def _guess(question: Question, sight: Sight, rng: random.Random) -> str:
    return rng.choice(question.choices or ("red", "blue", "green", "white", "star", "circle", "1", "2", "Yes", "No"))


_ANSWER = Form("text/1", text.read, text.write, _guess, lambda question, sight: "red")

TASKS = (builtin("ask", "Attributes, relations, several pictures, exact", ask, _ANSWER, exact, max_new_tokens=32),)
