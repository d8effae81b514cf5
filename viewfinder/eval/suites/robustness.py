"""Robustness: one box and one color under blur, JPEG, noise, rotation, occlusion and distractors.

Each corruption comes in two strengths beside the clean picture of the same scenes, so a difference is the
corruption's alone. The truth follows what is done: a turned picture has a turned box.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from viewfinder.data.synth.queries import thing_label
from viewfinder.eval.answer_format import box
from viewfinder.eval.drawn import scene, suite, where
from viewfinder.eval.question import Question
from viewfinder.eval.scores import overlap
from viewfinder.eval.suites.place import box_total
from viewfinder.media.encode import Encoded, encode_picture

Box = tuple[float, float, float, float]
Corrupt = Callable[[np.random.Generator, Image.Image, Box, int], tuple[Image.Image | Encoded, Box]]
EACH = 8


def _blur(rng: np.random.Generator, image: Image.Image, place: Box, level: int) -> tuple[Image.Image, Box]:
    return image.filter(ImageFilter.GaussianBlur(1.2 * level)), place


def _jpeg(rng: np.random.Generator, image: Image.Image, place: Box, level: int) -> tuple[Encoded, Box]:
    return encode_picture(image, "JPEG", quality={1: 25, 2: 6}[level]), place


def _noise(rng: np.random.Generator, image: Image.Image, place: Box, level: int) -> tuple[Image.Image, Box]:
    pixels = np.asarray(image, np.float64) + rng.normal(0, 20 * level, (*image.size[::-1], 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), place


def _turn(rng: np.random.Generator, image: Image.Image, place: Box, level: int) -> tuple[Image.Image, Box]:
    """A quarter turn, or a half."""
    x1, y1, x2, y2 = place
    if level == 1:
        return image.transpose(Image.Transpose.ROTATE_90), (y1, image.width - x2, y2, image.width - x1)
    whole = (image.width - x2, image.height - y2, image.width - x1, image.height - y1)
    return image.transpose(Image.Transpose.ROTATE_180), whole


def _occlude(rng: np.random.Generator, image: Image.Image, place: Box, level: int) -> tuple[Image.Image, Box]:
    """A grey bar over a quarter or half of the thing's middle; its extent stays visible."""
    x1, y1, x2, y2 = place
    share = 0.25 * level
    middle, half = (x1 + x2) / 2, (x2 - x1) * share / 2
    copy = image.copy()
    ImageDraw.Draw(copy).rectangle((middle - half, y1 - 2, middle + half, y2 + 2), fill=(150, 150, 150))
    return copy, place


CORRUPTIONS: dict[str, Corrupt] = {"blur": _blur, "jpeg": _jpeg, "noise": _noise, "turn": _turn, "occlusion": _occlude}


def questions(_: Any) -> Iterator[Question]:
    rng = np.random.default_rng(20261129)
    for i in range(EACH):
        made = scene(rng, ((140, 112), (112, 140))[i % 2], thing_size=(0.35, 0.55))
        label = thing_label(made.things[0])
        place: Box = tuple(map(float, made.things[0].box))  # type: ignore[assignment]
        yield _question(f"clean/0/{i}", made.image, place, label, "clean", 0)
        for name, corrupt in CORRUPTIONS.items():
            for level in (1, 2):
                image, moved = corrupt(rng, made.image, place, level)
                yield _question(f"{name}/{level}/{i}", image, moved, label, name, level)
    for level, things in ((1, (3, 3)), (2, (6, 6))):
        for i in range(EACH):
            crowded = scene(rng, (168, 168), things=things, thing_size=(0.16, 0.3), pairs="all")
            target = crowded.things[0]
            same = [t for t in crowded.things if thing_label(t) == thing_label(target)]
            if len(same) == 1:
                place = tuple(map(float, target.box))  # type: ignore[assignment]
                yield _question(
                    f"distractors/{level}/{i}", crowded.image, place, thing_label(target), "distractors", level
                )


def _question(id: str, image: Image.Image | Encoded, place: Box, label: str, name: str, level: int) -> Question:
    return where(id, image, f"the {label}", place, {"corruption": f"{name} {level}" if level else name, "label": label})


TASKS = (
    suite(
        "robustness",
        "Robustness: one box under corruptions, IoU of a half",
        questions,
        box,
        overlap,
        total=box_total,
        max_new_tokens=96,
    ),
)
