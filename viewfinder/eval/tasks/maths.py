"""MathVista (testmini) and MATH-Vision (full test): maths on pictures.

MathVista's `query` column is the official prompt, hint included; integer and float answers are compared after
rounding to the question's precision, as its `normalize_extracted_answer` does. With a judge the value is extracted by
it (as the authors do with GPT-4); without, by rule: the boxed value, the one after "answer is", else the last number,
without its unit and its thousands separators.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

from viewfinder.eval.answer_format import LETTERS, AnswerFormat, letter, text
from viewfinder.eval.judging import judge_value
from viewfinder.eval.metrics.choices import choice_letter
from viewfinder.eval.metrics.maths import final_value, maths_equal, read_number
from viewfinder.eval.question import ModelAnswer, Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import Task
from viewfinder.messages import ImagePart, user


def mathvista_questions(files: Files) -> Iterator[Question]:
    for row in files.rows("data/testmini-*.parquet"):
        require(row, "pid", "query", "decoded_image", "choices", "answer", "question_type", "answer_type", "precision")
        options = tuple(row["choices"] or ())
        metadata = row.get("metadata") or {}
        precision = row["precision"]
        yield Question(
            id=str(row["pid"]),
            messages=(user(ImagePart(image=picture(row["decoded_image"])), row["query"]),),
            truth={"answers": row["answer"], "type": row["answer_type"], "precision": precision},
            tags={"type": row["question_type"], "task": str(metadata.get("task", ""))},
            choices=tuple(LETTERS[: len(options)]),
            options=options,
        )


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


def mathvision_questions(files: Files) -> Iterator[Question]:
    for row in files.rows("data/test-*.parquet"):
        require(row, "id", "question", "options", "decoded_image", "answer", "level", "subject")
        options = tuple(row["options"] or ())
        text_ = re.sub(r"<image\d+>", "", row["question"]).strip()
        if options:
            text_ += "\n" + "\n".join(f"({c}) {o}" for c, o in zip(LETTERS, options, strict=False))
        ask = (
            'Please solve the problem step by step and put your answer in one "\\boxed{}". If it is a multiple choice '
        )
        ask += 'question, only one letter is allowed in the "\\boxed{}".\n'
        yield Question(
            id=str(row["id"]),
            messages=(user(ImagePart(image=picture(row["decoded_image"])), ask + text_),),
            truth=str(row["answer"]),
            tags={"subject": row["subject"], "level": str(row["level"])},
            choices=tuple(LETTERS[: len(options)]),
            options=options,
        )


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


TASKS = (
    Task(
        name="mathvista",
        title="MathVista (testmini)",
        data=Data("AI4Math/MathVista", ("data/testmini-*.parquet",), "CC-BY-SA-4.0"),
        questions=mathvista_questions,
        form=AnswerFormat("mathvista/2", lambda a, q: mathvista_value(a.text, q), _mathvista_write, _guess),
        score=mathvista_score,
        reported={"72B": 74.8, "7B": 68.2, "3B": 62.3},
        judge=lambda judge, q, said: mathvista_value(judge_value(judge, q, said), q),
        note="the authors extract the value with a judge; without --judge it is extracted by rule",
        max_new_tokens=1024,
    ),
    Task(
        name="mathvision",
        title="MATH-Vision (full test)",
        data=Data("MathLLMs/MathVision", ("data/test-*.parquet",), "MIT"),
        questions=mathvision_questions,
        form=AnswerFormat("mathvision/2", _mathvision_read, lambda q, s: f"\\boxed{{{text.write(q, s)}}}", _guess),
        score=mathvision_score,
        reported={"72B": 38.1, "7B": 25.1, "3B": 21.2},
        judge=judge_value,
        max_new_tokens=2048,
    ),
)
"""The two benchmarks. MathVerse and MegaBench are not among them."""
