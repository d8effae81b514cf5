"""Values of receipts and forms as JSON: F1 of fields."""

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from viewfinder.eval.answer_format import AnswerFormat
from viewfinder.eval.builtin.drawing import builtin, first_turn, has, held_out
from viewfinder.eval.metrics import F1, field_f1
from viewfinder.eval.question import ModelAnswer, Question, Sight
from viewfinder.eval.task import Scored, Task
from viewfinder.outputs.loose_json import find_value

KINDS = tuple(kind for kind in ("receipts", "forms") if has(kind))


def extract(rng: np.random.Generator, number: int) -> Question | None:
    """A held-out document whose values are asked for; the kinds by turns."""
    kind = KINDS[number % len(KINDS)]
    sample = held_out(kind, rng, "extract", min_side=168, max_side=336)
    if sample is None:
        return None
    asked, answer, truth = first_turn(sample)
    tags = {"kind": kind, "places": "yes" if "bbox_2d" in answer else "no"}
    return Question(f"{number}", (asked,), truth["data"], tags)


def bare(value: Any) -> Any:
    """A JSON value whose `{"value": ..., "bbox_2d": ...}` are the values alone."""
    if isinstance(value, dict):
        return bare(value["value"]) if "value" in value else {k: bare(v) for k, v in value.items()}
    return [bare(v) for v in value] if isinstance(value, list) else value


def _read(answer: ModelAnswer, question: Question) -> Any:
    try:
        return bare(json.loads(answer.text))
    except ValueError:
        found = find_value(answer.text)
        return bare(found) if isinstance(found, dict | list) else None


def _guess(question: Question, sight: Sight, rng: random.Random) -> str:
    return json.dumps({key: str(rng.randint(1, 99)) for key in question.truth})


def schema_of(value: Any, places: bool) -> dict[str, Any]:
    """A JSON schema that any document of this shape obeys: texts, numbers, lists, null for what is absent."""
    if isinstance(value, dict):
        inside = {key: schema_of(part, places) for key, part in value.items()}
        return {"type": "object", "properties": inside, "required": list(inside), "additionalProperties": False}
    if isinstance(value, list):
        return {"type": "array", "items": schema_of(value[0], places) if value else {"type": "string"}}
    kind = "integer" if type(value) is int else "string"
    if not places:
        return {"anyOf": [{"type": kind}, {"type": "null"}]}
    box = {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4}
    fields = {"value": {"type": kind}, "bbox_2d": box}
    leaf = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return {"anyOf": [leaf, {"type": "null"}]}


def _schema(question: Question, sight: Sight) -> dict[str, Any]:
    return {"schema": schema_of(question.truth, question.tags["places"] == "yes")}


_FIELDS = AnswerFormat("json-fields/1", _read, lambda q, s: json.dumps(q.truth), _guess, lambda q, s: "{}", _schema)


def fields_total(scored: Sequence[Scored]) -> dict[str, float]:
    """F1 of fields over all documents, 0..1."""
    total = F1(0, 0, 0)
    for s in scored:
        total = total.plus(field_f1(s.prediction or {}, s.truth))
    return {"score": total.f1, "precision": total.precision, "recall": total.recall}


TASKS: tuple[Task, ...] = ()
if KINDS:
    TASKS = (
        builtin(
            "fields",
            "Fields of receipts and forms, F1",
            extract,
            _FIELDS,
            lambda said, q: field_f1(said or {}, q.truth).f1,
            total=fields_total,
            max_new_tokens=512,
        ),
    )
