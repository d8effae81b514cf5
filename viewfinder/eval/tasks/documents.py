"""TextVQA, DocVQA, InfoVQA and ChartQA: short answers from text in pictures.

Each is scored by its own metric: VQA score, ANLS, ANLS, relaxed accuracy (mean of the human and the augmented
half). Answers are asked for as short words.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from viewfinder.eval.answer_format import text
from viewfinder.eval.metrics import anls, relaxed_accuracy, vqa_score
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import Scored, Task
from viewfinder.messages import ImagePart, user

SHORT = "\nPlease try to answer the question with short words or phrases if possible."


def textvqa(files: Files) -> Iterator[Question]:
    for row in files.rows("data/validation-*.parquet"):
        require(row, "question_id", "question", "image", "answers")
        yield _question(str(row["question_id"]), row, list(row["answers"]), {})


def docvqa(files: Files, folder: str) -> Iterator[Question]:
    for row in files.rows(f"{folder}/validation-*.parquet"):
        require(row, "questionId", "question", "image", "answers")
        kinds = row.get("question_types") or row.get("answer_type") or []
        yield _question(str(row["questionId"]), row, list(row["answers"]), {"type": kinds[0] if kinds else ""})


def chartqa(files: Files) -> Iterator[Question]:
    for i, row in enumerate(files.rows("data/test-*.parquet")):
        require(row, "type", "question", "answer", "image")
        yield _question(str(i), row, [row["answer"]], {"split": row["type"]})


def _question(id: str, row: dict[str, Any], answers: list[str], tags: dict[str, str]) -> Question:
    return Question(id, (user(ImagePart(image=picture(row["image"])), row["question"] + SHORT),), answers, tags)


def chartqa_total(scored: Sequence[Scored]) -> dict[str, float]:
    """The mean of both halves' accuracies, whatever their sizes."""
    halves = {s.tags["split"] for s in scored}
    values = {h: [s.value for s in scored if s.tags["split"] == h] for h in sorted(halves)}
    means = {h: 100 * sum(v) / len(v) for h, v in values.items()}
    return {"score": sum(means.values()) / len(means) if means else 0.0, **means}


_TEST = "the report is on the test split, whose answers are on the organisers' server; this is the validation split"

TASKS = (
    Task(
        name="textvqa",
        title="TextVQA (val)",
        data=Data("lmms-lab/textvqa", ("data/validation-*.parquet",), "CC-BY-4.0"),
        questions=textvqa,
        form=text,
        score=lambda said, q: vqa_score(said or "", q.truth),
        reported={"72B": 83.5, "7B": 84.9, "3B": 79.3},
        max_new_tokens=128,
    ),
    Task(
        name="docvqa",
        title="DocVQA",
        data=Data("lmms-lab/DocVQA", ("DocVQA/validation-*.parquet",)),
        questions=partial(docvqa, folder="DocVQA"),
        form=text,
        score=lambda said, q: anls(said or "", q.truth),
        reported={"72B": 96.4, "7B": 95.7, "3B": 93.9},
        note=_TEST,
        max_new_tokens=128,
    ),
    Task(
        name="infovqa",
        title="InfoVQA",
        data=Data("lmms-lab/DocVQA", ("InfographicVQA/validation-*.parquet",)),
        questions=partial(docvqa, folder="InfographicVQA"),
        form=text,
        score=lambda said, q: anls(said or "", q.truth),
        reported={"72B": 87.3, "7B": 82.6, "3B": 77.1},
        note=_TEST,
        max_new_tokens=128,
    ),
    Task(
        name="chartqa",
        title="ChartQA (test, mean of both halves)",
        data=Data("lmms-lab/ChartQA", ("data/test-*.parquet",), "GPL-3.0"),
        questions=chartqa,
        form=text,
        score=lambda said, q: relaxed_accuracy((said or "").rstrip("."), q.truth),
        total=chartqa_total,
        reported={"72B": 89.5, "7B": 87.3, "3B": 84.0},
        max_new_tokens=128,
    ),
)
"""Four benchmarks of short answers."""
