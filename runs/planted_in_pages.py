"""Real pages as documents, and faults planted in them: noise, other pages' pictures, too few words or too many."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from filter_table import Fault
from PIL import Image

from viewfinder.data.plan import build_plan
from viewfinder.data.sample import Sample, say
from viewfinder.media.source import read_source
from viewfinder.messages import ImagePart, Message, TextPart


def documents(pages: Path, count: int) -> list[Sample]:
    """Pages with pictures of their own: what stands on one page in ten (a site's marks) is taken out first."""
    source = build_plan({"source": {"name": "html", "path": str(pages)}}).source
    rows = [row for row in source.read(0, len(source)) if isinstance(row, Sample) and row.media]
    names = [[_digest(part) for part in row.media] for row in rows]
    often = {name for name, times in Counter(n for each in names for n in set(each)).items() if times > len(rows) / 10}
    found = [_without(row, [n in often for n in each]) for row, each in zip(rows, names, strict=True)]
    random.Random(1).shuffle(found)
    return [sample for sample in found if sample.media and len(sample.messages) < 40][:count]


def _digest(part: Any) -> str:
    return hashlib.sha256(read_source(part.image)).hexdigest()


def _without(sample: Sample, gone: Sequence[bool]) -> Sample:
    """The sample without some of its pictures."""
    places = iter(gone)
    messages = [
        m.model_copy(update={"parts": tuple(p for p in m.parts if not (isinstance(p, ImagePart) and next(places)))})
        for m in sample.messages
    ]
    pictures = [said for said, out in zip(sample.truth["pictures"], gone, strict=True) if not out]
    return replace(sample, messages=_joined(messages), truth={**sample.truth, "pictures": pictures})


def _joined(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Without turns of the user that show and say nothing; the answers around them become one."""
    result: list[Message] = []
    for message in messages:
        if message.parts and result and result[-1].role == message.role:
            parts = (*result[-1].parts, TextPart(text="\n\n"), *message.parts)
            result[-1] = message.model_copy(update={"parts": parts})
        elif message.parts:
            result.append(message)
    if result and result[0].role == "assistant":
        result.insert(0, say("user", "Continue."))
    return tuple(result)


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
