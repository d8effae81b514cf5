"""OCRBench v2: thirty kinds of questions, each with its own score; English and Chinese are totalled apart.

Places are 0..1000 of the picture in the data and pixels in the answers of this model, so answers are converted
first (the authors' advice on lower scores than reported). Differences from the authors' code are named in `note`.
"""

import ast
import json
from collections.abc import Sequence
from typing import Any

from viewfinder.eval.answer_format import AnswerFormat, text
from viewfinder.eval.metrics.ocr_kinds import (
    anls_or_contains,
    count_score,
    fields_score,
    html_of_markdown,
    number_words,
    page_score,
    spotting_score,
    tree_similarity,
)
from viewfinder.eval.metrics.regions import iou
from viewfinder.eval.metrics.teds import teds
from viewfinder.eval.question import ModelAnswer, Question, Sight
from viewfinder.eval.rows import Row
from viewfinder.eval.task import Scored
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.loose_json import find_objects

ABILITIES: dict[str, tuple[str, ...]] = {
    "en text recognition": ("text recognition en", "fine-grained text recognition en", "full-page OCR en"),
    "en text detection": ("text grounding en", "VQA with position en"),
    "en text spotting": ("text spotting en",),
    "en relation extraction": ("key information extraction en", "key information mapping en"),
    "en element parsing": ("document parsing en", "chart parsing en", "table parsing en", "formula recognition en"),
    "en mathematics": ("math QA en", "text counting en"),
    "en visual understanding": ("document classification en", "cognition VQA en", "diagram QA en"),
    "en reasoning": ("reasoning VQA en", "science QA en", "APP agent en", "ASCII art classification en"),
    "cn text recognition": ("full-page OCR cn",),
    "cn relation extraction": ("key information extraction cn", "handwritten answer extraction cn"),
    "cn element parsing": ("document parsing cn", "table parsing cn", "formula recognition cn"),
    "cn visual understanding": ("cognition VQA cn",),
    "cn reasoning": ("reasoning VQA cn", "text translation cn"),
}
_PAGES = {"fine-grained text recognition en", "full-page OCR en", "full-page OCR cn", "text translation cn"}


def truth_of(row: Row) -> dict[str, Any]:
    answers = row["answers"] if isinstance(row["answers"], list) else [row["answers"]]
    return {
        "answers": [str(a) for a in answers],
        "eval": str(row.get("eval") or ""),
        "box": _list(row.get("bbox")),
        "content": _list(row.get("content")),
    }


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return []
    return list(value or [])


def _read(answer: ModelAnswer, question: Question) -> dict[str, Any]:
    """The text; and places in thousandths of the picture, in order, with what is said to stand there."""
    width, height = answer.sight.transforms[0].original_size
    scale = (1000 / width, 1000 / height) * 2
    found = parse_boxes(answer.text, answer.sight.transforms[0])
    places = [[*(v * s for v, s in zip(b.xyxy, scale, strict=True)), b.text or b.label] for b in found]
    return {"text": answer.text.strip(), "places": places}


def _write(question: Question, sight: Sight) -> str:
    kind, truth = question.tags["type"], question.truth
    transform = sight.transforms[0]
    if kind == "text grounding en":
        return json.dumps([{"bbox_2d": _pixels([float(v) for v in truth["answers"]], transform)}])
    if kind == "text spotting en":
        rows = zip(truth["box"], truth["content"], strict=True)
        return json.dumps([{"bbox_2d": _pixels(_corners(b), transform), "text_content": c} for b, c in rows])
    if kind == "VQA with position en":
        return json.dumps({"answer": truth["answers"][0], "bbox": _pixels(truth["box"], transform)})
    if kind.startswith("key information"):
        fields = ast.literal_eval(truth["answers"][0])
        return json.dumps({k: v[0] if isinstance(v, list) else v for k, v in fields.items()}, ensure_ascii=False)
    return text.write(question, sight)


def _pixels(box: Sequence[float], transform: Any) -> list[int]:
    width, height = transform.original_size
    x1, y1, x2, y2 = box
    corners = (x1 * width / 1000, y1 * height / 1000, x2 * width / 1000, y2 * height / 1000)
    return [round(v) for v in transform.box_to_model(corners)]


def _corners(polygon: Sequence[float]) -> list[float]:
    xs, ys = polygon[0::2], polygon[1::2]
    return [min(xs), min(ys), max(xs), max(ys)]


def score(prediction: dict[str, Any] | None, question: Question) -> float:
    """By the question's kind, 0..1."""
    if prediction is None or not prediction["text"]:
        return 0.0
    kind, truth, said = question.tags["type"], question.truth, prediction["text"]
    answers = truth["answers"]
    if kind in _PAGES or (kind.startswith("handwritten") and "简答" in question.tags["question"]):
        return page_score(said, answers[0])
    if kind == "handwritten answer extraction cn":
        return number_words(said, answers[0])
    if kind.startswith("formula"):
        return float(any("".join(a.split()) in "".join(said.split()) for a in answers))
    if kind == "text counting en":
        return count_score(said, answers, truth["eval"])
    if kind.startswith("table"):
        markdown = "markdown" in question.tags["question"].lower()
        return (
            teds(html_of_markdown(said), html_of_markdown(answers[0])) if markdown else teds(said, _table(answers[0]))
        )
    if kind.startswith(("document parsing", "chart parsing")):
        return tree_similarity(said, answers[0])
    if kind.startswith("key information"):
        found = find_objects(said)
        return fields_score(found[0].fields if found else {}, ast.literal_eval(answers[0]))
    return _placed_score(kind, prediction, truth)


def _placed_score(kind: str, prediction: dict[str, Any], truth: dict[str, Any]) -> float:
    said, places = prediction["text"], prediction["places"]
    if kind == "text grounding en":
        x1, y1, x2, y2 = (float(v) for v in truth["answers"])
        return iou(tuple(places[-1][:4]), (x1, y1, x2, y2)) if places else 0.0
    if kind == "VQA with position en":
        found = find_objects(said)
        content = anls_or_contains(str(found[0].fields.get("answer", "")), truth["answers"]) if found else 0.0
        return 0.5 * content + 0.5 * (iou(tuple(places[0][:4]), tuple(truth["box"])) if places else 0.0)
    if kind == "text spotting en":
        boxes = [tuple(_corners(b)) for b in truth["box"]]
        return spotting_score(places, list(zip(boxes, truth["content"], strict=True)))
    if truth["eval"] == "multiple choice":
        return float("".join(c for c in said if c.isalpha()) == truth["answers"][0])
    return anls_or_contains(said, truth["answers"], case=truth["eval"] == "case sensitive", chinese=kind.endswith("cn"))


def _table(answer: str) -> str:
    return answer if "<table" in answer else f"<table>{answer}</table>"


def total(scored: Sequence[Scored]) -> dict[str, float]:
    """Means of kinds by ability, of abilities by language; the headline is English."""
    abilities = {name: [s.value for s in scored if s.tags["type"] in kinds] for name, kinds in ABILITIES.items()}
    means = {name: 100 * sum(v) / len(v) for name, v in abilities.items() if v}
    result: dict[str, float] = {}
    for language in ("en", "cn"):
        values = [value for name, value in means.items() if name.startswith(language)]
        if values:
            result["score" if language == "en" else "cn"] = sum(values) / len(values)
    return {"score": 0.0, **result, **means}


FORM = AnswerFormat("ocrbench-v2/1", _read, _write, lambda q, s, rng: "unknown")
