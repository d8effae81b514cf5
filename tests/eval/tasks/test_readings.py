"""How tasks read worked answers: MMMU's open questions, MathVista's values, clicks and spans."""

import pytest

from viewfinder.eval.answer_format import point, span
from viewfinder.eval.question import ModelAnswer, Question, Sight
from viewfinder.eval.tasks.maths import mathvista_score, mathvista_value
from viewfinder.eval.tasks.mmmu import score, stated_answers
from viewfinder.media.transform import Transform
from viewfinder.messages import Reply, user


@pytest.mark.parametrize(
    ("reply", "accepted", "right"),
    [
        ("5 apples and 3 pears, so the total is 8", ["8"], True),
        ("5 apples and 3 pears, so the total is 8", ["5"], False),  # VLMEvalKit#1642
        ("There are 5 apples. The answer is 1,400.", ["1400"], True),
        ("There are 5 apples. The answer is 1,400.", ["5"], False),
        ("\\boxed{0.33}", ["0.333"], True),
        ("2 + 3 = 5", ["5"], True),
        ("2 + 3 = 5", ["2"], False),
        ("It is the mitral valve.", ["mitral valve"], True),
        ("mitral valve", ["Mitral Valve", "bicuspid valve"], True),
        ("8", ["8"], True),
        ("The result is −3.5", ["-3.5"], True),
        ("", ["8"], False),
    ],
)
def test_mmmu_open_answers(reply: str, accepted: list[str], right: bool) -> None:
    question = Question("1", (user("?"),), accepted)
    assert score(reply, question) == float(right), stated_answers(reply)


@pytest.mark.parametrize(
    ("said", "kind", "precision", "gold", "right"),
    [
        ("The answer is 14 cm", "integer", None, "14", True),
        ("1,400", "integer", None, "1400", True),
        ("The answer is $1,400.", "integer", None, "1400", True),
        ("The answer is 3.14159 m²", "float", 2, "3.14", True),
        ("The answer is −2", "integer", None, "-2", True),
        ("The answer is 1e999", "integer", None, "1", False),
        ("either 3 or 5 is the answer: 3 or 5", "integer", None, "3", False),
    ],
)
def test_mathvista_values(said: str, kind: str, precision: int | None, gold: str, right: bool) -> None:
    question = Question("1", (user("?"),), {"answers": gold, "type": kind, "precision": precision})
    assert mathvista_score(mathvista_value(said, question), question) == float(right)


SIGHT = Sight(transforms=(Transform.identity((300, 300)),), durations=(60.0,))


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("[90, 190, 110, 210]", [100, 200]),  # ScreenSpot-Pro#21
        ('{"bbox_2d": [90, 190, 110, 210]}', [100, 200]),
        ("<point>100 200</point>", [100, 200]),
        (
            '<tool_call>{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": [100, 200]}}',
            [100, 200],
        ),
        ('{"name": "computer_use", "arguments": {"coordinate": [90, 190, 110, 210]}}', [100, 200]),
        ('{"name": "computer_use", "arguments": {"coordinate": ["a", 1e999]}}', None),
        ("<|box_start|>(501,10), (995987)<|box_end|>", None),  # ScreenSpot-Pro#7
        ("nowhere", None),
    ],
)
def test_a_box_given_as_a_click_is_its_middle(said: str, place: list[float] | None) -> None:
    assert point.read(ModelAnswer(Reply(text=said), SIGHT), Question("1", (user("?"),), None)) == place


@pytest.mark.parametrize(
    ("said", "times"),
    [("12 - 12 seconds", None), ("at 12 seconds", None), ("70 - 80 seconds", None), ("12 - 18 seconds", [12, 18])],
)
def test_a_span_of_no_length_is_no_answer(said: str, times: list[float] | None) -> None:
    question = Question("1", (user("?"),), {"span": [12, 18], "duration": 60})
    assert span.read(ModelAnswer(Reply(text=said), SIGHT), question) == times
