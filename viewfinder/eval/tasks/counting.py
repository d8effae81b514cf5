"""CountBench: how many, detected first and then counted, exact.

The detect-then-count wording of the report; the number said counts, else the number of places listed.
"""

from collections.abc import Iterator

from viewfinder.eval.answer_format import number
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import Task
from viewfinder.messages import ImagePart, user


def questions(files: Files) -> Iterator[Question]:
    for i, row in enumerate(files.rows("data/test-*.parquet")):
        require(row, "image", "number", "question")
        ask = (
            f"{row['question']} Please first output bbox coordinates and names of every item in JSON format, and then "
        )
        ask += "answer the question."
        messages = (user(ImagePart(image=picture(row["image"])), ask),)
        yield Question(str(i), messages, int(row["number"]), {"number": str(row["number"])})


TASKS = (
    Task(
        name="countbench",
        title="CountBench",
        data=Data("vikhyatk/CountBenchQA", ("data/test-*.parquet",)),
        questions=questions,
        form=number,
        score=lambda said, q: float(said == q.truth),
        reported={"72B": 93.6},
        max_new_tokens=1024,
    ),
)
"""One benchmark."""
