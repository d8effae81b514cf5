"""MMBench in English and Chinese, from the official TSV: multiple choice with rotated options.

`CircularEval`: each question is asked once for every rotation of its options, and counts only where all are right
(VLMEvalKit rotates the same way). Rows may refer to another row's picture by its index.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from viewfinder.eval.answer_format import LETTERS, letter
from viewfinder.eval.judging import judge_letter
from viewfinder.eval.multiple_choice import SELECT, SELECT_CN, choice_question, choice_text, letter_right
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import Scored, Task


def questions(files: Files, pattern: str, tail: str) -> Iterator[Question]:
    shared: dict[str, str] = {}
    for row in files.rows(pattern):
        require(row, "index", "question", "image", "A", "B", "answer", "category")
        image = row["image"] if len(row["image"]) > 64 else shared[row["image"]]
        shared[row["index"]] = image
        options = [row[c] for c in "ABCD" if row.get(c) not in (None, "", "nan")]
        hint = row.get("hint") if row.get("hint") not in (None, "nan") else ""
        right = LETTERS.index(row["answer"])
        for shift in range(len(options)):
            rotated = options[shift:] + options[:shift]
            yield choice_question(
                f"{row['index']}+{shift}",
                [picture(image)],
                choice_text(row["question"], rotated, hint or "", tail),
                rotated,
                LETTERS[(right - shift) % len(options)],
                {"row": row["index"], "category": row["category"], "ability": row.get("l2-category") or ""},
            )


def circular_total(scored: Sequence[Scored]) -> dict[str, float]:
    """Questions right in all rotations, and plain accuracy over all requests, percent."""
    rows: dict[str, list[float]] = {}
    for s in scored:
        rows.setdefault(s.tags["row"], []).append(s.value)
    circular = sum(min(values) for values in rows.values()) / len(rows) if rows else 0.0
    vanilla = sum(s.value for s in scored) / len(scored) if scored else 0.0
    return {"score": 100 * circular, "vanilla": 100 * vanilla}


def _task(name: str, title: str, file: str, tail: str, reported: dict[str, float]) -> Task:
    return Task(
        name=name,
        title=title,
        data=Data("opencompass/MMBench", (file,), "Apache-2.0"),
        questions=partial(questions, pattern=file, tail=tail),
        form=letter,
        score=letter_right,
        total=circular_total,
        cluster="row",
        reported=reported,
        judge=judge_letter,
        note="the report is on the test split, whose answers are on the organisers' server; this is the dev split",
    )


TASKS = (
    _task("mmbench_en", "MMBench-EN", "MMBench_DEV_EN.tsv", SELECT, {"72B": 88.6, "7B": 83.5, "3B": 79.1}),
    _task("mmbench_cn", "MMBench-CN", "MMBench_DEV_CN.tsv", SELECT_CN, {"72B": 87.9, "7B": 83.4, "3B": 78.1}),
    _task("mmbench_v11_en", "MMBench-V1.1-EN", "MMBench_DEV_EN_V11.tsv", SELECT, {"72B": 88.4, "7B": 82.6, "3B": 77.4}),
)
"""The three sets of the report."""
