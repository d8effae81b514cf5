"""MMLU-Pro: ten options, five worked examples of the same subject before each question (chain of thought).

The examples are the validation split's; the answer is the last "the answer is (X)".
"""

import re
from collections.abc import Iterator

from viewfinder.eval.answer_format import LETTERS, AnswerFormat, letter
from viewfinder.eval.multiple_choice import letter_right
from viewfinder.eval.question import ModelAnswer, Question
from viewfinder.eval.source import Data, Files, require
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.messages import user


def _shown(question: str, options: list[str]) -> str:
    return f"Question: {question}\nOptions: " + "".join(f"({c}) {o} " for c, o in zip(LETTERS, options, strict=False))


def questions(files: Files) -> Iterator[Question]:
    examples: dict[str, list[str]] = {}
    for row in files.rows("data/validation-*.parquet"):
        thought = row["cot_content"].removeprefix("A: ")
        examples.setdefault(row["category"], []).append(f"{_shown(row['question'], row['options'])}\nAnswer: {thought}")
    for row in files.rows("data/test-*.parquet"):
        require(row, "question_id", "question", "options", "answer", "category")
        head = "The following are multiple choice questions (with answers) about "
        head += (
            f'{row["category"]}. Think step by step and then output the answer in the format of "The answer is (X)" at '
        )
        head += "the end.\n\n"
        shots = "\n\n".join(examples.get(row["category"], [])[:5])
        text = f"{head}{shots}\n\n{_shown(row['question'], row['options'])}\nAnswer: Let's think step by step."
        letters = tuple(LETTERS[: len(row["options"])])
        tags = {"category": row["category"]}
        yield Question(str(row["question_id"]), (user(text),), row["answer"], tags, letters, tuple(row["options"]))


def _read(answer: ModelAnswer, question: Question) -> str | None:
    stated = re.findall(r"answer is:?\s*\**\(?([A-J])\)?", answer.text)
    return stated[-1] if stated else letter.read(answer, question)


TASKS = (
    Task(
        name="mmlu_pro",
        title="MMLU-Pro (5-shot)",
        data=Data("TIGER-Lab/MMLU-Pro", ("data/*.parquet",), "MIT"),
        questions=questions,
        form=AnswerFormat("last-stated-letter/1", _read, lambda q, s: f"The answer is ({q.truth}).", letter.guess),
        score=letter_right,
        settings=MediaSettings(),
        reported={"72B": 71.2},
        max_new_tokens=2048,
        family="text",
    ),
)
"""One benchmark."""
