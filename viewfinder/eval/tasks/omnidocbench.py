"""OmniDocBench: whole pages to Markdown, scored by edit distance of matched elements; lower is better.

Four distances (text, formulas, tables, reading order), each a mean over pages; the score is their mean, by language.
The answer may be QwenVL HTML or Markdown: both are read into the same typed document. Matching is one to one by
least total distance; the authors' script also splits and joins paragraphs, which this does not (`note`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from viewfinder.eval.answer_format import AnswerFormat
from viewfinder.eval.metrics import formula_distance, page_edit_distance, reading_order_distance
from viewfinder.eval.metrics.pages import match_elements, page_elements
from viewfinder.eval.question import Question, Sight
from viewfinder.eval.source import Files, require
from viewfinder.eval.task import Scored
from viewfinder.messages import ImagePart, user
from viewfinder.outputs import prompts

_TEXT = {"title", "text_block", "list_group", "reference", "code_txt"}
_TABLES, _FORMULAS = {"table"}, {"equation_isolated"}
PARTS = ("text", "formula", "table", "order")


def questions(files: Files) -> Iterator[Question]:
    for row in files.rows("OmniDocBench.json"):
        require(row, "layout_dets", "page_info")
        info = row["page_info"]
        image = files.media(info["image_path"].split("/")[-1], "images")
        attributes = info.get("page_attribute") or {}
        tags = {"language": str(attributes.get("language", "")), "source": str(attributes.get("data_source", ""))}
        messages = (user(ImagePart(image=image), prompts.parse_prompt()),)
        yield Question(info["image_path"], messages, _truth(row["layout_dets"]), tags)


def _truth(elements: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    kept = [e for e in elements if not e.get("ignore") and e.get("order") is not None]
    kept.sort(key=lambda e: e["order"])
    return {
        "text": [e["text"] for e in kept if e["category_type"] in _TEXT and e.get("text")],
        "table": [e["html"] for e in kept if e["category_type"] in _TABLES and e.get("html")],
        "formula": [e["latex"] for e in kept if e["category_type"] in _FORMULAS and e.get("latex")],
    }


def distances(said: dict[str, list[str]], truth: dict[str, list[str]]) -> dict[str, float]:
    """The distances that a page has: those of kinds it holds or was said to hold."""
    result: dict[str, float] = {}
    if truth["text"]:
        result["text"] = page_edit_distance(said["text"], truth["text"])
        result["order"] = reading_order_distance(said["text"], truth["text"])
    if truth["formula"]:
        result["formula"] = _matched(said["formula"], truth["formula"])
    if truth["table"]:
        result["table"] = page_edit_distance([_plain(t) for t in said["table"]], [_plain(t) for t in truth["table"]])
    return result


def _matched(said: Sequence[str], truth: Sequence[str]) -> float:
    pairs = match_elements(said, truth)
    values = [
        formula_distance("" if m.predicted is None else said[m.predicted], "" if m.truth is None else truth[m.truth])
        for m in pairs
    ]
    return sum(values) / len(values) if values else 0.0


def _plain(html: str) -> str:
    return "".join(html.split())


def _read(answer: Any, question: Question) -> dict[str, list[str]]:
    return page_elements(answer.text, answer.sight.transforms[0])


def score(prediction: Any, question: Question) -> float:
    """1 - the mean distance of the page, so that 1 is best for the report; totals are distances."""
    parts = distances(prediction or {"text": [], "table": [], "formula": []}, question.truth)
    return 1 - sum(parts.values()) / len(parts) if parts else 1.0


def total(scored: Sequence[Scored]) -> dict[str, float]:
    """Each distance as a mean over the pages that have it, and the mean of the four; English alone, where there is."""
    empty: dict[str, list[str]] = {"text": [], "table": [], "formula": []}
    result: dict[str, float] = {}
    english = [s for s in scored if s.tags.get("language") == "english"]
    chinese = [s for s in scored if s.tags.get("language") == "simplified_chinese"]
    for prefix, pages in (("", english or scored), ("zh ", chinese)):
        rows = [distances(s.prediction or empty, s.truth) for s in pages]
        parts = {p: [row[p] for row in rows if p in row] for p in PARTS}
        means = {prefix + p: sum(v) / len(v) for p, v in parts.items() if v}
        if means:
            result[prefix + "overall"] = sum(means.values()) / len(means)
        result |= means
    return {"score": result.get("overall", 1.0), **result}


def _write(question: Question, sight: Sight) -> str:
    truth = question.truth
    parts = [f"<p>{t}</p>" for t in truth["text"]] + list(truth["table"])
    parts += [f'<div class="formula"><div>{latex}</div></div>' for latex in truth["formula"]]
    return f"<html><body>{''.join(parts)}</body></html>"


FORM = AnswerFormat("page/1", _read, _write, lambda q, s, rng: "<html><body><p>nothing</p></body></html>")
