"""Generated conversations of every kind, and faults planted in their last answers."""

import random
import re
import sys
from collections.abc import Sequence
from dataclasses import replace

from filter_table import Fault

from viewfinder.data.sample import Sample, say
from viewfinder.data.synth.kinds import KINDS, Options, make
from viewfinder.errors import DataError


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
