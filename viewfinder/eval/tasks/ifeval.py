"""IFEval: instructions that can be checked by a program; strict accuracy over prompts.

The report's number is prompt-level strict. The checks are in `metrics.instructions`.
"""

from collections.abc import Sequence
from typing import Any

from viewfinder.eval.answer_format import AnswerFormat, text
from viewfinder.eval.metrics.instructions import follows
from viewfinder.eval.question import Question, Sight
from viewfinder.eval.rows import Row
from viewfinder.eval.task import Scored


def truth_of(row: Row) -> dict[str, Any]:
    """The prompt, its instructions with their arguments, and a response that follows them where the data have one."""
    arguments = [{k: v for k, v in (kwargs or {}).items() if v is not None} for kwargs in row["kwargs"]]
    truth = {
        "prompt": row["prompt"],
        "instructions": list(map(list, zip(row["instruction_id_list"], arguments, strict=True))),
    }
    return truth | ({"response": row["response"]} if "response" in row else {})


def followed(prediction: str | None, truth: dict[str, Any]) -> list[bool]:
    """Whether each instruction of a prompt was followed; an empty answer follows none."""
    said = prediction or ""
    return [bool(said.strip()) and follows(name, said, kwargs) for name, kwargs in truth["instructions"]]


def total(scored: Sequence[Scored]) -> dict[str, float]:
    """Prompts whose every instruction was followed, and instructions followed, percent."""
    rows = [followed(s.prediction, s.truth) for s in scored]
    flat = [f for row in rows for f in row]
    if not rows:
        return {"score": 0.0}
    prompts = 100 * sum(all(row) for row in rows) / len(rows)
    return {"score": prompts, "instructions": 100 * sum(flat) / len(flat)}


def _write(question: Question, sight: Sight) -> str:
    return str(question.truth.get("response", ""))


def score(prediction: str | None, question: Question) -> float:
    return float(all(followed(prediction, question.truth)))


FORM = AnswerFormat("text/1", text.read, _write, text.guess)
