"""MathVista (testmini) and MATH-Vision (full test), maths on pictures; GSM8K and MATH, in words.

MathVista's `query` column is the official prompt, hint included; integer and float answers are compared after
rounding to the question's precision, as its `normalize_extracted_answer` does. With a judge the value is extracted by
it (as the authors do with GPT-4); without, by rule: the boxed value, the one after "answer is", else the last number,
without its unit and its thousands separators.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from viewfinder.eval.answer_format import LETTERS, AnswerFormat, letter, text
from viewfinder.eval.metrics.choices import choice_letter
from viewfinder.eval.metrics.maths import boxed, final_value, maths_equal, read_number
from viewfinder.eval.question import ModelAnswer, Question
from viewfinder.eval.rows import Row

ASK = "Please reason step by step, and put your final answer within \\boxed{{}}."
"""As a format. The report gives no prompt for text; this is the one of Qwen2.5's mathematics evaluation."""


def mathvista_truth(row: Row) -> dict[str, Any]:
    return {"answers": row["answer"], "type": row["answer_type"], "precision": row["precision"]}


def mathvista_value(said: str, question: Question) -> Any:
    """An extracted answer in the question's type: an option's words, or a rounded number as text."""
    truth = question.truth
    if question.choices:
        found = choice_letter(said, "".join(question.choices))
        return question.options[question.choices.index(found)] if found else _nearest(said, question.options)
    value = final_value(said)
    if truth["type"] not in ("integer", "float"):
        return value
    number = read_number(value)
    if number is None or not math.isfinite(number):
        return None
    return str(int(number) if truth["type"] == "integer" else round(number, int(float(truth["precision"] or 0))))


def _nearest(said: str, options: tuple[str, ...]) -> str:
    """The option with the least edit distance, as the official normalisation takes."""
    from viewfinder.eval.metrics.edit_distance import edit_distance

    return min(options, key=lambda option: edit_distance(said.strip(), option))


def _mathvista_write(question: Question, sight: Any) -> str:
    answer = question.truth["answers"]
    return f"The answer is {question.choices[question.options.index(answer)] if question.choices else answer}"


def mathvista_score(prediction: Any, question: Question) -> float:
    truth = question.truth
    gold = truth["answers"]
    if not question.choices and truth["type"] == "float":
        gold = str(round(float(gold), int(float(truth["precision"] or 0))))
    return float(prediction is not None and str(prediction) == str(gold))


def mathvision_text(row: Row, options: Sequence[str]) -> str:
    text_ = re.sub(r"<image\d+>", "", row["question"]).strip()
    if options:
        text_ += "\n" + "\n".join(f"({c}) {o}" for c, o in zip(LETTERS, options, strict=False))
    ask = 'Please solve the problem step by step and put your answer in one "\\boxed{}". If it is a multiple choice '
    return f'{ask}question, only one letter is allowed in the "\\boxed{{}}".\n{text_}'


def _mathvision_read(answer: ModelAnswer, question: Question) -> str | None:
    value = final_value(answer.text)
    if question.choices and value not in question.choices:
        return letter.read(answer, question) or value
    return value


def mathvision_score(prediction: Any, question: Question) -> float:
    """Equal as mathematics; for options the letter or the option's own value counts, as in the official code."""
    accepted = [question.truth]
    if question.choices and question.truth in question.choices:
        accepted.append(question.options[question.choices.index(question.truth)])
    return float(prediction is not None and any(maths_equal(str(prediction), gold) for gold in accepted))


def _guess(question: Question, sight: Any, rng: Any) -> str:
    return rng.choice(question.choices) if question.choices else str(rng.randint(0, 100))


def gsm8k_truth(row: Row) -> str:
    return row["answer"].split("####")[-1].strip().replace(",", "")


def math_truth(row: Row) -> str:
    return str(row.get("answer") or boxed(row["solution"]) or "")


def value_score(prediction: str | None, question: Question) -> float:
    """Hendrycks' equality."""
    return float(prediction is not None and maths_equal(prediction, question.truth))


MATHVISTA = AnswerFormat("mathvista/2", lambda a, q: mathvista_value(a.text, q), _mathvista_write, _guess)
MATHVISION = AnswerFormat("mathvision/2", _mathvision_read, lambda q, s: f"\\boxed{{{text.write(q, s)}}}", _guess)
VALUE = AnswerFormat(
    "final-value/1",
    lambda answer, q: final_value(answer.text),
    lambda q, s: f"So the result is \\boxed{{{q.truth}}}.",
    lambda q, s, rng: f"\\boxed{{{rng.randint(0, 1000)}}}",
)
