"""`Rows`: how the rows of official files become questions, as data; `benchmark`: one row of the table of tasks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from viewfinder.eval.answer_format import LETTERS, AnswerFormat
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import Task
from viewfinder.messages import ImagePart, Part, user

Row = dict[str, Any]
"""The columns of one row, and its number as `i`."""


@dataclass(frozen=True)
class Rows:
    """Questions from rows: one row, one question. Called with the files of a data set.

    A format is a string with columns in braces: `"{question}\\nAnswer shortly."`.

    Attributes:
        files: glob patterns; `columns`: what each row must have. Both are separated by spaces.
        ask: format of the words, or a function of the row and its options.
        truth: a column, or a function of the row.
        id: format, or a function of the row.
        media: column of the picture, or a function that gives parts or sources of pictures; "" where there is none.
        options: column of the options of a multiple choice, or a function of the row; "" where there are none.
        choices: the answers that every question offers, where they are not letters of options.
        tags: names of tags, each with its column ("" where a row has none), a format, or a function of the row.
    """

    files: str
    columns: str
    ask: str | Callable[[Row, Sequence[str]], str]
    truth: str | Callable[[Row], Any] = "answer"
    id: str | Callable[[Row], str] = "{i}"
    media: str | Callable[[Files, Row], Sequence[Any]] = "image"
    options: str | Callable[[Row], Sequence[str]] = ""
    choices: tuple[str, ...] = ()
    tags: Mapping[str, str | Callable[[Row], str]] = field(default_factory=dict)

    def __call__(self, files: Files) -> Iterator[Question]:
        for i, row in enumerate(files.rows(*self.files.split())):
            require(row, *self.columns.split())
            yield self._question(files, {"i": i, **row})

    def _question(self, files: Files, row: Row) -> Question:
        if callable(self.options):
            options = self.options(row)
        else:
            options = (row[self.options] or ()) if self.options else ()
        ask = self.ask(row, options) if callable(self.ask) else self.ask.format(**row)
        return Question(
            id=self.id(row) if callable(self.id) else self.id.format(**row),
            messages=(user(*self._parts(files, row), ask),),
            truth=self.truth(row) if callable(self.truth) else row[self.truth],
            tags={name: _tag(rule, row) for name, rule in self.tags.items()},
            choices=self.choices or tuple(LETTERS[: len(options)]),
            options=tuple(map(str, options)),
        )

    def _parts(self, files: Files, row: Row) -> list[Part]:
        if callable(self.media):
            found = self.media(files, row)
        else:
            found = [picture(row[self.media])] if self.media else []
        return [item if isinstance(item, Part) else ImagePart(image=item) for item in found]


def _tag(rule: str | Callable[[Row], str], row: Row) -> str:
    if callable(rule):
        return rule(row)
    return rule.format(**row) if "{" in rule else str(row.get(rule) or "")


def benchmark(
    name: str,
    title: str,
    reported: Sequence[float],
    repo: str,
    files: str | Sequence[str],
    license: str,
    questions: Callable[[Files], Iterable[Question]],
    form: AnswerFormat,
    score: Callable[[Any, Question], float],
    **rest: Any,
) -> Task:
    """A benchmark of the report.

    Args:
        reported: the report's numbers of 72B, 7B and 3B; fewer where it has fewer.
        files: what is fetched of the repository: glob patterns, in a string separated by spaces; those of `questions`
            when empty.
        rest: other fields of `Task`.
    """
    if isinstance(files, str):
        files = (files or questions.files if isinstance(questions, Rows) else files).split()
    data = Data(repo, tuple(files), license)
    numbers: dict[str, float] = dict(zip(("72B", "7B", "3B"), reported, strict=False))
    return Task(name, title, questions, form, score, data=data, reported=numbers, **rest)
