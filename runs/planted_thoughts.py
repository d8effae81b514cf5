"""A model that thinks about two prices, rightly or with one fault, for the filter by rejection sampling."""

import random
import re
from collections.abc import Sequence
from typing import Any

from filter_table import Line, kept
from PIL import Image, ImageDraw

from viewfinder.data.catalogue import OPERATORS
from viewfinder.data.sample import Sample, say
from viewfinder.messages import ImagePart, Message, Reply


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
