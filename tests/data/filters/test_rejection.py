from collections.abc import Callable, Sequence

import pytest
from PIL import Image

from tests.data.filters.test_documents import Judge
from viewfinder.data.filters.rejection import (
    INSTRUCTION,
    Rejection,
    final_answer,
    made_up_numbers,
    same_answer,
    sums_are_right,
)
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample, say
from viewfinder.messages import ImagePart, Message, Reply, Sampling

_GOOD = "The first tag says 31 and the second says 54, so together 31 + 54 = 85.\nAnswer: 85"


class Thinker:
    """Answers by whether it sees a picture, and how often it was asked."""

    def __init__(self, answer: Callable[[bool, int], str], finish: str = "stop") -> None:
        self.answer, self.finish, self.asked = answer, finish, 0
        self.seeds: list[int | None] = []

    def chat(self, messages: Sequence[Message], *, sampling: Sampling, **_: object) -> Reply:
        sees = any(isinstance(part, ImagePart) for message in messages for part in message.parts)
        assert messages[-1].text.endswith(INSTRUCTION)
        self.asked += sees
        self.seeds.append(sampling.seed)
        return Reply(text=self.answer(sees, self.asked), finish_reason=self.finish)  # type: ignore[arg-type]


def _sample() -> Sample:
    messages = (say("user", Image.new("RGB", (60, 40)), "What do both cost?"), say("assistant", "85"))
    return Sample(messages=messages, task="maths", truth={"answer": 85, "prices": [31, 54]}, id="m1", forms=("", ""))


def test_the_shortest_sound_reasoning_is_kept() -> None:
    tries = ("No idea.\nAnswer: 3", "I look closely. " + _GOOD, _GOOD, "Answer: 86")
    thinker = Thinker(lambda sees, k: tries[k - 1] if sees else "Answer: 0")
    (sample,) = Rejection(thinker)(_sample())
    assert isinstance(sample, Sample)
    assert sample.answer == _GOOD
    assert sample.scores["rejection.kept"] == 0.5
    assert "reasoning" in sample.tags
    assert sample.question.endswith(INSTRUCTION)
    assert len(set(thinker.seeds[1:])) == 4
    again = Thinker(lambda sees, k: tries[k - 1] if sees else "Answer: 0")
    list(Rejection(again)(_sample()))
    assert again.seeds == thinker.seeds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Answer: 84", "wrong"),
        ("31 + 54 = 75, or so.\nAnswer: 85", "with a wrong sum"),
        ("One tag says 144, the other 260.\nAnswer: 85", "with numbers from nowhere"),
        (
            "The tags say 31 and 54 and the sum of them is 85. 我们把这两个数字加起来得到答案是这样。\nAnswer: 85",
            "of several languages",
        ),
        ("One and one is what I see on the tag. " * 12 + "\nAnswer: 85", "repetitive"),
        (" ".join(f"word{i}x" for i in range(500)) + "\nAnswer: 85", "too long"),
    ],
)
def test_each_fault_is_named(text: str, reason: str) -> None:
    (bad,) = Rejection(Thinker(lambda sees, _: text if sees else "Answer: 0"), samples=2)(_sample())
    assert isinstance(bad, Bad)
    assert bad.reason == f"rejection: of 2 tries 2 {reason}"


def test_what_can_be_known_without_the_picture_is_dropped() -> None:
    (bad,) = Rejection(Thinker(lambda *_: _GOOD))(_sample())
    assert isinstance(bad, Bad)
    assert "without the picture" in bad.reason
    (kept,) = Rejection(Thinker(lambda *_: _GOOD), blind=0)(_sample())
    assert isinstance(kept, Sample)
    (bad,) = Rejection(Thinker(lambda sees, _: _GOOD if sees else "", "length"))(_sample())
    assert isinstance(bad, Bad)
    assert "did not end" in bad.reason
    (bad,) = Rejection(Thinker(lambda sees, _: _GOOD if sees else ""), judge=Judge('{"vision": 1}'))(_sample())
    assert isinstance(bad, Bad)
    assert "without looking" in bad.reason


@pytest.mark.parametrize(
    ("given", "truth", "same"),
    [
        ("85", "85", True), ("85.0", "85", True), ("$1,200", "1200", True), ("12 %", "12", True),
        ("12.5", "12.4", False),
        ("3.1416", "3.14159", True), ("B", "B", True), ("(B) the red one", "B", True), ("C", "B", False),
        ("Red.", "red", True),
        ("", "0", False), ("about 12 or 13", "12", False), ("-5", "5", False),
    ],
)  # fmt: skip
def test_answers_are_compared_as_what_they_are(given: str, truth: str, same: bool) -> None:
    assert same_answer(given, truth) is same


def test_final_answers_and_sums() -> None:
    assert final_answer("It is 4.\nFinal answer: **12 cm**.") == "12 cm"
    assert final_answer(r"So \boxed{7} it is") == "7"
    assert final_answer("First.\nThe answer is 3.") == "3"
    assert sums_are_right("2 + 3 * 4 = 14 and 10 / 4 = 2.5 and 1,000 - 1 = 999 and 10 / 3 = 3.33")
    for wrong in ("2 + 3 * 4 = 20", "7 - 2 = 4", "10 / 3 = 3.4", "1 / 0 = 1"):
        assert not sums_are_right(wrong)
    assert made_up_numbers("31 and 54 and 85 and 3", _sample()) == []
    assert made_up_numbers("77 and 54", _sample()) == [77]
