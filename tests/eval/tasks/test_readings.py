"""How tasks read worked answers: MMMU's open questions, MathVista's values."""

import pytest

from viewfinder.eval.question import Question
from viewfinder.eval.tasks.maths import mathvista_score, mathvista_value
from viewfinder.eval.tasks.mmmu import score, stated_answers
from viewfinder.messages import user


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
