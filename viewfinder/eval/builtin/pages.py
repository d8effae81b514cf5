"""A small page, a table, a chart as QwenVL HTML: edit distance and boxes, TEDS, and values within 5 %."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from viewfinder.eval.answer_format import AnswerFormat, text
from viewfinder.eval.builtin.drawing import builtin, first_turn, has, held_out
from viewfinder.eval.metrics import F1, box_f1, relaxed_accuracy, teds, text_distance
from viewfinder.eval.question import ModelAnswer, Question, Sight
from viewfinder.eval.task import Scored, Task
from viewfinder.outputs.document.document import Document, Page
from viewfinder.outputs.document.elements import Chart, Table
from viewfinder.outputs.document.grammar import qwenvl_html_grammar
from viewfinder.outputs.prompts import parse_prompt

_KEPT = 4096
"""Scores of pairs of texts that are kept: resampling for an interval asks for each hundreds of times."""


def _parse(rng: np.random.Generator, number: int, kind: str, task: str, **options: Any) -> Question | None:
    """A held-out page of a kind that is asked for as HTML."""
    sample = held_out(kind, rng, task, **options)
    if sample is None:
        return None
    asked, answer, _ = first_turn(sample)
    return Question(f"{number}", (asked,), answer, {"kind": kind}) if asked.text == parse_prompt() else None


def _read(answer: ModelAnswer, question: Question) -> str:
    """The page with boxes in pixels of the original."""
    page = Page.from_html(answer.text, answer.sight.transforms[0])
    return Document((replace(page, transform=None),)).to_html(fenced=True)


def _write(question: Question, sight: Sight) -> str:
    page = Page.from_html(question.truth)
    return Document((replace(page, transform=sight.transforms[0]),)).to_html(fenced=True)


def _nothing(question: Question, sight: Sight, rng: random.Random | None = None) -> str:
    return "```html\n<html><body>\n</body></html>\n```"


def _grammar(question: Question, sight: Sight) -> dict[str, Any]:
    return {"grammar": qwenvl_html_grammar(*sight.transforms[0].resized_size)}


page_form = AnswerFormat("qwenvl-html/1", _read, _write, _nothing, _nothing, _grammar)
"""A page as QwenVL HTML; `truth` is that of the whole page, boxes in pixels of the original."""


def page_distance(said: str, true: str) -> float:
    """Normalised edit distance of all words, 0..1, without white space."""
    return text_distance(Page.from_html(said).text, Page.from_html(true).text)


@lru_cache(maxsize=_KEPT)
def page_boxes(said: str, true: str) -> F1:
    """Elements by kind and box, IoU of a half."""
    placed = lambda html: [(b.xyxy, b.label or "") for b in Page.from_html(html).boxes()]  # noqa: E731
    return box_f1(placed(said), placed(true))


def page_total(scored: Sequence[Scored]) -> dict[str, float]:
    """Mean edit distance (lower is better), and F1 of boxes over all pages, 0..1."""
    boxes = F1(0, 0, 0)
    for s in scored:
        boxes = boxes.plus(page_boxes(str(s.prediction or ""), s.truth))
    return {"score": 1 - sum(s.value for s in scored) / max(1, len(scored)), "box F1": boxes.f1}


def table_alikeness(prediction: Any, question: Question) -> float:
    """TEDS in which the words of heads count."""
    return teds(str(prediction or ""), question.truth, heads=True)


def table_total(scored: Sequence[Scored]) -> dict[str, float]:
    """Mean TEDS with heads and as published (without), and the share of values that are within 5 % (numbers) or equal,
    at their heads, 0..1."""
    published = [_published(str(s.prediction or ""), s.truth) for s in scored]
    right = [values_right(str(s.prediction or ""), s.truth) for s in scored]
    return {
        "score": sum(s.value for s in scored) / max(1, len(scored)),
        "TEDS as published": sum(published) / max(1, len(published)),
        "relaxed accuracy": sum(right) / max(1, len(right)),
    }


@lru_cache(maxsize=_KEPT)
def _published(said: str, true: str) -> float:
    return teds(said, true)


@lru_cache(maxsize=_KEPT)
def values_right(said: str, true: str) -> float:
    """Share of the true table's values that the read one has under the same row's and column's head."""
    told, meant = _by_heads(said), _by_heads(true)
    hits = [relaxed_accuracy(told[heads], [value]) for heads, value in meant.items() if heads in told]
    return sum(hits) / len(meant) if meant else 1.0


def _by_heads(html: str) -> dict[tuple[str, str], str]:
    table = first_table(Page.from_html(html))
    rows = table.grid() if table is not None else []
    return {
        (row[0].strip().lower(), head.strip().lower()): cell.strip().replace(",", "")
        for row in rows[1:]
        for head, cell in list(zip(rows[0], row, strict=False))[1:]
    }


def first_table(page: Page) -> Table | None:
    for element in page.elements:
        if isinstance(element, Table):
            return element
        if isinstance(element, Chart) and element.table is not None:
            return element.table
    return None


def _question_of_chart(rng: np.random.Generator, number: int) -> Question | None:
    sample = held_out("charts", rng, "ask", min_side=168, max_side=336)
    if sample is None:
        return None
    asked, _, truth = first_turn(sample)
    return Question(f"{number}", (asked,), str(truth["answer"]), {"asked": asked.text.split()[0]})


def _value_said(answer: ModelAnswer, question: Question) -> str:
    """The value at the end of a worked answer ("... The sum is 12."), else the whole."""
    said = answer.text.strip()
    return said.rsplit(" is ", 1)[-1].rstrip(".") if " is " in said else said


_VALUE = AnswerFormat("last-value/1", _value_said, text.write, lambda q, s, rng: str(rng.randint(1, 99)))


def _tasks() -> tuple[Task, ...]:
    distance: Callable[[Any, Question], float] = lambda said, q: 1 - page_distance(str(said or ""), q.truth)  # noqa: E731
    small = {"min_side": 196, "max_side": 336}
    found: list[Task] = []
    if has("pages"):
        make = partial(_parse, kind="pages", task="parse", **small)
        title = "A small page to QwenVL HTML, edit distance"
        how: dict[str, Any] = {"total": page_total, "better": "lower", "max_new_tokens": 1024}
        found.append(builtin("page", title, make, page_form, distance, **how))
    for kind, task, name in (("tables", "parse", "table"), ("charts", "chart", "chart")):
        if has(kind):
            make = partial(_parse, kind=kind, task=task, min_side=168, max_side=336)
            how = {"total": table_total, "max_new_tokens": 768}
            found.append(
                builtin(name, f"A {name} to a table, TEDS with heads", make, page_form, table_alikeness, **how)
            )
    if has("charts"):
        score: Callable[[Any, Question], float] = lambda said, q: relaxed_accuracy(str(said or ""), [q.truth])  # noqa: E731
        title = "Questions about charts, relaxed accuracy"
        found.append(builtin("chart_ask", title, _question_of_chart, _VALUE, score, max_new_tokens=64))
    return tuple(found)


TASKS = _tasks()
