from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from tests.data.samples import boxed_sample
from viewfinder.data.filters.mistakes import Mistakes
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample, say
from viewfinder.errors import DataError
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, MediaInfo, Message, Reply, Sampling
from viewfinder.outputs.actions import Action, format_action
from viewfinder.outputs.boxes import Box, format_boxes, parse_boxes
from viewfinder.outputs.points import Point, format_points

_SIZE, _SHOWN = (60, 40), (168, 112)
_WAY = Transform(_SIZE, _SHOWN)


class Model:
    """Sees pictures at another size than they have, and answers from a list."""

    def __init__(self, *answers: str, media: bool = True, finish: str = "stop") -> None:
        self.answers, self.media, self.finish = list(answers), media, finish
        self.asked: list[tuple[str, Sequence[dict[str, Any]]]] = []

    def chat(
        self, messages: Sequence[Message], *, tools: Sequence[dict[str, Any]] = (), sampling: Sampling, **_: object
    ) -> Reply:
        shown = [part for message in messages for part in message.parts if isinstance(part, ImagePart)]
        info = MediaInfo(
            kind="image",
            original_size=_SIZE,
            resized_size=_SHOWN,
            grid_thw=(1, 8, 12),
            tokens=24,
            transform=_WAY.to_dict(),
        )
        media = (info,) * len(shown) if self.media else ()
        if sampling.max_new_tokens == 1:
            return Reply(text="", media=media)
        self.asked.append((messages[-1].text, tools))
        return Reply(text=self.answers.pop(0), finish_reason=self.finish, media=media)  # type: ignore[arg-type]


def _boxes(*corners: tuple[float, float, float, float], label: str = "thing") -> str:
    return format_boxes([Box(*each, label=label) for each in corners], _WAY)


def _worded(answer: str, form: str = "", device: Any = None) -> Sample:
    messages = (say("user", Image.new("RGB", _SIZE), "What is it?"), say("assistant", answer))
    return Sample(messages=messages, task="ask", id="w1", forms=("", form), device=device)


def _one(sample: Sample, *answers: str) -> Sample | Bad:
    (given,) = Mistakes(Model(*answers), samples=len(answers))(sample)
    return given


def test_a_wrong_box_becomes_the_rejected_turn_in_pixels_of_the_original() -> None:
    sample = boxed_sample(0)
    pair = _one(sample, _boxes((30, 20, 50, 38)))
    assert isinstance(pair, Sample)
    assert pair.messages == sample.messages
    assert pair.tags == ("mistake",)
    assert pair.rejected is not None
    (box,) = parse_boxes(pair.rejected.text, Transform.identity(_SIZE))
    assert box.xyxy == pytest.approx((30, 20, 50, 38), abs=0.6)


@pytest.mark.parametrize(
    "said",
    [_boxes((2, 3, 31, 35)), _boxes((1, 2, 30, 35))],
)
def test_a_box_that_fits_is_no_mistake(said: str) -> None:
    bad = _one(boxed_sample(0), said)
    assert isinstance(bad, Bad)
    assert bad.reason == "mistakes: of 1 tries 1 are right, 0 have no end or another form"


@pytest.mark.parametrize(
    "said",
    [
        _boxes((1, 2, 30, 35), label="other"),
        _boxes((1, 2, 30, 35), (1, 2, 30, 35)),
        "```json\n[]\n```",
        "There is none.",
    ],
)
def test_other_labels_further_boxes_and_none_are_mistakes(said: str) -> None:
    assert isinstance(_one(boxed_sample(0), said), Sample)


def test_the_first_wrong_try_is_taken() -> None:
    pair = _one(_worded("red"), "Red.", "blue", "green")
    assert isinstance(pair, Sample)
    assert pair.rejected is not None
    assert pair.rejected.text == "blue"


@pytest.mark.parametrize(
    ("true", "said", "wrong"),
    [
        ("7", "7.0", False),
        ("7", "8", True),
        ("a quiet river runs by the old mill", "a quiet river runs by the old mall", False),
        ("a quiet river runs by the old mill", "the noisy street was full of people", True),
    ],
)
def test_words_and_numbers(true: str, said: str, wrong: bool) -> None:
    assert isinstance(_one(_worded(true), said), Sample) is wrong


@pytest.mark.parametrize(("x", "wrong"), [(22, False), (40, True)])
def test_points(x: float, wrong: bool) -> None:
    true = format_points([Point(20, 20, "cup")], Transform.identity(_SIZE))
    given = _one(_worded(true, "points"), format_points([Point(x, 20, "cup")], _WAY))
    assert isinstance(given, Sample) is wrong


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (Action("computer", "left_click", (21, 20)), False),
        (Action("computer", "left_click", (40, 20)), True),
        (Action("computer", "right_click", (20, 20)), True),
        (Action("computer", "wait", time=1.0), True),
    ],
)
def test_actions(said: Action, wrong: bool) -> None:
    true = format_action(Action("computer", "left_click", (20, 20)), Transform.identity(_SIZE))
    model = Model(format_action(said, _WAY))
    (given,) = Mistakes(model, samples=1)(_worded(true, "action", "computer"))
    assert isinstance(given, Sample) is wrong
    (function,) = model.asked[0][1]
    assert "168x112" in str(function)


def test_places_in_the_question_are_asked_in_pixels_of_what_is_seen() -> None:
    sample = _worded("red")
    question = say("user", Image.new("RGB", _SIZE), "What color is at [30, 20]?")
    model = Model("blue")
    list(Mistakes(model, samples=1)(replace(sample, messages=(question, sample.messages[1]), forms=("inline", ""))))
    assert model.asked == [("What color is at [84, 56]?", ())]


def test_words_in_place_of_an_action_are_a_mistake() -> None:
    true = format_action(Action("computer", "wait", time=1.0), Transform.identity(_SIZE))
    assert isinstance(_one(_worded(true, "action", "computer"), "I wait."), Sample)


def test_answers_without_an_end_or_with_an_impossible_action_make_no_pair() -> None:
    action = format_action(Action("computer", "wait", time=1.0), Transform.identity(_SIZE))
    impossible = action.replace('"wait"', '"fly"')
    for model, sample in (
        (Model("blue and so on", finish="length"), _worded("red")),
        (Model(impossible), _worded(action, "action", "computer")),
    ):
        (bad,) = Mistakes(model, samples=1)(sample)
        assert isinstance(bad, Bad)
        assert bad.reason == "mistakes: of 1 tries 0 are right, 1 have no end or another form"


def test_a_model_that_does_not_say_what_it_saw_is_refused() -> None:
    with pytest.raises(DataError, match="told how it saw 0 of 1 media"):
        list(Mistakes(Model("blue", media=False))(boxed_sample(0)))
