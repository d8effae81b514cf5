"""MMMU (validation) and MMMU-Pro: college exam questions with pictures spliced into the text.

Prompt of Qwen's published evaluation (`evaluation/mmmu`), images between 1280 and 5120 tokens. Open questions are
right where an accepted answer, normalised, stands in the reply. MMMU-Pro overall is the mean of its ten-option and
its vision-only sets.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

from viewfinder.eval.forms import Form, letter, text
from viewfinder.eval.judging import judge_letter
from viewfinder.eval.multiple_choice import choice_text, from_parts, splice
from viewfinder.eval.question import Answer, Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import MediaSettings, Scored, Task
from viewfinder.messages import ImagePart, TextPart, user

SETTINGS = MediaSettings(min_pixels=1280 * 28**2, max_pixels=5120 * 28**2)


def _pictures(row: dict[str, Any]) -> dict[str, Any]:
    return {f"<image {i}>": picture(row[f"image_{i}"]) for i in range(1, 8) if row.get(f"image_{i}")}


def _options(row: dict[str, Any]) -> list[str]:
    raw = row["options"]
    return [str(o) for o in (ast.literal_eval(raw) if isinstance(raw, str) else raw)]


def mmmu_questions(files: Files) -> Iterator[Question]:
    for row in files.rows("*/validation-*.parquet"):
        require(row, "id", "question", "options", "answer", "question_type")
        subject = re.sub(r"^validation_|_\d+$", "", row["id"])
        tags = {"subject": subject, "type": row["question_type"]}
        options = _options(row)
        if row["question_type"] == "multiple-choice":
            parts = splice(choice_text(row["question"], options), _pictures(row))
            yield from_parts(row["id"], parts, options, row["answer"], tags)
        else:
            parts = splice(
                f"Question: {row['question']}\nPlease answer the question with a short phrase.", _pictures(row)
            )
            raw = row["answer"]
            answers = ast.literal_eval(raw) if raw.startswith("[") else [raw]
            yield Question(row["id"], (user(*parts),), [str(a) for a in answers], tags)


def pro_questions(files: Files) -> Iterator[Question]:
    for row in files.rows("standard (10 options)/test-*.parquet"):
        require(row, "id", "question", "options", "answer", "subject")
        options = _options(row)
        parts = splice(choice_text(row["question"], options), _pictures(row))
        yield from_parts(
            f"standard/{row['id']}", parts, options, row["answer"], {"set": "standard", "subject": row["subject"]}
        )
    for row in files.rows("vision/test-*.parquet"):
        require(row, "id", "image", "options", "answer", "subject")
        ask = "Write out the multiple-choice question in the image and then solve it. The last line of your response "
        ask += "should be of the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of options."
        parts = [ImagePart(image=picture(row["image"])), TextPart(text=ask)]
        yield from_parts(
            f"vision/{row['id']}", parts, _options(row), row["answer"], {"set": "vision", "subject": row["subject"]}
        )


def _read(answer: Answer, question: Question) -> Any:
    """The last stated letter of a worked answer, else the letter; open questions as text."""
    if not question.choices:
        return answer.text.strip()
    stated = re.findall(r"answer\s*(?:is)?\s*:?\s*\**\(?([A-Z])\b", answer.text, re.IGNORECASE)
    if stated and stated[-1].upper() in question.choices:
        return stated[-1].upper()
    return letter.read(answer, question)


FORM = Form(
    "mmmu/1",
    _read,
    lambda q, sight: text.write(q, sight) if not q.choices else str(q.truth),
    letter.guess,
)


def score(prediction: Any, question: Question) -> float:
    if question.choices:
        return float(prediction == question.truth)
    return float(any(_open_equal(str(prediction), accepted) for accepted in question.truth))


def _open_equal(said: str, accepted: str) -> bool:
    """Numbers to two decimals anywhere in the answer, words as a substring (MMMU's `eval_open`)."""
    number = _number(accepted)
    if number is not None:
        found = re.findall(r"-?\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?", said)
        return any(round(value, 2) == round(number, 2) for value in map(_number, found) if value is not None)
    return accepted.strip().lower() in said.strip().lower()


def _number(text_: str) -> float | None:
    try:
        return float(text_.replace(",", ""))
    except ValueError:
        return None


def pro_total(scored: Sequence[Scored]) -> dict[str, float]:
    """Each set's accuracy and their mean."""
    sets = {s.tags["set"] for s in scored}
    values = {name: 100 * _mean([s.value for s in scored if s.tags["set"] == name]) for name in sorted(sets)}
    return {"score": _mean(list(values.values())), **values}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


TASKS = (
    Task(
        name="mmmu",
        title="MMMU (validation)",
        data=Data("MMMU/MMMU", ("*/validation-*.parquet",), "Apache-2.0"),
        questions=mmmu_questions,
        form=FORM,
        score=score,
        settings=SETTINGS,
        reported={"72B": 70.2, "7B": 58.6, "3B": 53.1},
        judge=lambda judge, q, said: judge_letter(judge, q, said) if q.choices else said.strip(),
        max_new_tokens=2048,
    ),
    Task(
        name="mmmu_pro",
        title="MMMU-Pro (overall)",
        data=Data("MMMU/MMMU_Pro", ("standard (10 options)/*.parquet", "vision/*.parquet"), "Apache-2.0"),
        questions=pro_questions,
        form=FORM,
        score=score,
        total=pro_total,
        settings=SETTINGS,
        reported={"72B": 51.1, "7B": 38.3, "3B": 31.56},
        judge=judge_letter,
        max_new_tokens=2048,
    ),
)
"""The two benchmarks."""
