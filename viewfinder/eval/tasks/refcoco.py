"""RefCOCO, RefCOCO+ and RefCOCOg: one box for a phrase, right at IoU of a half.

The prompt is the official cookbook's; the answer's pixels are brought to those of the original picture first. Each
object has several phrases, and every phrase is asked.
"""

from collections.abc import Iterator
from functools import partial

from viewfinder.eval.answer_format import box
from viewfinder.eval.metrics import box_accuracy
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import Task
from viewfinder.messages import ImagePart, user


def questions(files: Files, split: str) -> Iterator[Question]:
    for row in files.rows(f"data/{split}-*.parquet"):
        require(row, "question_id", "image", "answer", "bbox", "file_name")
        x, y, width, height = (float(v) for v in row["bbox"])
        for i, phrase in enumerate(row["answer"]):
            ask = f"Locate {phrase}, output its bbox coordinates using JSON format."
            yield Question(
                id=f"{row['question_id']}/{i}",
                messages=(user(ImagePart(image=picture(row["image"])), ask),),
                truth=[x, y, x + width, y + height],
                tags={"label": phrase, "object": str(row["question_id"])},
            )


REPORTED = {
    ("refcoco", "val"): (92.7, 90.0, 89.1),
    ("refcoco", "testA"): (94.6, 92.5, 91.7),
    ("refcoco", "testB"): (89.7, 85.4, 84.0),
    ("refcoco+", "val"): (88.9, 84.2, 82.4),
    ("refcoco+", "testA"): (92.2, 89.1, 88.0),
    ("refcoco+", "testB"): (83.7, 76.9, 74.1),
    ("refcocog", "val"): (89.9, 87.2, 85.2),
    ("refcocog", "test"): (90.3, 87.2, 85.7),
}
_REPOSITORIES = {"refcoco": "lmms-lab/RefCOCO", "refcoco+": "lmms-lab/RefCOCOplus", "refcocog": "lmms-lab/RefCOCOg"}
_TITLES = {"refcoco": "RefCOCO", "refcoco+": "RefCOCO+", "refcocog": "RefCOCOg"}

TASKS = tuple(
    Task(
        name=f"{name}_{split.lower()}",
        title=f"{_TITLES[name]} {split}",
        data=Data(_REPOSITORIES[name], (f"data/{split}-*.parquet",)),
        questions=partial(questions, split=split),
        form=box,
        score=lambda found, q: box_accuracy(tuple(found) if found else None, tuple(q.truth)),
        cluster="object",
        reported=dict(zip(("72B", "7B", "3B"), reported, strict=True)),
        max_new_tokens=128,
    )
    for (name, split), reported in REPORTED.items()
)
"""Eight splits."""
