"""MMMU (validation) and MMMU-Pro: college exam questions with pictures spliced into the text.

Prompt of Qwen's published evaluation (`evaluation/mmmu`), images between 1280 and 5120 tokens. Open questions are
right where an accepted answer, normalised, is among the stated answers, as in MMMU's `eval_open`; unlike there, a boxed
value is the only one stated, and sentences part at full stops also after capitals are gone. MMMU-Pro overall is the
mean of its ten-option and its vision-only sets.
"""

import ast
import re
from collections.abc import Iterator
from typing import Any

from viewfinder.eval.answer_format import AnswerFormat, letter, text
from viewfinder.eval.metrics.maths import boxed, one_form, read_number
from viewfinder.eval.multiple_choice import choice_text, from_parts, splice
from viewfinder.eval.question import ModelAnswer, Question
from viewfinder.eval.source import Files, picture, require
from viewfinder.eval.task import MediaSettings
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


def _read(answer: ModelAnswer, question: Question) -> Any:
    return letter.read(answer, question) if question.choices else answer.text.strip()


FORM = AnswerFormat(
    "mmmu/2",
    _read,
    lambda q, sight: text.write(q, sight) if not q.choices else str(q.truth),
    letter.guess,
)


def score(prediction: Any, question: Question) -> float:
    if question.choices:
        return float(prediction == question.truth)
    stated = stated_answers(str(prediction or ""))
    return float(any(_open_equal(said, accepted) for accepted in question.truth for said in stated))


_INDICATORS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_SENTENCES = re.compile(r"\.\s+|\n")
_NUMBER = re.compile(r"(?<![\d.])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")


def stated_answers(reply: str) -> list[str]:
    """What a reply gives as its answers (MMMU's `get_key_subresponses`): the shortest end of each sentence behind a
    word that announces one, in the last sentence also behind "="; the whole reply where nothing is announced.

    `stated_answers("5 apples and 3 pears, so the total is 8") == ["8"]`.
    """
    if (inside := boxed(reply)) is not None:
        return [inside]
    sentences = [part for part in _SENTENCES.split(one_form(reply).strip().strip(".").lower()) if part.strip()]
    stated: list[str] = []
    for sentence in sentences:
        words = (*_INDICATORS, "=") if sentence is sentences[-1] else _INDICATORS
        ends = [sentence.rsplit(word, 1)[1].strip() for word in words if word in sentence]
        stated += [min(ends, key=len)] if any(ends) else []
    return [said for said in stated if said.strip(".:,!? ")] or [reply.strip()]


def _open_equal(said: str, accepted: str) -> bool:
    """Numbers to two decimals, words as a substring."""
    number = _number(accepted)
    if number is None:
        return accepted.strip().lower() in said.strip().lower()
    found = [_number(text_) for text_ in _NUMBER.findall(said)]
    return any(value is not None and round(value, 2) == round(number, 2) for value in found)


def _number(text_: str) -> float | None:
    value = read_number(text_)
    return value if value is not None and re.fullmatch(r"[-\d.,eE+%$\s]*", one_form(text_)) else None
