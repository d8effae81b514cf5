"""Multiple-choice questions: the official prompt, letters, and rows to questions.

The wording is that of Qwen2.5-VL's published evaluation code (MMMU) and of its VLMEvalKit adapter.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from viewfinder.eval.answer_format import LETTERS, letter
from viewfinder.eval.judging import judge_letter
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import Task
from viewfinder.messages import ImagePart, Part, TextPart, user

Row = dict[str, Any]

SELECT = "Please select the correct answer from the options above."
SELECT_CN = "请直接回答选项字母。"
LETTER_ONLY = "Answer with the option's letter from the given choices directly."


def choice_text(question: str, options: Sequence[str], hint: str = "", tail: str = SELECT) -> str:
    """`Question: ... Options: A. ...` and the request to select."""
    lines = [f"Hint: {hint}"] if hint else []
    lines += [f"Question: {question}", "Options:"]
    lines += [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False)]
    return "\n".join([*lines, tail])


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
    return Question(
        id=id,
        messages=(user(*parts),),
        truth=answer.strip().strip("().").upper(),
        tags=dict(tags or {}),
        choices=letters,
        options=tuple(map(str, options)),
    )


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


def image_of(files: Files, row: Row) -> list[Any]:
    """The picture of the column `image`."""
    return [picture(row["image"])]


@dataclass(frozen=True)
class ChoiceRows:
    """How the rows of a benchmark become multiple-choice questions: one row, one question.

    Attributes:
        files: glob patterns; `columns`: what each row must have, parted by spaces, too.
        id: format of the row's columns and `i`, its number.
        options: of a row, or the column that lists them; `text`: the words, of a row and its options.
        media: of a row: parts, or sources of pictures.
        answer: the column of the right letter, or of the right option's index.
        tags: names of tags with their columns; "" where a row has none.
    """

    files: str
    columns: str
    id: str
    options: str | Callable[[Row], Sequence[str]] = "options"
    text: Callable[[Row, Sequence[str]], str] = lambda row, options: choice_text(row["question"], options)
    media: Callable[[Files, Row], Sequence[Any]] = image_of
    answer: str = "answer"
    tags: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, files: Files) -> Iterator[Question]:
        for i, row in enumerate(files.rows(*self.files.split())):
            require(row, *self.columns.split(), self.answer)
            options = row[self.options] if isinstance(self.options, str) else self.options(row)
            right = str(row[self.answer])
            answer = LETTERS[int(right)] if right.isdecimal() else right
            tags = {name: str(row.get(column) or "") for name, column in self.tags.items()}
            text, media = self.text(row, options), self.media(files, row)
            yield choice_question(self.id.format(i=i, **row), media, text, options, answer, tags)


def sizes(reported: Sequence[float]) -> dict[str, float]:
    """The report's numbers of 72B, 7B and 3B by name."""
    return dict(zip(("72B", "7B", "3B"), reported, strict=False))


def choice_task(
    name: str,
    title: str,
    data: Data,
    questions: Callable[[Files], Iterable[Question]],
    reported: Sequence[float],
    **rest: Any,
) -> Task:
    """A benchmark whose answers are letters, read by rule or by a judge; `reported` as in `sizes`."""
    rest = {"form": letter, "score": letter_right, "judge": judge_letter, **rest}
    return Task(name=name, title=title, data=data, questions=questions, reported=sizes(reported), **rest)
