"""RefCOCO, RefCOCO+ and RefCOCOg: one box for a phrase, right at IoU of a half.

The prompt is the official cookbook's; the answer's pixels are brought to those of the original picture first. Each
object has several phrases, and every phrase is asked.
"""

from collections.abc import Iterator

from viewfinder.eval.question import Question
from viewfinder.eval.source import Files, picture, require
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
