"""Multiple-choice questions: the official prompt, letters, and rows to questions.

The wording is that of Qwen2.5-VL's published evaluation code (MMMU) and of its VLMEvalKit adapter.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from viewfinder.eval.answer_format import LETTERS
from viewfinder.eval.question import Question
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
