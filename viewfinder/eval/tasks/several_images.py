"""Several pictures a question: MuirBench and BLINK.

MuirBench marks places with `<image>` in question and options; BLINK's `prompt` column is the whole official prompt,
its pictures come first. MuirBench pairs each question with an unanswerable twin.
"""

from collections.abc import Iterator

from viewfinder.eval.answer_format import letter
from viewfinder.eval.judging import judge_letter
from viewfinder.eval.multiple_choice import LETTER_ONLY, choice_question, choice_text, from_parts, letter_right, splice
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import Task


def muirbench(files: Files) -> Iterator[Question]:
    for row in files.rows("data/test-*.parquet"):
        require(row, "idx", "task", "question", "options", "answer", "image_list")
        text = choice_text(row["question"], row["options"], tail=LETTER_ONLY)
        for i in range(len(row["image_list"])):
            text = text.replace("<image>", f"<image {i + 1}>", 1)
        media = {f"<image {i + 1}>": picture(image) for i, image in enumerate(row["image_list"])}
        tags = {"task": row["task"], "relation": row.get("image_relation") or ""}
        yield from_parts(str(row["idx"]), splice(text, media), row["options"], row["answer"], tags)


def blink(files: Files) -> Iterator[Question]:
    for row in files.rows("*/val-*.parquet"):
        require(row, "idx", "sub_task", "prompt", "choices", "answer", "image_1")
        media = [picture(row[f"image_{i}"]) for i in range(1, 5) if row.get(f"image_{i}")]
        yield choice_question(
            row["idx"], media, row["prompt"], row["choices"], row["answer"], {"task": row["sub_task"]}
        )


TASKS = (
    Task(
        name="muirbench",
        title="MuirBench",
        data=Data("MUIRBENCH/MUIRBENCH", ("data/test-*.parquet",), "CC-BY-4.0"),
        questions=muirbench,
        form=letter,
        score=letter_right,
        reported={"72B": 70.7, "7B": 59.6, "3B": 47.7},
        judge=judge_letter,
    ),
    Task(
        name="blink",
        title="BLINK (val)",
        data=Data("BLINK-Benchmark/BLINK", ("*/val-*.parquet",), "Apache-2.0"),
        questions=blink,
        form=letter,
        score=letter_right,
        reported={"72B": 64.4, "7B": 56.4, "3B": 47.6},
        judge=judge_letter,
    ),
)
"""Two benchmarks of several pictures a question."""
