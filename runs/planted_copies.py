"""Copies of samples, as they are and changed a little, and evaluation items that leaked into training."""

import io
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from filter_table import Line, kept
from PIL import Image
from planted_in_pages import with_text

from viewfinder.data.catalogue import OPERATORS
from viewfinder.data.records import record_to_sample, sample_to_record
from viewfinder.data.sample import Sample, say
from viewfinder.data.shards import write_shards
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, Message


def stored(sample: Sample, quality: str = "png") -> Sample:
    return record_to_sample(*sample_to_record(sample, quality))


def changed_picture(sample: Sample, change: Callable[[Image.Image], Image.Image], words: str | None = None) -> Sample:
    first = sample.messages[0]
    parts = tuple(
        ImagePart(image=change(load_image(p.image).image)) if isinstance(p, ImagePart) else p for p in first.parts
    )
    sample = replace(sample, messages=(first.model_copy(update={"parts": parts}), *sample.messages[1:]))
    return (
        sample
        if words is None
        else replace(sample, messages=(say("user", *parts[:1], words), say("assistant", "Yes.")))
    )


def jpeg(image: Image.Image) -> Image.Image:
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=60)
    return Image.open(io.BytesIO(sink.getvalue())).convert("RGB")


def shrunk(image: Image.Image) -> Image.Image:
    return image.resize((max(8, image.width * 7 // 10), max(8, image.height * 7 // 10)))


def cropped(image: Image.Image) -> Image.Image:
    dx, dy = image.width // 50, image.height // 50
    return image.crop((dx, dy, image.width - dx, image.height - dy))


def brighter(image: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(image, np.float32) * 1.03).clip(0, 255).astype(np.uint8))


COPIES = {"JPEG 60": jpeg, "70 % of the size": shrunk, "2 % cropped": cropped, "3 % brighter": brighter}


def few_words_changed(sample: Sample, rng: random.Random) -> Sample:
    def change(text: str) -> str:
        words = text.split(" ")
        for i in rng.sample(range(len(words)), max(1, len(words) // 40)):
            words[i] = "changed"
        return " ".join(words)

    return with_text(sample, change)


def duplicate_lines(pictures: Sequence[Sample], pages: Sequence[Sample]) -> list[Line]:
    result: list[Line] = []
    rng = random.Random(5)
    near = OPERATORS["near_duplicates"]()

    def lines(name: str, operator: Any, clean: Sequence[Sample], copies: Sequence[Sample], fault: str) -> None:
        summaries = [json.loads(json.dumps(operator.summary(sample))) for sample in (*clean, *copies)]
        dropped = operator.decide(summaries)
        false = sum(i < len(clean) for i in dropped)
        result.append(Line(name, fault, len(dropped) - false, len(copies), false, len(clean)))

    exact = OPERATORS["exact_duplicates"]()()
    lines("exact_duplicates", exact, pictures, [stored(s) for s in map(stored, pictures)], "stored twice")
    for fault, change in COPIES.items():
        copies = [changed_picture(sample, change) for sample in pictures]
        lines("near_duplicates both", near("both"), pictures, copies, fault)
    asked = [changed_picture(sample, jpeg, "Is this a drawing?") for sample in pictures]
    lines("near_duplicates media", near("media"), pictures, asked, "same picture, other question")
    text = [replace(with_text(s, lambda t: t), messages=tuple(_text_only(s))) for s in pages]
    lines(
        "near_duplicates text", near("text"), text, [few_words_changed(s, rng) for s in text], "one word in 40 changed"
    )
    return result


def _text_only(sample: Sample) -> list[Message]:
    words = "\n".join(m.text for m in sample.messages if m.role == "assistant")
    return [say("user", "Continue."), say("assistant", words)]


def leak_lines(pictures: Sequence[Sample], pages: Sequence[Sample]) -> list[Line]:
    half = len(pictures) // 2
    held, training = list(pictures[:half]), list(pictures[half:])
    result: list[Line] = []
    with tempfile.TemporaryDirectory() as folder:
        write_shards(map(stored, held), Path(folder) / "held")
        operator = OPERATORS["contamination"]()(str(Path(folder) / "held"))
        false = sum(not kept(operator, sample) for sample in training)
        for fault, change in {"same": lambda image: image, **COPIES}.items():
            leaked = [changed_picture(sample, change, "What is shown?") for sample in held]
            found = sum(not kept(operator, sample) for sample in leaked)
            result.append(Line("contamination", f"picture, {fault}", found, len(leaked), false, len(training)))
        questions = [" ".join(m.text for m in s.messages if m.role == "assistant").split()[:40] for s in pages]
        questions = [" ".join(words) for words in questions if len(words) == 40]
        cut = len(questions) // 2
        (Path(folder) / "items.jsonl").write_text("\n".join(json.dumps({"question": q}) for q in questions[:cut]))
        operator = OPERATORS["contamination"]()(str(Path(folder) / "items.jsonl"))
        asked = [
            Sample(messages=(say("user", f"Question: {q.upper()}?"), say("assistant", "x")), task="ask")
            for q in questions
        ]
        found = sum(not kept(operator, sample) for sample in asked[:cut])
        false = sum(not kept(operator, sample) for sample in asked[cut:])
        result.append(
            Line("contamination", "question in a longer text, other case", found, cut, false, len(asked) - cut)
        )
    return result
