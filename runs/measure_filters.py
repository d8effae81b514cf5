"""How well the filters find planted faults, and what they keep: precision and recall by fault, yield by stage.

    python runs/measure_filters.py --pages DIR [--count 150] [--json OUT.json]

`--pages` is a folder of real web pages with pictures (a manual, say); everything else is generated. Precision is that
of one faulty sample for every clean one. Faults that no measure without a model can see are planted too, and show as
missed.
"""

import argparse
import json
import random
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from viewfinder.data.catalogue import OPERATORS
from viewfinder.data.plan import Bad, build_plan
from viewfinder.data.records import record_to_sample, sample_to_record
from viewfinder.data.runner import run_plan
from viewfinder.data.sample import Sample, say
from viewfinder.data.shards import write_shards
from viewfinder.data.synth.kinds import KINDS, Options, make
from viewfinder.errors import DataError
from viewfinder.media.image import load_image
from viewfinder.messages import ImagePart, Message, Reply, TextPart

Fault = Callable[[Sample, random.Random], Sample | None]


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    filter: str
    fault: str
    found: int
    planted: int
    false: int
    clean: int

    @property
    def recall(self) -> float:
        return self.found / max(1, self.planted)

    @property
    def precision(self) -> float:
        wrong = self.false / max(1, self.clean)
        return self.recall / (self.recall + wrong) if self.recall + wrong else float("nan")


def kept(operator: Any, sample: Sample) -> bool:
    """Whether an operator lets a sample through."""
    try:
        return any(not isinstance(one, Bad) for one in operator(sample))
    except DataError:
        return False


def lines_of(name: str, operator: Any, clean: Sequence[Sample], faults: dict[str, Fault], seed: int = 0) -> list[Line]:
    rng = random.Random(seed)
    false = sum(not kept(operator, sample) for sample in clean)
    result = []
    for fault, plant in faults.items():
        planted = [faulty for sample in clean if (faulty := plant(sample, rng)) is not None]
        found = sum(not kept(operator, sample) for sample in planted)
        result.append(Line(name, fault, found, len(planted), false, len(clean)))
    return result


# Documents


def documents(pages: Path, count: int) -> list[Sample]:
    source = build_plan({"source": {"name": "html", "path": str(pages)}}).source
    chosen = random.Random(1).sample(range(len(source)), min(len(source), 2 * count))
    rows = (next(iter(source.read(i, i + 1))) for i in chosen)
    return [row for row in rows if isinstance(row, Sample) and row.media and len(row.messages) < 40][:count]


def with_text(sample: Sample, change: Callable[[str], str]) -> Sample:
    """The assistant's words changed."""
    messages = [
        m if m.role != "assistant" else m.model_copy(update={"parts": (TextPart(text=change(m.text) or "x"),)})
        for m in sample.messages
    ]
    return replace(sample, messages=tuple(messages))


def with_pictures(
    sample: Sample, change: Callable[[Any], Any], said: Callable[[dict[str, Any]], dict[str, Any]]
) -> Sample:
    """Every picture, and what the page says of it, changed."""
    messages = [
        m.model_copy(update={"parts": tuple(change(p) if isinstance(p, ImagePart) else p for p in m.parts)})
        for m in sample.messages
    ]
    pictures = [said(dict(one)) for one in sample.truth.get("pictures", [])]
    return replace(sample, messages=tuple(messages), truth={**sample.truth, "pictures": pictures})


