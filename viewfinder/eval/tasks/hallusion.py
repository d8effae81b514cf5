"""HallusionBench: yes-or-no questions in families, with and without a misleading picture.

The score is the mean of three accuracies: over answers (aAcc), over figures whose every question is right (fAcc), and
over questions that are right for every figure (qAcc), as VLMEvalKit's `Hallusion_rating` groups them.
"""

from collections.abc import Iterator, Sequence

from viewfinder.eval.answer_format import yes_no
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import Scored, Task
from viewfinder.messages import ImagePart, user


def questions(files: Files) -> Iterator[Question]:
    for row in files.rows("data/image-*.parquet"):
        require(row, "category", "subcategory", "set_id", "figure_id", "question_id", "question", "gt_answer", "image")
        family = f"{row['subcategory']}_{row['set_id']}"
        yield Question(
            id=f"{row['category']}_{family}_{row['figure_id']}_{row['question_id']}",
            messages=(user(ImagePart(image=picture(row["image"])), f"{row['question']} Please answer yes or no."),),
            truth="Yes" if str(row["gt_answer"]) == "1" else "No",
            tags={
                "category": row["category"],
                "family": family,
                "figure": f"{family}_{row['figure_id']}",
                "asked": f"{family}_{row['question_id']}",
            },
            choices=("Yes", "No"),
        )


def rating(scored: Sequence[Scored]) -> dict[str, float]:
    """aAcc, fAcc, qAcc and their mean, percent."""

    def all_right(tag: str) -> float:
        groups: dict[str, list[float]] = {}
        for s in scored:
            groups.setdefault(s.tags[tag], []).append(s.value)
        return 100 * sum(min(values) for values in groups.values()) / len(groups)

    if not scored:
        return {"score": 0.0}
    answers = 100 * sum(s.value for s in scored) / len(scored)
    figures, asked = all_right("figure"), all_right("asked")
    return {"score": (answers + figures + asked) / 3, "aAcc": answers, "fAcc": figures, "qAcc": asked}


TASKS = (
    Task(
        name="hallusionbench",
        title="HallusionBench (mean of aAcc, fAcc, qAcc)",
        data=Data("lmms-lab/HallusionBench", ("data/image-*.parquet",), "BSD-3-Clause"),
        questions=questions,
        form=yes_no,
        score=lambda prediction, question: float(prediction == question.truth),
        total=rating,
        cluster="family",
        reported={"72B": 55.2, "7B": 52.9, "3B": 46.3},
    ),
)
"""One benchmark."""
