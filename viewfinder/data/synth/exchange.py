"""One question and its answer, and conversations of them: what every kind of generated sample ends in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from PIL import Image

from viewfinder.data.sample import Sample, say
from viewfinder.data.synth.choose import chance
from viewfinder.messages import Message


@dataclass(frozen=True)
class Exchange:
    """A question and an answer about what is shown.

    Attributes:
        task: what it teaches.
        question, answer: the words; places in pixels of the pictures.
        form, question_form: how places are written in the answer and in the question (`Sample.forms`).
        truth: the answer as values.
        system: words of a system turn that the answer's form depends on; then it stands alone.
    """

    task: str
    question: str
    answer: str
    form: str = ""
    question_form: str = ""
    truth: dict[str, Any] = field(default_factory=dict)
    system: str = ""


def one_or_two(rng: np.random.Generator, ask: Callable[[], Exchange], second: float = 0.3) -> list[Exchange]:
    """An exchange, with probability `second` another that asks something else."""
    exchanges = [ask()]
    if chance(rng, second):
        another = ask()
        exchanges += [another] if another.question != exchanges[0].question else []
    return exchanges


def converse(
    exchanges: Sequence[Exchange],
    *pictures: Image.Image,
    license: str = "Apache-2.0",
    language: str = "en",
    lineage: tuple[str, ...] = (),
    device: Literal["mobile", "computer"] | None = None,
) -> Sample:
    """A conversation: the pictures before the first question, then turn after turn."""
    messages: list[Message] = []
    forms: list[str] = []
    shown: tuple[Image.Image, ...] = pictures
    for exchange in exchanges:
        if exchange.system:
            messages.append(say("system", exchange.system))
            forms.append("")
        messages += [say("user", *shown, exchange.question), say("assistant", exchange.answer)]
        forms += [exchange.question_form, exchange.form]
        shown = ()
    return Sample(
        messages=tuple(messages),
        task="+".join(one.task for one in exchanges),
        truth={"turns": [one.truth for one in exchanges]},
        language=language,
        license=license,
        lineage=lineage,
        forms=tuple(forms),
        device=device,
    )
