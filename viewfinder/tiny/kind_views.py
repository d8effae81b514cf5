"""Samples of the kinds (pages, bills, charts, screens, ...) for the built-in model, with token labels.

The text on them is known (`data.synth.drawn_text`), so letters are asked of every token, and answers that repeat it or
name places have answer labels. A conversation with several pictures has no answer labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.data.places import prepare
from viewfinder.data.sample import Sample
from viewfinder.data.synth import kinds
from viewfinder.data.synth.choose import weighted
from viewfinder.data.synth.drawn_text import moved, written_on
from viewfinder.errors import DataError
from viewfinder.inputs import ModelInputs
from viewfinder.media.image import Picture
from viewfinder.messages import ImagePart
from viewfinder.processor.processor import Prepared, Processor
from viewfinder.tiny.answer_labels import Labels, Turns, text_answer_labels
from viewfinder.tiny.token_labels import ANSWER_HEADS, IGNORE, written_labels


@dataclass(frozen=True)
class KindStyle:
    """Which kinds, and how large and difficult.

    Attributes:
        weights: weight of each kind, or of the functions in `generators`, by name.
        sides: smallest and largest side of a picture, pixels.
        difficulty: smallest and largest, 0 to 1.
        longest: tokens of a conversation; longer ones are drawn again.
        generators: functions for what is not among the kinds, by name.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: {"pages": 1.0})
    sides: tuple[int, int] = (112, 280)
    difficulty: tuple[float, float] = (0.0, 0.4)
    longest: int = 640
    generators: Mapping[str, kinds.SampleGenerator] = field(default_factory=dict)


def make_view(rng: np.random.Generator, processor: Processor, style: KindStyle) -> tuple[ModelInputs, Labels]:
    """One conversation of a kind as the model sees it, and its labels.

    Raises:
        DataError: a kind that does not exist or needs what is not installed; or none of many draws could be made.
    """
    for _ in range(_DRAWS):
        name = weighted(rng, style.weights)
        generator = style.generators[name] if name in style.generators else kinds.find_kind(name).generator()
        options = kinds.Options(*style.sides, difficulty=float(rng.uniform(*style.difficulty)))
        try:
            sample = generator(rng, options)
            shown = prepare(sample, processor)
        except DataError:
            continue  # this one cannot be made; the next draw decides
        if len(shown.inputs.input_ids) <= style.longest and shown.media:
            shows = [part.image for part in sample.media if isinstance(part, ImagePart)]
            pictures = [one.image if isinstance(one, Picture) else one for one in shows]
            return shown.inputs, _labels(processor, shown, pictures, _turns_of(sample))
    names, (least, most) = ", ".join(style.weights), style.sides
    raise DataError(
        f"none of {_DRAWS} samples of {names} between {least} and {most} pixels has a picture and at most "
        f"{style.longest} tokens, so there is nothing to train on; raise `longest` or lower the sides"
    )


_DRAWS = 200


def _turns_of(sample: Sample) -> list[dict[str, Any]]:
    """What is true of each answer; of samples that keep it otherwise nothing is known."""
    answers = sum(message.role == "assistant" for message in sample.messages)
    turns = sample.truth.get("turns", ())
    return list(turns) if len(turns) == answers else [{}] * answers


def _labels(processor: Processor, shown: Prepared, pictures: list[Image.Image], turns: Turns) -> Labels:
    found: list[Labels] = []
    alone: Labels = {name: np.full(len(shown.inputs.input_ids), IGNORE) for name in ANSWER_HEADS}
    for picture, transform in zip(pictures, shown.transforms, strict=True):
        noted = written_on(picture)
        lines = None if noted is None else [moved(line, transform.to_model) for line in noted]
        found.append(written_labels(transform.resized_size, lines).as_dict())
        if len(pictures) == 1:
            alone = text_answer_labels(processor, shown.inputs, lines or (), turns)
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]} | alone
