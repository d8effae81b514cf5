"""IFEval: instructions that can be checked by a program; strict accuracy over prompts.

The report's number is prompt-level strict. The checks are in `metrics.instructions`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from viewfinder.eval.answer_format import AnswerFormat, text
from viewfinder.eval.metrics.instructions import follows
from viewfinder.eval.question import Question, Sight
from viewfinder.eval.source import Data, Files, require
from viewfinder.eval.task import MediaSettings, Scored, Task
from viewfinder.messages import user


def questions(files: Files) -> Iterator[Question]:
    for row in files.rows("ifeval_input_data.jsonl"):
        require(row, "key", "prompt", "instruction_id_list", "kwargs")
        arguments = [{k: v for k, v in (kwargs or {}).items() if v is not None} for kwargs in row["kwargs"]]
        truth = {
            "prompt": row["prompt"],
            "instructions": list(map(list, zip(row["instruction_id_list"], arguments, strict=True))),
        }
        truth |= {"response": row["response"]} if "response" in row else {}
        yield Question(str(row["key"]), (user(row["prompt"]),), truth)


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


TASKS = (
    Task(
        name="ifeval",
        title="IFEval (strict, prompts)",
        data=Data("google/IFEval", ("ifeval_input_data.jsonl",), "Apache-2.0"),
        questions=questions,
        form=AnswerFormat("text/1", text.read, _write, text.guess),
        score=lambda said, q: float(all(followed(said, q.truth))),
        total=total,
        settings=MediaSettings(),
        reported={"72B": 86.3},
        note="sentences are split by punctuation (the authors use NLTK), languages told by script and common words "
        "(the authors use langdetect)",
        max_new_tokens=1280,
        family="text",
    ),
)
"""One benchmark."""
