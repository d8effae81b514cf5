"""Short answers about attributes, about relations, and about one of several pictures; exact."""

import random
import re
from typing import Any

import numpy as np

from viewfinder.data.synth.questions import TASKS as TURNS
from viewfinder.eval.answer_format import AnswerFormat, text
from viewfinder.eval.builtin.drawing import builtin, first_turn, has, held_out, size_of
from viewfinder.eval.drawn import picture, scene
from viewfinder.eval.question import Question, Sight
from viewfinder.messages import user

KINDS = ("attribute", *(kind for kind in ("relations", "compare") if has(kind)))
LONGEST = 60
"""Characters of an answer that can be asked for to the letter."""


def ask(rng: np.random.Generator, number: int) -> Question | None:
    """The three kinds by turns."""
    kind = KINDS[number % len(KINDS)]
    if kind == "attribute":
        return _attribute(rng, number)
    return _of_kind(rng, number, kind, {"relations": "relation", "compare": "compare"}[kind])


def _attribute(rng: np.random.Generator, number: int) -> Question | None:
    """The short questions of training, about scenes with held-out pairs."""
    made = scene(rng, size_of(rng), things=(1, 3), lines=(0, 1))
    turn = TURNS["ask"](rng, made)
    if turn.question == "What is in the image?":
        return None
    tags = {"kind": "attribute", "pictures": "1"}
    return Question(f"{number}", (user(picture(made.image), turn.question),), {"answers": [turn.answer]}, tags)


def _of_kind(rng: np.random.Generator, number: int, kind: str, task: str) -> Question | None:
    """A held-out conversation's first question, if its answer is short; its words or the value alone are right."""
    sample = held_out(kind, rng, task, min_side=112, max_side=224)
    if sample is None:
        return None
    asked, answer, truth = first_turn(sample)
    if len(answer) >= LONGEST:
        return None
    tags = {"kind": kind, "pictures": str(sum(part.type == "image" for part in asked.parts))}
    return Question(f"{number}", (asked,), {"answers": [answer, str(truth["answer"])]}, tags)


def exact(prediction: Any, question: Question) -> float:
    """Equal but for case, a final full stop and white space."""
    return float(_bare(str(prediction or "")) in [_bare(answer) for answer in question.truth["answers"]])


def _bare(said: str) -> str:
    return re.sub(r"\s+", " ", said).strip().rstrip(".").lower()


def _guess(question: Question, sight: Sight, rng: random.Random) -> str:
    return rng.choice(question.choices or ("red", "blue", "green", "white", "star", "circle", "1", "2", "Yes", "No"))


_ANSWER = AnswerFormat("text/1", text.read, text.write, _guess, lambda question, sight: "red")

TASKS = (builtin("ask", "Attributes, relations, several pictures, exact", ask, _ANSWER, exact, max_new_tokens=32),)
