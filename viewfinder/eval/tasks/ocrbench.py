"""OCRBench: 1,000 points, one for each question whose answer stands in the reply.

Handwritten formulas (HME100k) are compared without spaces and with case. Pictures have at least 100 tokens, as in
the model's published settings.
"""

from collections.abc import Iterator, Sequence

from viewfinder.eval.answer_format import text
from viewfinder.eval.metrics import contains_answer
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import VLMEVALKIT, Scored, Task
from viewfinder.messages import ImagePart, user


def questions(files: Files) -> Iterator[Question]:
    for i, row in enumerate(files.rows("data/test-*.parquet")):
        require(row, "dataset", "question", "question_type", "answer", "image")
        answers = row["answer"] if isinstance(row["answer"], list) else [row["answer"]]
        tags = {"type": row["question_type"], "dataset": row["dataset"]}
        yield Question(str(i), (user(ImagePart(image=picture(row["image"])), row["question"]),), answers, tags)


def score(prediction: str | None, question: Question) -> float:
    return contains_answer(prediction or "", question.truth, formula=question.tags["dataset"] == "HME100k")


def points(scored: Sequence[Scored]) -> dict[str, float]:
    """Points of a thousand; of another number of questions, as many per thousand."""
    right = sum(s.value for s in scored)
    return {"score": 1000 * right / len(scored) if scored else 0.0, "right": right}


TASKS = (
    Task(
        name="ocrbench",
        title="OCRBench (points of 1000)",
        data=Data("echo840/OCRBench", ("data/test-*.parquet",)),
        questions=questions,
        form=text,
        score=score,
        total=points,
        settings=VLMEVALKIT.with_(min_pixels=100 * 28**2),
        reported={"72B": 885, "7B": 864, "3B": 797},
        max_new_tokens=256,
    ),
)
"""One benchmark."""
