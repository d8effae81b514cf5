"""Multiple-choice questions: the official prompt, the right letter, and pictures spliced into a text.

The wording is that of Qwen2.5-VL's published evaluation code (MMMU) and of its VLMEvalKit adapter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from viewfinder.eval.answer_format import LETTERS, letter
from viewfinder.eval.judging import judge_letter
from viewfinder.eval.question import Question
from viewfinder.eval.rows import Row, Rows, benchmark
from viewfinder.messages import ImagePart, Part, TextPart, user

SELECT = "Please select the correct answer from the options above."
SELECT_CN = "请直接回答选项字母。"
LETTER_ONLY = "Answer with the option's letter from the given choices directly."


def choice_text(question: str, options: Sequence[str], hint: str = "", tail: str = SELECT) -> str:
    """`Question: ... Options: A. ...` and the request to select."""
    lines = [f"Hint: {hint}"] if hint else []
    lines += [f"Question: {question}", "Options:"]
    lines += [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False)]
    return "\n".join([*lines, tail])


def choice_ask(row: Row, options: Sequence[str]) -> str:
    """`choice_text` of the column `question`."""
    return choice_text(row["question"], options)


def right_letter(column: str) -> Callable[[Row], str]:
    """The right letter of a row, whose column has it or the right option's index."""

    def read(row: Row) -> str:
        right = str(row[column])
        return _bare(LETTERS[int(right)] if right.isdecimal() else right)

    return read


def _bare(answer: str) -> str:
    return answer.strip().strip("().").upper()


def choice_question(
    id: str,
    media: Iterable[Any],
    text: str,
    options: Sequence[str],
    answer: str,
    tags: Mapping[str, str] | None = None,
) -> Question:
    """A question whose media come first; `answer` is the letter. Media are parts, or sources of pictures."""
    parts = [item if isinstance(item, Part) else ImagePart(image=item) for item in media]
    return from_parts(id, [*parts, TextPart(text=text)], options, answer, tags)


def from_parts(
    id: str, parts: Sequence[Part], options: Sequence[str], answer: str, tags: Mapping[str, str] | None = None
) -> Question:
    """A question of given parts in given order."""
    letters = tuple(LETTERS[: len(options)])
    return Question(id, (user(*parts),), _bare(answer), dict(tags or {}), letters, tuple(map(str, options)))


def splice(text: str, media: Mapping[str, Any]) -> list[Part]:
    """Parts of a text with `<image 1>`-like marks replaced by their pictures, in place; unmarked ones come first.

    `splice("a <image 1> b", {"<image 1>": png})` is text, picture, text.
    """
    parts: list[Part] = [ImagePart(image=source) for mark, source in media.items() if mark not in text]
    rest = text
    while marks := [m for m in media if m in rest]:
        mark = min(marks, key=rest.index)
        before, rest = rest.split(mark, 1)
        if before:
            parts.append(TextPart(text=before))
        parts.append(ImagePart(image=media[mark]))
    return [*parts, TextPart(text=rest)] if rest else parts


def letter_right(prediction: str | None, question: Question) -> float:
    """1 where the right letter was chosen."""
    return float(prediction is not None and prediction == question.truth)


choice_rows = partial(Rows, ask=choice_ask, truth=right_letter("answer"), options="options")
"""One multiple-choice question a row."""
choice_benchmark = partial(benchmark, form=letter, score=letter_right, judge=judge_letter)
"""A benchmark whose answers are letters, read by rule or by a judge."""
