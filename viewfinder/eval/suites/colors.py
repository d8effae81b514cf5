"""Questions for one color word: how an answer is read, and what it is to be right."""

import re

from viewfinder.data.synth.shapes import COLOR_NAMES
from viewfinder.eval.answer_format import AnswerFormat
from viewfinder.eval.question import ModelAnswer, Question

_WORD = re.compile(rf"\b({'|'.join((*COLOR_NAMES, 'grey'))})\b", re.IGNORECASE)


def _read(answer: ModelAnswer, question: Question) -> str | None:
    found = _WORD.search(answer.text)
    return found[1].lower().replace("grey", "gray") if found else None


color = AnswerFormat(
    "first-colour/1", _read, lambda q, s: str(q.truth), lambda q, s, rng: rng.choice(COLOR_NAMES), lambda q, s: "red"
)
"""`truth` is a color; the first color named counts."""


def color_right(prediction: str | None, question: Question) -> float:
    return float(prediction == question.truth)
