"""What the pieces share: a random generator a question, held-out options of the data engine, its first turns, tasks."""

import zlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.data.sample import Sample
from viewfinder.data.synth import kinds
from viewfinder.eval.answer_format import AnswerFormat
from viewfinder.eval.drawn import picture
from viewfinder.eval.question import Question
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.messages import ImagePart, Message, Part

SEED = 977_202_611
"""Of no training run."""
SIZES = ((112, 112), (140, 112), (112, 140), (168, 112), (112, 168), (168, 168), (224, 168), (168, 224), (224, 224))
QUESTIONS = 50


def rng_of(task: str, number: int) -> np.random.Generator:
    """The generator of question `number` of a task."""
    return np.random.default_rng((SEED, zlib.crc32(task.encode()), number))


def size_of(rng: np.random.Generator) -> tuple[int, int]:
    """(width, height) in whole tokens."""
    return SIZES[int(rng.integers(len(SIZES)))]


QuestionGenerator = Callable[[np.random.Generator, int], Question | None]


def endless(name: str, make: QuestionGenerator) -> Callable[[Any], Iterator[Question]]:
    """Questions 0, 1, 2 ... of a task; a `make` that gives None is asked again with the next generator."""

    def questions(_: Any) -> Iterator[Question]:
        number = 0
        for draw in count():
            made = make(rng_of(name, draw), number)
            if made is not None:
                yield made
                number += 1

    return questions


def builtin(name: str, title: str, make: QuestionGenerator, form: AnswerFormat, score: Any, **fields: Any) -> Task:
    """A task of the table."""
    fields = {"settings": MediaSettings(), "family": "builtin", "count": QUESTIONS, **fields}
    return Task(f"builtin_{name}", title, endless(name, make), form, score, **fields)


def first_turn(sample: Sample) -> tuple[Message, str, dict[str, Any]]:
    """The first question of a sample with its media, the answer, and the truth."""
    asked = next(m for m in sample.messages if m.role == "user")
    answer = next(m for m in sample.messages if m.role == "assistant").text
    parts: tuple[Part, ...] = tuple(_encoded(part) for part in asked.parts)
    turns = sample.truth.get("turns") or [sample.truth]
    return asked.model_copy(update={"parts": parts}), answer, turns[0]


def _encoded(part: Part) -> Part:
    if isinstance(part, ImagePart) and isinstance(part.image, Image.Image):
        return part.model_copy(update={"image": picture(part.image).image})
    return part


def has(kind: str) -> bool:
    """Whether the data engine can draw this kind."""
    return kind in kinds.KINDS


def held_out(kind: str, rng: np.random.Generator, task: str, **options: Any) -> Sample | None:
    """A held-out sample of a kind whose first turn is of `task` ("locate" of "locate+ask"), or None."""
    wanted = kinds.Options(**{"split": "held_out", "difficulty": 0.3, **options})
    sample = kinds.find_kind(kind).generator()(rng, wanted)
    return sample if sample.task.split("+")[0] == task and sample.messages[0].role == "user" else None