def document_faults(clean: Sequence[Sample]) -> dict[str, Fault]:
    alphabet = "abcdefghijklmnopqrstuvwxyz"

    def noise(sample: Sample, rng: random.Random) -> Sample:
        def change(text: str) -> str:
            return "".join(rng.choice(alphabet) if c.isalpha() and rng.random() < 0.3 else c for c in text)

        return with_text(sample, change)

    def shuffled(sample: Sample, rng: random.Random) -> Sample:
        def change(text: str) -> str:
            words = text.split()
            rng.shuffle(words)
            return " ".join(words)

        return with_text(sample, change)

    def looped(sample: Sample, rng: random.Random) -> Sample:
        return with_text(sample, lambda t: "\n".join([t[:200]] * 6) + t)

    def frames(sample: Sample, rng: random.Random) -> Sample:
        junk = "Click here to subscribe now. Log in or sign up. Cookie policy. All rights reserved. "
        return with_text(sample, lambda t: t + "\n" + junk * max(2, len(t) // 120))

    def other(sample: Sample, rng: random.Random) -> Sample:
        donor = rng.choice([one for one in clean if one.id != sample.id])
        part, said = donor.media[0], donor.truth["pictures"][0]
        return with_pictures(sample, lambda _: part, lambda _: dict(said))

    def other_pixels(sample: Sample, rng: random.Random) -> Sample:
        donor = rng.choice([one for one in clean if one.id != sample.id])
        return with_pictures(sample, lambda _: donor.media[0], lambda said: said)

    def blank(sample: Sample, rng: random.Random) -> Sample:
        picture = ImagePart(image=Image.new("RGB", (300, 80), (rng.randrange(256), 90, 120)))
        return with_pictures(sample, lambda _: picture, lambda said: said)

    def repeats_caption(sample: Sample, rng: random.Random) -> Sample:
        said = [f"{one.get('alt', '')} {one.get('caption', '')}".strip() for one in sample.truth["pictures"]]
        return with_text(sample, lambda _: " ".join(said))

    def wordless(sample: Sample, rng: random.Random) -> Sample:
        return with_text(sample, lambda t: " ".join(t.split()[:2]))

    def wordy(sample: Sample, rng: random.Random) -> Sample | None:
        rest = "\n".join(m.text for one in clean for m in one.messages if m.role == "assistant")
        start = rng.randrange(max(1, len(rest) - 200_000))
        long = rest[start : start + 36_000 * len(sample.media)]
        if len(long) < 36_000 * len(sample.media):
            return None
        return replace(sample, messages=(*sample.messages[:-1], say("assistant", long)))

    return {
        "noise: 30 % of letters": noise, "noise: words shuffled": shuffled, "a passage six times over": looped,
        "boilerplate of half the text": frames, "unrelated picture with its own caption": other,
        "unrelated pixels, caption kept": other_pixels, "blank banner": blank,
        "text only repeats the caption": repeats_caption,
        "two words a picture": wordless, "6,000 words a picture": wordy,
    }  # fmt: skip


# Answers


def conversations(count: int) -> list[Sample]:
    """Samples of every kind that can be made here, the same number of each."""
    found: list[Sample] = []
    for name in KINDS:
        try:
            found += [make(name, 11, i, Options()) for i in range(max(1, count // len(KINDS)))]
        except DataError as error:
            print(f"left out: {error}", file=sys.stderr)
    return [replace(sample, domain="generated") for sample in found if all(m.text for m in sample.messages)]


def last(sample: Sample, text: str | None) -> Sample | None:
    """The last answer changed."""
    return None if text is None else replace(sample, messages=(*sample.messages[:-1], say("assistant", text)))


def answer_faults(clean: Sequence[Sample]) -> dict[str, Fault]:
    def cut(sample: Sample, rng: random.Random) -> Sample | None:
        text = sample.answer
        words = text.split()
        return last(sample, " ".join(words[: len(words) * 2 // 3])) if len(words) >= 6 else None

    def looped(sample: Sample, rng: random.Random) -> Sample | None:
        lines = sample.answer.splitlines()
        middle = max(lines, key=len)
        at = lines.index(middle)
        return (
            last(sample, "\n".join([*lines[: at + 1], *[middle] * 8, *lines[at + 1 :]])) if len(middle) > 12 else None
        )

    def outside(sample: Sample, rng: random.Random) -> Sample | None:
        text = re.sub(r"_2d\": \[(\d+)", lambda m: f'_2d": [{int(m[1]) + 9000}', sample.answer)
        return last(sample, text) if text != sample.answer else None

    def no_json(sample: Sample, rng: random.Random) -> Sample | None:
        text = re.sub(r"[\[\]{}\"]", "", sample.answer)
        return last(sample, text) if "_2d" in text else None

    def refusal(sample: Sample, rng: random.Random) -> Sample | None:
        return last(sample, "I'm sorry, but as an AI language model I cannot view images.")

    def swapped(sample: Sample, rng: random.Random) -> Sample | None:
        donor = rng.choice([one for one in clean if one.task != sample.task])
        return last(sample, donor.answer)

    def moved(sample: Sample, rng: random.Random) -> Sample | None:
        """A wrong place inside the picture: nothing but the picture tells."""
        text = re.sub(r"_2d\": \[(\d+), (\d+)", lambda m: f'_2d": [{int(m[1]) // 2}, {int(m[2]) // 2}', sample.answer)
        return last(sample, text) if text != sample.answer else None

    def nothing(sample: Sample, rng: random.Random) -> Sample | None:
        return last(sample, " ")

    return {
        "cut off": cut, "a line nine times": looped, "place outside the picture": outside,
        "list without brackets": no_json,
        "refusal": refusal, "empty": nothing, "answer of another task": swapped, "wrong place inside": moved,
    }  # fmt: skip


# Copies and leaks


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
    import io

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


# Reasoning


class Thinker:
    """Thinks about two prices on a picture, rightly or with one fault; without the picture it cannot know."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def chat(self, messages: Sequence[Message], **_: Any) -> Reply:
        image = next((p for m in messages for p in m.parts if isinstance(p, ImagePart)), None)
        if image is not None:
            a, b = image.image.info["prices"]
        elif len(told := re.findall(r"\d+", messages[0].text)) == 2:
            a, b = map(int, told)
        else:
            return Reply(text="I cannot see it.\nAnswer: 0")
        steps = f"The first tag says {a}. The second tag says {b}. Together {a} + {b} = {a + b}."
        answers = {
            "wrong answer": steps.replace(str(a + b), str(a + b + 3)) + f"\nAnswer: {a + b + 3}",
            "wrong sum on the way": f"First {a} + {b} = {a + b + 7}. That is not it.\nAnswer: {a + b}",
            "numbers from nowhere": f"The first tag says {a + 113}. The second says {b + 217}.\nAnswer: {a + b}",
            "other language": f"The tags say {a} and {b}. 我们把这两个数字加起来得到答案。\nAnswer: {a + b}",
            "in circles": "The tag is here and the tag is there and so it is. " * 20 + f"\nAnswer: {a + b}",
            "too long": steps + " " + " ".join(f"word{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}x" for i in range(500))
            + f"\nAnswer: {a + b}",
        }  # fmt: skip
        return Reply(text=answers.get(self.fault, steps + f"\nAnswer: {a + b}"))


def priced(i: int, told: bool = False) -> Sample:
    rng = random.Random(i)
    a, b = rng.randrange(20, 90), rng.randrange(20, 90)
    image = Image.new("RGB", (120, 80), "white")
    ImageDraw.Draw(image).text((10, 20), f"{a}   {b}", fill="black")
    image.info["prices"] = (a, b)
    text = f"One costs {a}, the other {b}. " * told + "What do both cost together?"
    return Sample(
        messages=(say("user", image, text), say("assistant", str(a + b))),
        task="maths", truth={"answer": a + b, "prices": [a, b]}, id=f"price-{i}",
    )  # fmt: skip


def reasoning_lines(count: int) -> list[Line]:
    samples = [priced(i) for i in range(count)]
    operator = OPERATORS["rejection"]()
    false = sum(not kept(operator(Thinker("")), sample) for sample in samples)
    faults = ["wrong answer", "wrong sum on the way", "numbers from nowhere", "other language", "in circles"]
    faults.append("too long")
    lines = [
        Line("rejection", fault, sum(not kept(operator(Thinker(fault)), s) for s in samples), count, false, count)
        for fault in faults
    ]
    told = [priced(i, told=True) for i in range(count)]
    found = sum(not kept(operator(Thinker("")), sample) for sample in told)
    return [*lines, Line("rejection", "picture not needed", found, count, false, count)]


def yields(pages: Sequence[Sample], pictures: Sequence[Sample]) -> dict[str, Any]:
    """One faulty sample in five through the whole of two plans: what each operator was given and let through."""
    rng = random.Random(9)
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, clean, faults, operators in (
            ("documents", pages, document_faults(pages), ["near_duplicates", "interleaved"]),
            ("answers", pictures, answer_faults(pictures), ["near_duplicates", "tag", "sft"]),
        ):  # fmt: skip
            plants = list(faults.values())
            bad = [plants[i % len(plants)](sample, rng) for i, sample in enumerate(clean[::5])]
            mixed = [*clean, *(one for one in bad if one is not None), *clean[: len(clean) // 10]]
            write_shards((replace(s, id=f"{i}") for i, s in enumerate(map(stored, mixed))), Path(folder) / name)
            out = Path(folder) / f"{name}-out"
            run_plan(
                {
                    "source": {"name": "shards", "path": str(Path(folder) / name)},
                    "operators": [{"name": one} for one in operators],
                },
                out,
            )
            result[name] = json.loads((out / "report.json").read_text())["operators"]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, required=True)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    pages = documents(given.pages, given.count)
    pictures = conversations(given.count)
    lines = lines_of("interleaved", OPERATORS["interleaved"]()(), pages, document_faults(pages))
    lines += lines_of("sft", OPERATORS["sft"]()(), pictures, answer_faults(pictures))
    seen = [sample for sample in pictures if len(sample.media) == 1 and isinstance(sample.media[0], ImagePart)]
    lines += duplicate_lines(seen, pages)
    lines += leak_lines(seen, pages)
    lines += reasoning_lines(given.count)
    print("| filter | fault | found | of | recall | precision | clean lost |\n|---|---|---|---|---|---|---|")
    for line in lines:
        lost = f"{line.false} of {line.clean}"
        print(
            f"| {line.filter} | {line.fault} | {line.found} | {line.planted} "
            f"| {line.recall:.2f} | {line.precision:.2f} | {lost} |"
        )
    flow = yields(pages, pictures)
    for name, operators in flow.items():
        steps = ", ".join(f"{step} {c['taken']:.0f} -> {c['given']:.0f}" for step, c in operators.items())
        print(f"yield of {name}: {steps}")
    if given.json:
        given.json.write_text(json.dumps({"lines": [vars(line) for line in lines], "yields": flow}, indent=1))


if __name__ == "__main__":
    main()
